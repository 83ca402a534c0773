"""Model families, as code: how each is loaded and called."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from trainer.families.family import TrainerFamily
from trainer.families.sd1 import Sd1
from trainer.families.sd2 import Sd2
from trainer.families.sdxl import Sdxl

FAMILIES: Mapping[str, TrainerFamily] = MappingProxyType({family.name: family for family in (Sd1(), Sd2(), Sdxl())})
"""Every family that is trained, by its name in `advisor.families`."""
