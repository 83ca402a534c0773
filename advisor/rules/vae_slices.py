"""The VAE's work in slices of a picture where whole pictures would not fit into memory."""

from __future__ import annotations

from dataclasses import dataclass

from advisor.dataset.buckets import Size
from advisor.estimate.vram import Phase, phase_bytes
from advisor.facts import Facts
from advisor.rules.card_class import structure_of
from advisor.settings.config import TrainingConfig, changed

NUMBERS = (2, 3, 4, 6, 8)
"""Of slices that are tried: each of eight has a quarter of 1024 px, and each of more little less."""


@dataclass(frozen=True)
class VaeWork:
    """What the VAE does in one phase of a run."""

    path: str
    """Of the setting that says in how many slices."""
    phase: Phase
    doing: str
    """As a word for sentences."""
    size: Size | None
    """Of the largest picture; None: the resolution's square."""

    def needed_bytes(self, facts: Facts, config: TrainingConfig, slices: int) -> int:
        """Peak bytes of the phase in so many slices."""
        return phase_bytes(self.phase, changed(config, self.path, slices), structure_of(facts), size=self.size)


DRAWING = VaeWork("memory.decode_slices", "sampling", "drawing", None)
"""Pictures that are drawn are squares."""


def encoding(size: Size | None) -> VaeWork:
    """Encoding the pictures, the largest of which has this size."""
    return VaeWork("memory.encode_slices", "caching", "encoding", size)


def with_slices(facts: Facts, config: TrainingConfig, size: Size | None, most_bytes: float) -> TrainingConfig:
    """The configuration with as few slices as fit, but for what the user chose; where none do, pictures stay whole.

    Args:
        size: of the largest picture that is trained.
        most_bytes: that encoding, or drawing between two steps, may take.
    """
    for work in (encoding(size), DRAWING):
        if work.path not in facts.chosen_paths:
            fitting = (number for number in (1, *NUMBERS) if work.needed_bytes(facts, config, number) <= most_bytes)
            config = changed(config, work.path, next(fitting, 1))
    return config
