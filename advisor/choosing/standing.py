"""What an epoch at a weight is worth, by what its user wants of it: the character where it is asked for and only there,
the rest of the prompt obeyed, and everything else as the base model has it.

All of it is multiplied: where one thing is lost altogether, nothing of the others makes up for it.
"""

from __future__ import annotations

from dataclasses import dataclass

from advisor.choosing.averages import Averages, Key
from advisor.choosing.resampling import Samples, combined


@dataclass(frozen=True)
class Standing:
    """One epoch at one weight."""

    epoch: int
    weight: float
    likeness: Samples
    """0: as the base model's pictures, 1: as the set's own."""
    obedience: Samples | None
    """1: prompts are followed as well as by the base model; the lower of that with the trigger and that without it."""
    leak: Samples | None
    """0: pictures without the trigger are the base's own, 1: they are other pictures altogether."""
    unasked: Samples | None
    """The likeness at the prompt without the trigger that has least of it; None: there are not two such."""
    kept: Samples
    """What is left of what the base model can, 0..1: obedience x (1 - leak), each 1 where it was not measured."""
    spared: Samples
    """Kept x (1 - the likeness of pictures without the trigger, where it was measured by two prompts)."""
    worth: Samples
    """Likeness x spared."""

    @property
    def key(self) -> Key:
        """Epoch and weight."""
        return self.epoch, self.weight


def standings(averages: Averages) -> tuple[Standing, ...]:
    """Of each epoch and weight whose likeness is known, in order."""
    return tuple(_standing(averages, key) for key in averages.keys)


def _standing(averages: Averages, key: Key) -> Standing:
    likeness, unasked = averages.get("likeness", key), averages.least_unasked.get(key)
    assert likeness is not None
    obedience = _lower(averages.get("obedience", key), averages.get("obedience_unasked", key))
    leak = averages.get("leak", key)
    elsewhere = None if unasked is None else averages.get("likeness_unasked", key)
    nothing, all_of_it = (0.0,) * len(likeness), (1.0,) * len(likeness)
    kept = combined(
        lambda obeys, leaks: _share(obeys) * _share(1 - leaks), obedience or all_of_it, leak or nothing
    )  # fmt: skip
    spared = combined(lambda keeps, anyway: keeps * _share(1 - anyway), kept, elsewhere or nothing)
    return Standing(*key, likeness, obedience, leak, unasked, kept, spared, worth_of(likeness, spared))


def worth_of(likeness: Samples, spared: Samples) -> Samples:
    """The product of both."""
    return combined(lambda like, rest: _share(like) * rest, likeness, spared)


def _lower(one: Samples | None, other: Samples | None) -> Samples | None:
    return combined(min, one, other) if one is not None and other is not None else one or other


def _share(value: float) -> float:
    """Cut to 0..1: being nearer to the set than its own pictures are to one another is no gain."""
    return min(1.0, max(0.0, value))
