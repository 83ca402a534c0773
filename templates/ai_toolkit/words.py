"""ai-toolkit's words for our values, read in both directions.

A row is our value, the word that is written for it, and the other spellings that are read.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import get_args

from advisor.settings.config import Dtype
from templates.vocabulary import Vocabulary, Word

OPTIMIZERS = Vocabulary(
    (
        Word("adamw", "adamw"),
        Word("adamw8bit", "adamw8bit"),
        Word("adafactor", "adafactor"),
        Word("prodigy", "prodigy"),
        Word("lion", "lion"),
    ),
    lacks=("came", "schedule_free_adamw"),
    near_by_part=(
        ("adamw8", "adamw8bit"), ("adam8bit", "adamw8bit"), ("adam8", "adamw8bit"), ("prodigy", "prodigy"),
        ("dadapt", "prodigy"), ("lion", "lion"), ("adam", "adamw"), ("automagic", "adafactor"),
    ),
)  # fmt: skip

SCHEDULES = Vocabulary(
    (
        Word("constant", "constant"),
        Word("constant_with_warmup", "constant_with_warmup"),
        Word("linear", "linear"),
        Word("cosine", "cosine"),
        Word("cosine_with_restarts", "cosine_with_restarts"),
        Word("cosine_with_min_lr", "cosine", decided_by="lr_scheduler_params.eta_min"),
    ),
    lacks=("polynomial", "inverse_sqrt", "warmup_stable_decay", "piecewise_constant", "adafactor"),
    otherwise="constant",
)

SAMPLERS = Vocabulary(
    (
        Word("ddim", "ddim"),
        Word("euler", "euler", ("k_euler", "flowmatch")),
        Word("euler_a", "euler_a"),
        Word("dpmpp_2m", "dpmsolver++", ("dpmsolver",)),
        Word("dpmpp_2m_karras", "dpmsolver++", is_near=True),
        Word("unipc", "ddim", is_near=True),
    ),
    otherwise="ddim",
)

LOSSES = Vocabulary(
    (Word("l2", "mse"), Word("l1", "mae")),
    lacks=("huber", "smooth_l1"),
    read_only={"pseudo_huber": "huber"},
)

TRAIN_DTYPES = Vocabulary(
    (
        Word("float32", "fp32", ("float32", "float")),
        Word("float16", "fp16", ("float16",)),
        Word("bfloat16", "bf16", ("bfloat16",)),
    )
)
"""What the step computes in."""

MODEL_DTYPES = Vocabulary(
    (
        Word("float32", "float32", ("fp32", "float")),
        Word("float16", "float16", ("fp16",)),
        Word("bfloat16", "bfloat16", ("bf16",)),
        Word("int8", "bfloat16", is_near=True),
        Word("nf4", "bfloat16", is_near=True),
    )
)
"""What the base model is kept in."""
SAVE_DTYPES = MODEL_DTYPES.only(get_args(Dtype))
"""What a LoRA is saved in."""

KINDS = Vocabulary(
    (Word("lora", "lora"), Word("locon", "lora", ("locon",), decided_by="network.conv"), Word("lokr", "lokr")),
    lacks=("loha", "dora"),
    read_only={"dora": "dora"},
)

FAMILIES = Vocabulary(
    (
        Word("sd1", "sd1"), Word("sd2", "sd2", ("v2",)), Word("sdxl", "sdxl", ("xl",)), Word("anima", "anima"),
        Word("z_image", "zimage"),
    ),
    read_only={
        "sd3": "sd3", "v3": "sd3", "flux": "flux1", "flux2": "flux2", "lumina2": "lumina2", "qwen_image": "qwen_image",
        "chroma": "chroma", "wan21": "wan", "auraflow": "auraflow",
    },
)  # fmt: skip
"""`model.arch`, and what follows `is_` in its older tick boxes; families that are never written have no row."""

SETTING_WORDS: Mapping[str, tuple[Vocabulary, ...]] = {
    "model.family": (FAMILIES,),
    "network.kind": (KINDS,),
    "optimizer.name": (OPTIMIZERS,),
    "schedule.name": (SCHEDULES,),
    "loss.kind": (LOSSES,),
    "memory.base_dtype": (MODEL_DTYPES,),
    "memory.compute_dtype": (TRAIN_DTYPES,),
    "saving.dtype": (SAVE_DTYPES,),
    "sampling.sampler": (SAMPLERS,),
}
"""The settings whose values are words, and where the export looks them up; a value that has none is refused."""

FLOW_MATCHING = "flowmatch"
"""`noise_scheduler` and `sampler` of such a base model."""
EVENLY, SIGMOID, SHIFTED, WEIGHTED = "linear", "sigmoid", "shift", "weighted"
"""`timestep_type`: all alike, a sigmoid of the normal distribution, all alike and shifted by 3, weighed by a table."""
FIXED_SHIFT = 3.0
"""What SHIFTED shifts by."""
INT8 = "int8"
"""`qtype` of a base model in 8 bits."""

PROCESS = "sd_trainer"
PROCESS_TYPES = (PROCESS, "diffusion_trainer", "ui_trainer")
"""`type` of a process that trains a LoRA or a model; the first is written."""

LAST_TIMESTEP = 999
"""`min_denoising_steps` and `max_denoising_steps` count from here down."""
KEEP_ALL = 100_000
"""More saves than any training makes: ai-toolkit always keeps so many and no more."""
