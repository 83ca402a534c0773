"""OneTrainer's words for our values, read in both directions.

A row is our value, the word that is written for it, and the other spellings that are read.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import get_args

from advisor.settings.config import Dtype
from templates.vocabulary import Vocabulary, Word

OPTIMIZERS = Vocabulary(
    (
        Word("adamw", "ADAMW"),
        Word("adamw8bit", "ADAMW_8BIT"),
        Word("adafactor", "ADAFACTOR"),
        Word("prodigy", "PRODIGY"),
        Word("lion", "LION"),
        Word("came", "CAME"),
        Word("schedule_free_adamw", "SCHEDULE_FREE_ADAMW"),
    ),
    near_by_part=(
        ("8BIT", "adamw8bit"), ("LION", "lion"), ("PRODIGY", "prodigy"), ("DADAPT", "prodigy"), ("CAME", "came"),
        ("ADAM", "adamw"),
    ),
)  # fmt: skip

BETAS = ("beta1", "beta2", "beta3")
"""Keys for what `betas=` lists among our `optimizer.arguments`."""
NUMBER_ARGUMENTS = ("eps", "eps2", "d0", "d_coef", "growth_rate", "clip_threshold", "decay_rate")
FLAG_ARGUMENTS = (
    "decouple", "use_bias_correction", "safeguard_warmup", "amsgrad", "scale_parameter", "relative_step", "warmup_init",
)  # fmt: skip
"""Keys of an optimizer that bear the name of the argument, which stands in our `optimizer.arguments`."""

FIXED_ADAFACTOR = ("scale_parameter", "relative_step", "warmup_init")
"""Flags that are off, so that Adafactor keeps to the learning rate given, as ours always does."""

SCHEDULES = Vocabulary(
    (
        Word("constant", "CONSTANT"),
        Word("constant_with_warmup", "CONSTANT", decided_by="learning_rate_warmup_steps"),
        Word("linear", "LINEAR"),
        Word("cosine", "COSINE"),
        Word("cosine_with_restarts", "COSINE_WITH_HARD_RESTARTS"),
        Word("polynomial", "LINEAR", is_near=True),
        Word("inverse_sqrt", "COSINE", is_near=True),
        Word("cosine_with_min_lr", "COSINE", decided_by="learning_rate_min_factor"),
        Word("warmup_stable_decay", "CONSTANT", is_near=True),
        Word("piecewise_constant", "CONSTANT", is_near=True),
        Word("adafactor", "ADAFACTOR"),
    ),
    near={"COSINE_WITH_RESTARTS": "cosine_with_restarts", "REX": "cosine", "CUSTOM": "constant"},
    otherwise="constant",
)

SAMPLERS = Vocabulary(
    (
        Word("ddim", "DDIM"),
        Word("euler", "EULER"),
        Word("euler_a", "EULER_A"),
        Word("unipc", "UNIPC"),
        Word("dpmpp_2m", "DPMPP"),
        Word("dpmpp_2m_karras", "DPMPP_KARRAS"),
    ),
    near={
        "EULER_KARRAS": "euler", "DPMPP_SDE": "dpmpp_2m", "DPMPP_SDE_KARRAS": "dpmpp_2m_karras",
        "UNIPC_KARRAS": "unipc",
    },
    otherwise="ddim",
)  # fmt: skip

LOSSES = Vocabulary(
    (
        Word("l2", "mse_strength"),
        Word("l1", "mae_strength"),
        Word("huber", "huber_strength"),
        Word("smooth_l1", "huber_strength", ("log_cosh_strength",), is_near=True),
    )
)
"""The key whose strength is 1: OneTrainer adds up several losses, each times its strength."""

CONSTANT_WEIGHT, MIN_SNR, DEBIASED = "CONSTANT", "MIN_SNR_GAMMA", "DEBIASED_ESTIMATION"
"""`loss_weight_fn`: the weight of a timestep."""

TIMESTEP_SAMPLINGS = Vocabulary((Word("uniform", "UNIFORM"), Word("logit_normal", "LOGIT_NORMAL")))
LEAST_SCALE = 1.0
"""`noising_weight` is how much wider than this the normal distribution of `LOGIT_NORMAL` is."""

WEIGHT_DTYPES = Vocabulary(
    (
        Word("float32", "FLOAT_32", ("TFLOAT_32",)),
        Word("float16", "FLOAT_16"),
        Word("bfloat16", "BFLOAT_16"),
        Word("int8", "INT_8", ("INT_W8A8",)),
        Word("nf4", "NFLOAT_4"),
    ),
    near=dict.fromkeys(("FLOAT_8", "FLOAT_W8A8", "FLOAT_W8A8_COMPRESSED", "INT_W8A8_COMPRESSED"), "int8"),
)
"""What the base model is kept in."""
DTYPES = WEIGHT_DTYPES.only(get_args(Dtype))
"""What the step computes in, and what a LoRA is saved in."""

KINDS = Vocabulary(
    (
        Word("lora", "LORA"),
        Word("locon", "LORA", decided_by="layer_filter_preset"),
        Word("loha", "LOHA"),
        Word("lokr", "LOKR"),
        Word("dora", "LORA", decided_by="lora_decompose"),
    )
)

ALL_LAYERS, ATTENTION_LAYERS = "full", "attn-mlp"
"""`layer_filter_preset`: all layers, or those that a plain LoRA adapts."""
ATTENTION_FILTER = "attentions"
"""`layer_filter`: a part of the names of the layers that a plain LoRA adapts."""

ORIGINAL_NAMES, KOHYA_NAMES = "COMFY_LORA", "KOHYA_LORA"
"""`output_model_format`: layers named as in the base model's own file, or as kohya's trainers do. Others have the same
names as the first, with another word before them or without alpha."""

SETTING_WORDS: Mapping[str, tuple[Vocabulary, ...]] = {
    "network.kind": (KINDS,),
    "optimizer.name": (OPTIMIZERS,),
    "schedule.name": (SCHEDULES,),
    "loss.kind": (LOSSES,),
    "loss.timestep_sampling": (TIMESTEP_SAMPLINGS,),
    "memory.base_dtype": (WEIGHT_DTYPES,),
    "memory.compute_dtype": (DTYPES,),
    "saving.dtype": (DTYPES,),
    "sampling.sampler": (SAMPLERS,),
}
"""The settings whose values are words, and where the export looks them up; a value that has none is refused."""

MODEL_TYPES = Vocabulary(
    (
        Word("sd1", "STABLE_DIFFUSION_15", ("STABLE_DIFFUSION_15_INPAINTING",)),
        Word(
            "sd2", "STABLE_DIFFUSION_21_BASE",
            ("STABLE_DIFFUSION_20", "STABLE_DIFFUSION_20_BASE", "STABLE_DIFFUSION_21",
             "STABLE_DIFFUSION_20_INPAINTING", "STABLE_DIFFUSION_20_DEPTH"),
        ),
        Word("sdxl", "STABLE_DIFFUSION_XL_10_BASE", ("STABLE_DIFFUSION_XL_10_BASE_INPAINTING",)),
        Word("anima", "ANIMA"),
        Word("z_image", "Z_IMAGE"),
    ),
    read_only={
        "STABLE_DIFFUSION_3": "sd3", "STABLE_DIFFUSION_35": "sd3", "FLUX_DEV_1": "flux1", "FLUX_FILL_DEV_1": "flux1",
        "FLUX_2": "flux2", "CHROMA_1": "chroma", "QWEN": "qwen_image"
    },
    case_matters=True,
)  # fmt: skip
"""`model_type`: families; those that are never written have no row."""

SD2_V_PREDICTION = "STABLE_DIFFUSION_21"
"""Written for sd2 in place of its word where the base model predicts v."""
V_PREDICTION_TYPES = ("STABLE_DIFFUSION_20", SD2_V_PREDICTION)
"""Models that predict v where nothing else is said."""

NEVER, EPOCH, STEP = "NEVER", "EPOCH", "STEP"
MINUTES = {"MINUTE": 1.0, "HOUR": 60.0, "SECOND": 1 / 60}
"""Units in which OneTrainer counts saves, samples and backups; minutes in one, for those of time."""

OUTPUT_AXIS = "lora_decompose_output_axis"
"""The key for DoRA's lengths by output; without it OneTrainer has them by input."""

REGULARIZATION = "regularization"
"""The name of the concept with regularisation images, by which it is recognised."""
