"""The table of values that rules start from, by the base model's family, its lineage and the profile."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

from advisor.errors import ModelError
from advisor.plan import Source
from advisor.rules.sources import (
    ANIMA_STUDIO,
    CIVITAI_ANIMA,
    CIVITAI_Z_IMAGE,
    COLAB,
    COLAB_XL,
    COMFYUI_COSMOS,
    COMFYUI_Z_IMAGE,
    MUSUBI_Z_IMAGE,
    OURS,
    SD_SCRIPTS_ADVANCED,
    SD_SCRIPTS_ANIMA,
    TUTORIAL,
    Z_IMAGE_MAKERS,
)
from advisor.settings.config import Preset, TrainingConfig

RANKS_BY_IMAGES = ((100, 128), (50, 64), (0, 32))
"""The tutorial's ranks: from so many pictures on, this rank."""

ANYLORA_LIKE = frozenset({"anylora"})
"""Bases that burn up faster than others."""

EFFECTIVE_BATCH = 4
"""Pictures in a step on every card: the least of the tutorial's 4 to 6. A smaller batch is accumulated to it, so that
rate, steps and exposures mean the same whatever the card (docs/decisions/0033-one-effective-batch.md)."""

NAI_LIKE = frozenset({"nai", "anylora", "anime"})
"""SD1.x bases whose text is read from the last layer but one, since NovelAI's was."""

ANIME_XL = frozenset({"illustrious", "noobai", "animagine", "pony"})
"""SDXL bases that were taught on drawings with tags."""


@dataclass(frozen=True)
class Drawing:
    """How a base draws pictures that are good enough to judge by."""

    steps: int
    guidance: float
    sampler: str
    why_guidance: str = "what most programs draw with"
    why_sampler: str = "the same noise gives the same picture"


DRAWING = Drawing(steps=20, guidance=7.0, sampler="ddim")
"""Stable Diffusion's."""


@dataclass(frozen=True)
class BaseModelDefaults:
    """What is advised for one kind of base model."""

    title: str
    source: Source
    """Where its rates come from."""
    rate: float
    """The denoiser's learning rate."""
    anylora_rate: float
    """The same for an AnyLoRA-like base and a character."""
    text_share: float
    """The text encoder's rate over the learning rate; 0: not trained."""
    why_rate: str
    """Where that rate stands among others', for the sentence to the user."""
    ranks: tuple[tuple[int, int], ...]
    """(pictures, rank): from so many pictures on; the largest first."""
    native_px: int
    resolutions: Mapping[Preset, int]
    """Where they differ from the native size."""
    buckets: tuple[int, int]
    """Shortest and longest side."""
    checkpoints_on_cpu: bool
    """A processor shares its memory with all else that runs, so that a large base is checkpointed there anyway."""
    min_snr_gamma: float
    noise_offset: float
    exposures: int
    """Pictures times repeats in an epoch."""
    shuffles: bool
    """Tags are shuffled, behind the trigger."""
    highest_px: int | None = None
    """Above this resolution the tutorial warns."""
    notebook: Source = COLAB
    """Of hollowstrawberry's notebooks the one for the family, which has values for styles too; else ours."""
    text_if_trained: str = ""
    """Where the text encoder is not trained: the rates that it is trained at by those who do."""
    fixed_clip_skip: int | None = None
    """Where the family reads its text from one layer, whatever is set."""
    denoiser: str = "U-Net"
    """What is trained, for sentences to the user."""
    alpha_is_rank: bool = False
    """Alpha is the rank itself and not half of it."""
    why_alpha: str = ""
    """Why, where it is."""
    alpha_source: Source | None = None
    """Who says so, where it is not who the rates come from."""
    why_order: str = ""
    """Where captions keep their order: why, if it means something to the base."""
    order_source: Source = OURS
    timestep_shift: float = 1.0
    why_shift: str = ""
    """Where the shift stands among others', for flow matching."""
    shift_source: Source = OURS
    drawing: Drawing = DRAWING
    """How pictures are drawn while it trains."""
    float16_source: Source | None = None
    """Who says that float16 overflows in it; None: it does not."""


SD1_TUTORIAL = BaseModelDefaults(
    title="SD1.x",
    source=TUTORIAL,
    rate=1e-4,
    anylora_rate=7e-5,
    text_share=0.5,
    why_rate="slow pace, few errors: the tutorial starts here; most today take 5e-4",
    ranks=RANKS_BY_IMAGES,
    native_px=512,
    resolutions={"high": 576},
    buckets=(256, 1024),
    checkpoints_on_cpu=False,
    min_snr_gamma=5.0,
    noise_offset=0.0,
    exposures=600,
    shuffles=False,
    highest_px=576,
)
SD1_CURRENT = replace(
    SD1_TUTORIAL,
    source=COLAB,
    rate=5e-4,
    anylora_rate=2e-4,
    text_share=0.2,
    why_rate="the notebook's rate and civitai's, five times the tutorial's 1e-4",
    ranks=((0, 16),),
    resolutions={},
    noise_offset=0.05,
    exposures=300,
    shuffles=True,
)
SD2 = replace(
    SD1_TUTORIAL,
    title="SD2.x",
    why_rate="no source has numbers for SD2.x: the tutorial's for SD1.x",
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
    source=SD_SCRIPTS_ADVANCED,
    notebook=COLAB_XL,
    text_if_trained="1e-5 to 2e-5",
    rate=1e-4,
    anylora_rate=1e-4,
    text_share=0.0,
    why_rate="where kohya's documents start, 4e-5 to 1e-4; civitai takes 5e-4",
    ranks=((50, 32), (0, 16)),
    native_px=1024,
    resolutions={"cpu": 512},
    buckets=(512, 2048),
    checkpoints_on_cpu=True,
    highest_px=None,
    fixed_clip_skip=2,
)
SDXL_ANIME = replace(
    SDXL,
    title="SDXL anime",
    source=COLAB_XL,
    why_rate="the notebook's rate; civitai takes 5e-4",
    text_if_trained="at most 6e-5",
    rate=3e-4,
    anylora_rate=3e-4,
    noise_offset=0.03,
    exposures=300,
)
SDXL_PONY = replace(SDXL_ANIME, title="Pony", min_snr_gamma=0.0)
ANIMA = replace(
    SDXL,
    title="Anima",
    source=CIVITAI_ANIMA,
    notebook=OURS,
    text_if_trained="",
    why_rate="civitai's rate and that of kohya's example; with many pictures others go down to 3e-5",
    ranks=((0, 32),),
    min_snr_gamma=0.0,
    fixed_clip_skip=1,
    denoiser="transformer",
    alpha_is_rank=True,
    why_alpha="as civitai trains Anima at this rate",
    why_order="Anima learned its tags in an order: quality, how many, character, series, artist, all else",
    order_source=ANIMA_STUDIO,
    why_shift="no shift, as kohya's trainer, OneTrainer and diffusion-pipe train Anima; some take 3, more of the shape",
    shift_source=SD_SCRIPTS_ANIMA,
    drawing=Drawing(
        steps=30,
        guidance=4.5,
        sampler="euler",
        why_guidance="what Anima's makers draw with",
        why_sampler="flow matching is drawn with Euler's method",
    ),
    float16_source=COMFYUI_COSMOS,
)


Z_IMAGE = replace(
    ANIMA,
    title="Z-Image",
    source=MUSUBI_Z_IMAGE,
    why_rate="musubi-tuner's rate, and that of ai-toolkit's guides; OneTrainer takes 3e-4",
    why_alpha="as civitai trains Z-Image",
    alpha_source=CIVITAI_Z_IMAGE,
    why_order="Z-Image learned sentences, whose words stay in their order",
    order_source=Z_IMAGE_MAKERS,
    timestep_shift=2.0,
    why_shift="musubi-tuner's shift: more of the shape, less of the detail; others leave it at 1",
    shift_source=MUSUBI_Z_IMAGE,
    drawing=replace(
        ANIMA.drawing,
        guidance=5.0,
        why_guidance="what musubi-tuner draws with, which calls it 4; the makers take 3 to 5",
    ),
    float16_source=COMFYUI_Z_IMAGE,
)


def defaults_for(config: TrainingConfig) -> BaseModelDefaults:
    """The defaults for a configuration's base model and profile.

    Raises:
        ModelError: there are no rules of thumb for the family.
    """
    found = _BY_FAMILY.get(config.model.family)
    if found is None:
        raise ModelError(
            f"{config.model.path} is a {config.model.family} model, for which there are no rules of thumb yet: "
            "choose an SD1.x, SD2.x, SDXL, Anima or Z-Image base model"
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
    return SDXL_PONY if lineage == "pony" else SDXL_ANIME


_BY_FAMILY: Mapping[str, Callable[[TrainingConfig], BaseModelDefaults]] = {
    "sd1": _sd1, "sd2": _sd2, "sdxl": _sdxl, "anima": lambda _: ANIMA, "z_image": lambda _: Z_IMAGE,
}  # fmt: skip

WITHOUT_TUTORIAL: Mapping[str, str] = {
    "sd2": "no source has numbers for SD2.x: by either advice you get the tutorial's for SD1.x",
    "sdxl": "the tutorial has no numbers for SDXL: by either advice you get what kohya and the notebooks take",
    "anima": "the tutorial has no numbers for Anima: by either advice you get what civitai and kohya's trainer take",
    "z_image": "the tutorial has no numbers for Z-Image: by either advice you get what musubi-tuner and civitai take",
}
"""Families that the tutorial has no numbers for, and the sentence that says so: their values are the same by either
advice."""

FAMILIES_WITH_RULES = frozenset(_BY_FAMILY)
"""Families that a plan can be made for."""
