"""What is measured on a card, in the order of its worth: where the time ends, the rest is left out and named."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

from advisor.families import family as family_facts
from advisor.families.structure import Structure
from advisor.settings.config import TrainingConfig
from tests.support.tiny import TINY_SD1, TINY_SDXL
from tests.support.tiny_anima import TINY_ANIMA

Way = Literal["loracle", "recipe", "compiled"]
"""Our training step; that of diffusers' example script with peft's adapters; ours with the denoiser's blocks compiled.
"""
RANK = 16
TINY: dict[str, Structure] = {"sd1": TINY_SD1, "sdxl": TINY_SDXL, "anima": TINY_ANIMA}
TINY_SIDE_PX = 64


@dataclass(frozen=True)
class Case:
    """One training whose steps are timed."""

    family: str
    side_px: int
    way: Way = "loracle"
    batch_size: int = 1
    dtype: str = "bfloat16"
    base_dtype: str | None = None
    """What the denoiser is kept in; None: the same."""
    checkpointing: bool = False
    text: str = "cached"
    """Or `trained`."""
    swapped: int = 0
    """Of the denoiser's blocks, that wait in the machine's memory."""

    @property
    def name(self) -> str:
        """What tells it apart, e.g. `sd1 512 px batch 1 bfloat16 loracle`."""
        more = [] if self.base_dtype is None else [f"on {self.base_dtype}"]
        more += ["checkpointing"] * self.checkpointing + ["text trained"] * (self.text == "trained")
        more += [f"{self.swapped} blocks swapped"] * (self.swapped > 0)
        return " ".join([f"{self.family} {self.side_px} px batch {self.batch_size} {self.dtype}", *more, self.way])

    def config(self) -> TrainingConfig:
        """As a training would be given it."""
        from trainer.simulate.step import measured_config

        return measured_config(
            self.family,
            batch_size=self.batch_size,
            rank=RANK,
            text=self.text,
            checkpointing=self.checkpointing,
            dtype=self.dtype,
            base_dtype=self.base_dtype,
            dataset={"resolution_px": self.side_px},
            memory={"swapped_blocks": self.swapped},
        )

    def structure(self, *, tiny: bool) -> Structure:
        """The published model's, or one that a processor trains in a moment."""
        found = TINY[self.family] if tiny else family_facts(self.family).standard
        assert found is not None
        return found


def _both(family: str, side_px: int, **settings: Any) -> tuple[Case, ...]:
    """Ours and the recipe, one after the other."""
    return Case(family, side_px, **settings), Case(family, side_px, "recipe", **settings)


CASES: tuple[Case, ...] = (
    *_both("sdxl", 1024, checkpointing=True),
    *_both("sd1", 512),
    Case("anima", 1024, checkpointing=True),
    *_both("sdxl", 1024),
    *_both("sd1", 512, text="trained"),
    Case("sdxl", 1024, checkpointing=True, base_dtype="int8"),
    Case("sdxl", 1024, checkpointing=True, base_dtype="nf4"),
    Case("anima", 1024, checkpointing=True, swapped=28),
    *_both("sdxl", 1024, batch_size=4, checkpointing=True),
    *_both("sd1", 512, batch_size=4),
    Case("anima", 1024),
    Case("anima", 1024, checkpointing=True, base_dtype="int8"),
    Case("sdxl", 1024, checkpointing=True, swapped=60),
    Case("sdxl", 1024, checkpointing=True, base_dtype="int8", swapped=60),
    Case("anima", 512),
    *_both("sd1", 512, dtype="float16"),
    Case("sdxl", 1024, checkpointing=True, dtype="float16"),
    Case("sd1", 512, "compiled"),
    Case("sdxl", 1024, "compiled"),
    Case("anima", 1024, batch_size=4, checkpointing=True),
    Case("sd1", 512, checkpointing=True),
    Case("sd1", 512, dtype="float32"),
    Case("sd1", 512, base_dtype="int8"),
    Case("sd1", 512, base_dtype="nf4"),
    *_both("sdxl", 1024),
    *_both("sd1", 512),
)
"""The two pairs that matter most come twice: what differs between their two times is noise."""


def chosen(families: tuple[str, ...]) -> tuple[Case, ...]:
    """Those of some families; all where none is named."""
    return tuple(case for case in CASES if not families or case.family in families)
