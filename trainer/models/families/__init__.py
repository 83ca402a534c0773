"""Model families, as code: how each is loaded and called."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from trainer.models.families.family import TrainerFamily
from trainer.models.families.sd1 import Sd1
from trainer.models.families.sd2 import Sd2
from trainer.models.families.sdxl import Sdxl

FAMILIES: Mapping[str, TrainerFamily] = MappingProxyType({family.name: family for family in (Sd1(), Sd2(), Sdxl())})
"""Every family that is trained, by its name in `advisor.families`."""
