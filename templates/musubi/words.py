"""musubi-tuner's words for our values where they are other than sd-scripts', read in both directions.

Observed on musubi-tuner of June 2026: its `zimage_train_network.py`, `networks` and data set's TOML.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import get_args

from advisor.settings.config import ScheduleName
from templates.kohya.words import MIXED_PRECISIONS, SAVE_PRECISIONS
from templates.vocabulary import Vocabulary, Word

FAMILIES = Vocabulary(
    (Word("z_image", "zimage_train_network.py"),),
    read_only={
        "qwen_image_train_network.py": "qwen_image", "flux_kontext_train_network.py": "flux1",
        "flux_2_train_network.py": "flux2", "wan_train_network.py": "wan", "hv_train_network.py": "hunyuan_video",
        "krea2_train_network.py": "krea2",
    },
)  # fmt: skip
"""The script that trains a family; families without a row are not written."""

NETWORK_MODULES = Vocabulary(
    (Word("lora", "networks.lora_zimage"), Word("loha", "networks.loha"), Word("lokr", "networks.lokr")),
    lacks=("locon", "dora"),
    case_matters=True,
)
"""`network_module`."""
PLAIN_MODULES = "networks.lora_"
"""What the modules of plain LoRA begin with, each of which is for one family."""

OPTIMIZERS = Vocabulary(
    (
        Word("adamw", "AdamW", ("torch.optim.AdamW",)),
        Word("adamw8bit", "AdamW8bit", ("bitsandbytes.optim.AdamW8bit",)),
        Word("adafactor", "Adafactor", ("transformers.optimization.Adafactor",)),
        Word("prodigy", "prodigyopt.Prodigy"),
        Word("lion", "lion_pytorch.Lion"),
        Word("came", "pytorch_optimizer.CAME", ("came_pytorch.CAME",)),
        Word("schedule_free_adamw", "schedulefree.AdamWScheduleFree"),
    ),
    near_by_part=(
        ("paged", "adamw8bit"), ("dadapt", "prodigy"), ("prodigy", "prodigy"), ("lion", "lion"), ("came", "came"),
        ("adafactor", "adafactor"), ("8bit", "adamw8bit"), ("adam", "adamw"),
    ),
)  # fmt: skip
"""`optimizer_type`: a name that it knows, or a class with its package, which may have to be installed."""

SCHEDULES = Vocabulary(
    tuple(Word(name, name) for name in get_args(ScheduleName) if name != "piecewise_constant"),
    lacks=("piecewise_constant",),
    near={"rex": "cosine"},
)
LOSSES = Vocabulary((Word("l2", "mse"),), lacks=("l1", "huber", "smooth_l1"))
"""It has one loss, and no argument for it."""
SAMPLERS = Vocabulary((Word("euler", "euler"),), lacks=("ddim", "euler_a", "dpmpp_2m", "dpmpp_2m_karras", "unipc"))
"""It draws with Euler's method, and has no argument for it."""

SETTING_WORDS: Mapping[str, tuple[Vocabulary, ...]] = {
    "network.kind": (NETWORK_MODULES,),
    "optimizer.name": (OPTIMIZERS,),
    "schedule.name": (SCHEDULES,),
    "loss.kind": (LOSSES,),
    "memory.compute_dtype": (MIXED_PRECISIONS,),
    "saving.dtype": (SAVE_PRECISIONS,),
    "sampling.sampler": (SAMPLERS,),
}
"""The settings whose values are words, and where the export looks them up; a value that has none is refused."""

MOST_SWAPPED = 28
"""Blocks of the 30 that may wait in the machine's memory."""
SIZE_STEP_PX = 16
"""Sides of its sizes are multiples of this."""
PREFIXES = ("",)
"""What may stand before the names in a denoiser's file."""
