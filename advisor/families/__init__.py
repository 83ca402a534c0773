"""Model families: facts about each architecture, one file for each that can be trained, one table for the rest."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from advisor.errors import ModelError
from advisor.families.about import ABOUT
from advisor.families.anima import ANIMA
from advisor.families.family import Family
from advisor.families.recognised import RECOGNISED
from advisor.families.sd1 import SD1
from advisor.families.sd2 import SD2
from advisor.families.sdxl import SDXL, SDXL_REFINER
from advisor.families.z_image import Z_IMAGE

KNOWN_FAMILIES: Mapping[str, Family] = MappingProxyType(
    {family.name: family for family in (ANIMA, Z_IMAGE, *RECOGNISED, SDXL_REFINER, SD2, SDXL, SD1)}
)
"""By name, in the order in which they are tried on a file."""


def family(name: str) -> Family:
    """The family of that name.

    Raises:
        ModelError: there is none.
    """
    if name not in KNOWN_FAMILIES:
        raise ModelError(f"there is no model family {name!r}: known are {', '.join(sorted(KNOWN_FAMILIES))}")
    return KNOWN_FAMILIES[name]


def why_not_trainable(known: Family) -> str:
    """One honest sentence for a family that is recognised only; empty where it trains."""
    if known.trainable:
        return ""
    *others, last = sorted(other.title for other in KNOWN_FAMILIES.values() if other.trainable)
    able = f"{', '.join(others)} and {last}"
    title = known.title[0].upper() + known.title[1:]
    about = ABOUT.get(known.name)
    good = "" if about is None else f" ({title}: {about.sentence})"
    return f"{title} is recognised, but this version trains {able} only: choose such a base model{good}"
