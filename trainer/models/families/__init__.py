"""Model families, as code: how each is loaded and called."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from importlib import import_module

from trainer.models.families.family import TrainerFamily

MODULES = {
    "sd1": ("stable_diffusion", "Sd1"),
    "sd2": ("stable_diffusion", "Sd2"),
    "sdxl": ("sdxl", "Sdxl"),
    "anima": ("anima", "Anima"),
    "z_image": ("z_image", "ZImage"),
}
"""For each family's name in `advisor.families` the module here and its class."""


class _Families(Mapping[str, TrainerFamily]):
    """The families; a module, and the networks that it imports, is read when its family is asked for."""

    def __init__(self) -> None:
        self._made: dict[str, TrainerFamily] = {}

    def __getitem__(self, name: str) -> TrainerFamily:
        if name not in self._made:
            module, kind = MODULES[name]
            self._made[name] = getattr(import_module(f"{__name__}.{module}"), kind)()
        return self._made[name]

    def __contains__(self, name: object) -> bool:
        return name in MODULES

    def __iter__(self) -> Iterator[str]:
        return iter(MODULES)

    def __len__(self) -> int:
        return len(MODULES)


TRAINER_FAMILIES: Mapping[str, TrainerFamily] = _Families()
"""Every family that is trained, by its name in `advisor.families`."""
