"""kohya's words for our values, read in both directions: the GUI's JSON, sd-scripts' TOML and a LoRA's metadata.

A row is our value, the word that is written for it, and the other spellings that are read.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import get_args

from advisor.settings.config import HuberSchedule, LossKind, ScheduleName
from templates.vocabulary import Vocabulary, Word

OPTIMIZERS = Vocabulary(
    (
        Word("adamw", "AdamW", ("torch.optim.AdamW", "torch.optim.adamw.AdamW")),
        Word("adamw8bit", "AdamW8bit", ("bitsandbytes.optim.adamw.AdamW8bit",)),
        Word("adafactor", "Adafactor", ("transformers.optimization.Adafactor",)),
        Word("prodigy", "Prodigy", ("prodigyopt.prodigy.Prodigy",)),
        Word("lion", "Lion", ("lion_pytorch.lion_pytorch.Lion",)),
        Word("came", "pytorch_optimizer.CAME", ("CAME",)),
        Word("schedule_free_adamw", "AdamWScheduleFree", ("schedulefree.AdamWScheduleFree", "schedule_free_adamw")),
    ),
    near_by_part=(
        ("paged", "adamw8bit"), ("dadapt", "prodigy"), ("prodigy", "prodigy"), ("lion", "lion"), ("came", "came"),
        ("adafactor", "adafactor"), ("8bit", "adamw8bit"), ("adam", "adamw"),
    ),
)  # fmt: skip

FIXED_ADAFACTOR = ("scale_parameter=False", "relative_step=False", "warmup_init=False")
"""Without these sd-scripts lets Adafactor choose the learning rate, whatever was given; ours always keeps to it."""

SCHEDULES = Vocabulary.same_as_ours(get_args(ScheduleName))
LOSSES = Vocabulary.same_as_ours(get_args(LossKind))
HUBER_SCHEDULES = Vocabulary.same_as_ours(get_args(HuberSchedule))

SAMPLERS = Vocabulary(
    (
        Word("ddim", "ddim"),
        Word("euler", "euler"),
        Word("euler_a", "euler_a"),
        Word("dpmpp_2m", "dpmsolver++"),
        Word("dpmpp_2m_karras", "dpmsolver++", is_near=True),
        Word("unipc", "ddim", is_near=True),
    ),
    near={"k_euler": "euler", "k_euler_a": "euler_a", "dpmsolver": "dpmpp_2m", "dpmsingle": "dpmpp_2m"},
    otherwise="ddim",
)

MIXED_PRECISIONS = Vocabulary(
    (
        Word("float32", "no", ("float", "fp32")),
        Word("float16", "fp16"),
        Word("bfloat16", "bf16"),
    )
)
"""What the step computes in. The base model is kept in the same type, so int8 and nf4 have no word."""

SAVE_PRECISIONS = Vocabulary(
    (
        Word("float32", "float", ("fp32", "no")),
        Word("float16", "fp16"),
        Word("bfloat16", "bf16"),
    )
)

GUI_KINDS = Vocabulary(
    (
        Word("lora", "Standard", ("Flux1", "Anima", "Lumina", "HunyuanImage-2.1")),
        Word("locon", "Kohya LoCon", ("LyCORIS/LoCon", "LoCon")),
        Word("loha", "LyCORIS/LoHa", ("Kohya LoHa",)),
        Word("lokr", "LyCORIS/LoKr", ("Kohya LoKr",)),
        Word("dora", "LyCORIS/LoCon", decided_by="dora_wd"),
    ),
    near={
        "Kohya DyLoRA": "lora", "LyCORIS/DyLoRA": "locon", "LoRA-FA": "lora", "LyCORIS/GLoRA": "locon",
        "LyCORIS/iA3": "lora", "LyCORIS/BOFT": "lora", "LyCORIS/Diag-OFT": "lora",
        "LyCORIS/Native Fine-Tuning": "lora", "Flux1 OFT": "lora",
    },
)  # fmt: skip
"""The GUI's `LoRA_type`; those named after a family of models are plain LoRA."""

LYCORIS_TYPES = "lycoris/"
"""What the GUI's kinds begin with, in lower case, that need the LyCORIS package."""

LYCORIS_MODULE = "lycoris.kohya"
NETWORK_MODULES = Vocabulary(
    (
        Word(
            "lora", "networks.lora",
            (
                "networks.lora_flux", "networks.lora_sd3", "networks.lora_lumina", "networks.lora_anima",
                "networks.lora_zimage",
            ),
        ),
        Word("locon", "networks.lora", (LYCORIS_MODULE,), decided_by="conv_dim"),
        Word("loha", LYCORIS_MODULE, ("networks.loha",), decided_by="algo"),
        Word("lokr", LYCORIS_MODULE, ("networks.lokr",), decided_by="algo"),
        Word("dora", LYCORIS_MODULE, decided_by="dora_wd"),
    ),
    case_matters=True,
)  # fmt: skip
"""sd-scripts' `network_module`; `decided_by` names one of its `network_args`."""

ALGORITHMS = Vocabulary(
    (
        Word("locon", "locon", ("lora", "dylora")),
        Word("loha", "loha"),
        Word("lokr", "lokr"),
        Word("dora", "locon", decided_by="dora_wd"),
    ),
    lacks=("lora",),
)
"""LyCORIS' `algo` among the `network_args`; what it calls lora adapts convolutions too."""

ANIMA = "anima"
ANIMA_GUI_KINDS: Mapping[str, str] = {"lora": "Anima", "loha": "Kohya LoHa", "lokr": "Kohya LoKr"}
"""By our kind: the GUI's `LoRA_type` for Anima, for which it takes no others."""

LYCORIS_TRANSFORMERS, LYCORIS_ALL = "attn-mlp", "full"
"""LyCORIS presets: the layers that a plain LoRA adapts, or those and the convolutions."""

SETTING_WORDS: Mapping[str, tuple[Vocabulary, ...]] = {
    "network.kind": (GUI_KINDS, NETWORK_MODULES),
    "optimizer.name": (OPTIMIZERS,),
    "schedule.name": (SCHEDULES,),
    "loss.kind": (LOSSES,),
    "loss.huber_schedule": (HUBER_SCHEDULES,),
    "memory.compute_dtype": (MIXED_PRECISIONS,),
    "saving.dtype": (SAVE_PRECISIONS,),
    "sampling.sampler": (SAMPLERS,),
}
"""The settings whose values are words, and where both exports look them up; a value that one lacks is refused."""

SCRIPTS = Vocabulary(
    (
        Word("sd1", "train_network.py"),
        Word("sd2", "train_network.py", decided_by="v2"),
        Word("sdxl", "sdxl_train_network.py"),
        Word("anima", "anima_train_network.py"),
    ),
    read_only={"flux_train_network.py": "flux1", "sd3_train_network.py": "sd3"},
    case_matters=True,
)
"""The script of sd-scripts that trains a family; families without one are not written."""

FAMILY_TICKS: Mapping[str, str] = {
    "flux1_checkbox": "flux1", "sd3_checkbox": "sd3", "lumina_checkbox": "lumina2", "anima_checkbox": "anima",
    "hunyuan_image_checkbox": "hunyuan_image", "sdxl": "sdxl", "sdxl_checkbox": "sdxl", "v2": "sd2",
}  # fmt: skip
"""Tick boxes of the GUI that name the family; of several that are ticked the first counts. Without one: sd1."""

BASE_MODEL_VERSIONS = (
    ("sdxl", "sdxl"), ("sd_v2", "sd2"), ("sd_v1", "sd1"), ("flux", "flux1"), ("sd3", "sd3"), ("anima", "anima"),
    ("lumina", "lumina2"), ("hunyuan_image", "hunyuan_image"), ("z_image", "z_image"),
)  # fmt: skip
"""Beginnings of `ss_base_model_version` in a LoRA's metadata -> family."""

BLOCKS: Mapping[str, tuple[int, int, int]] = {"sd1": (12, 1, 12), "sd2": (12, 1, 12), "sdxl": (9, 3, 9)}
"""By family: blocks of the U-Net going down, in the middle and going up, as sd-scripts counts them for rates."""

BLOCK_RATES = ("down_lr_weight", "mid_lr_weight", "up_lr_weight")
"""The keys of their rates, in the same order."""

VISIBLE_DEVICES = "CUDA_VISIBLE_DEVICES"
"""The environment variable before the launch line that names the GPU."""
CUDA_PREFIXES = ("GPU-", "MIG-")
"""Beginnings of identifiers that CUDA takes in place of a GPU's number."""

MULTIRES_NOISE, ORIGINAL_NOISE = "Multires", "Original"
"""The GUI's `noise_offset_type`: which of its two kinds of noise it looks at."""
