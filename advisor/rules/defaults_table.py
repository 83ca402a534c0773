"""The table of values that rules start from, by the base model's family, its lineage and the profile."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

from advisor.errors import ModelError
from advisor.plan import Source
from advisor.rules.sources import CIVITAI, COLAB, NOOBAI, OURS, SD_SCRIPTS_SDXL, TUTORIAL
from advisor.settings.config import Preset, TrainingConfig

RANKS_BY_IMAGES = ((100, 128), (50, 64), (0, 32))
"""The tutorial's ranks: from so many pictures on, this rank."""

ANYLORA_LIKE = frozenset({"anylora"})
"""Bases that burn up faster than others."""

NAI_LIKE = frozenset({"nai", "anylora", "anime"})
"""SD1.x bases whose text is read from the last layer but one, since NovelAI's was."""

ANIME_XL = frozenset({"illustrious", "noobai", "animagine", "pony"})
"""SDXL bases that were taught on drawings with tags."""


@dataclass(frozen=True)
class BaseModelDefaults:
    """What is advised for one kind of base model."""

    title: str
    source: Source
    """Where most of it comes from."""
    rate: float
    """The U-Net's learning rate."""
    anylora_rate: float
    """The same for an AnyLoRA-like base and a character."""
    text_rate: float | None
    """The most that the text encoder's rate may be beside half of the learning rate; None: half; 0: not trained."""
    ranks: tuple[tuple[int, int], ...]
    """(pictures, rank): from so many pictures on; the largest first."""
    native_px: int
    resolutions: Mapping[Preset, int]
    """Where they differ from the native size."""
    buckets: tuple[int, int]
    """Shortest and longest side."""
    batches: Mapping[Preset, tuple[int, int]]
    """Least and most pictures in a batch."""
    checkpoints_first: bool
    """Checkpointing is on unless the largest batch fits without it."""
    min_snr_gamma: float
    noise_offset: float
    exposures: int
    """Pictures times repeats in an epoch."""
    shuffles: bool
    """Tags are shuffled, behind the trigger."""
    highest_px: int | None = None
    """Above this resolution the tutorial warns."""
    fixed_clip_skip: int | None = None
    """Where the family reads its text from one layer, whatever is set."""


_BATCHES: Mapping[Preset, tuple[int, int]] = {"cpu": (1, 1), "low": (1, 2), "medium": (2, 4), "high": (4, 6)}
_XL_BATCHES: Mapping[Preset, tuple[int, int]] = {"cpu": (1, 1), "low": (1, 1), "medium": (1, 2), "high": (2, 4)}

SD1_TUTORIAL = BaseModelDefaults(
    title="SD1.x",
    source=TUTORIAL,
    rate=1e-4,
    anylora_rate=7e-5,
    text_rate=None,
    ranks=RANKS_BY_IMAGES,
    native_px=512,
    resolutions={"high": 576},
    buckets=(256, 1024),
    batches=_BATCHES,
    checkpoints_first=False,
    min_snr_gamma=5.0,
    noise_offset=0.0,
    exposures=600,
    shuffles=False,
    highest_px=576,
)
SD1_CURRENT = replace(
    SD1_TUTORIAL,
    source=CIVITAI,
    rate=5e-4,
    anylora_rate=2e-4,
    text_rate=1e-4,
    ranks=((0, 16),),
    resolutions={},
    noise_offset=0.05,
    exposures=300,
    shuffles=True,
)
SD2 = replace(
    SD1_TUTORIAL,
    title="SD2.x",
    source=OURS,
    anylora_rate=1e-4,
    resolutions={},
    highest_px=None,
    fixed_clip_skip=1,
)
SD2_V = replace(SD2, title="SD2.x with v-prediction", native_px=768)
SDXL = replace(
    SD1_TUTORIAL,
    title="SDXL",
    source=SD_SCRIPTS_SDXL,
    rate=1e-4,
    anylora_rate=1e-4,
    text_rate=0.0,
    ranks=((100, 64), (50, 32), (0, 16)),
    native_px=1024,
    resolutions={"cpu": 512, "low": 768},
    buckets=(512, 2048),
    batches=_XL_BATCHES,
    checkpoints_first=True,
    highest_px=None,
    fixed_clip_skip=2,
)
SDXL_ANIME = replace(
    SDXL, title="SDXL anime", source=COLAB, rate=3e-4, anylora_rate=3e-4, noise_offset=0.03, exposures=300
)
SDXL_NOOBAI = replace(SDXL_ANIME, title="SDXL anime, NoobAI", source=NOOBAI)
SDXL_PONY = replace(SDXL_ANIME, title="SDXL anime, Pony", min_snr_gamma=0.0)


def defaults_for(config: TrainingConfig) -> BaseModelDefaults:
    """The defaults for a configuration's base model and profile.

    Raises:
        ModelError: there are no rules of thumb for the family.
    """
    found = _BY_FAMILY.get(config.model.family)
    if found is None:
        raise ModelError(
            f"{config.model.path} is a {config.model.family} model, for which there are no rules of thumb yet: "
            "choose an SD1.x, SD2.x or SDXL base model"
        )
    return found(config)


def _sd1(config: TrainingConfig) -> BaseModelDefaults:
    return SD1_CURRENT if config.run.advice == "current" else SD1_TUTORIAL


def _sd2(config: TrainingConfig) -> BaseModelDefaults:
    return SD2_V if config.model.prediction == "v_prediction" else SD2


def _sdxl(config: TrainingConfig) -> BaseModelDefaults:
    lineage = config.model.lineage
    if lineage not in ANIME_XL:
        return SDXL
    return {"pony": SDXL_PONY, "noobai": SDXL_NOOBAI}.get(lineage, SDXL_ANIME)


_BY_FAMILY: Mapping[str, Callable[[TrainingConfig], BaseModelDefaults]] = {"sd1": _sd1, "sd2": _sd2, "sdxl": _sdxl}

FAMILIES_WITH_RULES = frozenset(_BY_FAMILY)
"""Families that a plan can be made for."""
