"""Model families, as code: how each is loaded and called."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from trainer.models.families.anima import Anima
from trainer.models.families.family import TrainerFamily
from trainer.models.families.sdxl import Sdxl
from trainer.models.families.stable_diffusion import Sd1, Sd2
from trainer.models.families.z_image import ZImage

TRAINER_FAMILIES: Mapping[str, TrainerFamily] = MappingProxyType(
    {family.name: family for family in (Sd1(), Sd2(), Sdxl(), Anima(), ZImage())}
)
"""Every family that is trained, by its name in `advisor.families`."""
