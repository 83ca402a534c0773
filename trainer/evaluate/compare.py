"""The measures of a picture, each against the pictures that it has to be compared with."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import TypeAlias

import torch

from advisor.choosing.cells import BASE_EPOCH, Cell, MeasureName
from trainer.evaluate.colours import SAME_COLOUR
from trainer.evaluate.damage import UsualLooks, UsualParts
from trainer.evaluate.drawn import Drawn
from trainer.evaluate.seen import Seen
from trainer.evaluate.shared_parts import Angle, Comparison, Nearness, Parts, SharedParts

Place: TypeAlias = tuple[int, int]
"""A prompt's number and a seed."""
Pictures: TypeAlias = Mapping[Place, Seen]

UNHEARD, HEARD = 0.25, 0.75
"""How much of what a prompt brings into the base model's pictures shows that it was not heard, or that it was. Between
them lies the middle, at which a picture is as near to pictures of other prompts as to those of its own. The rest is the
manner in which it is drawn, which a LoRA may change."""
SHARED_BY_TRAINED = 0.9
"""The share of trained pictures that have no nearer neighbour than what counts as no copy."""
TINY = 1e-6


@dataclass(frozen=True)
class Likeness:
    """How much a picture has of what the set's pictures share and the base model's lack: 0..1 between the two."""

    features: SharedParts | None
    colours: SharedParts | None

    @classmethod
    def of(cls, kind: Sequence[Seen], opposite: Sequence[Seen], angle: Comparison) -> Likeness | None:
        """That of a kind of pictures to one another; None where nothing tells it from the opposite ones."""
        features = SharedParts.of([one.features for one in kind], [one.features for one in opposite], angle)
        nearness = Nearness(SAME_COLOUR)
        colours = SharedParts.of([one.colours for one in kind], [one.colours for one in opposite], nearness)
        return None if features is None and colours is None else cls(features, colours)

    def found_in(self, seen: Seen) -> float:
        """By what is seen and by colours, half each; at most 1: being nearer than the kind is to itself is no gain."""
        return _mean(self._found(seen, None))

    def found_in_own(self, number: int, seen: Seen) -> float:
        """The same for a picture of the kind, by the others alone."""
        return _mean(self._found(seen, number))

    def colour_in(self, seen: Seen) -> float | None:
        """By colours alone."""
        return None if self.colours is None else min(1.0, self.colours.found_in(seen.colours))

    def _found(self, seen: Seen, own: int | None) -> list[float]:
        pairs = ((self.features, seen.features), (self.colours, seen.colours))
        return [min(1.0, shared.found_in(parts, own)) for shared, parts in pairs if shared is not None]


@dataclass(frozen=True)
class Comparisons:
    """All that pictures of one grid are compared with."""

    drawn: Drawn
    base: Pictures
    """The base model's pictures."""
    angle: Comparison
    likeness: Likeness | None
    """To the set's pictures."""
    own_words: Mapping[int, Likeness]
    """By prompts that ask for something: to what the base model draws for this prompt and for no other."""
    looks: UsualLooks
    parts: UsualParts | None
    copies: tuple[tuple[Parts, ...], float] | None
    """The trained pictures, prepared, and how alike two of them usually are at most."""
    other_picture: float | None
    """The mean difference of two of the base model's pictures of different prompts, of 255."""

    @classmethod
    def of(cls, drawn: Drawn, base: Pictures, shown: Sequence[Seen], trained: Sequence[Seen]) -> Comparisons:
        """The comparisons for a grid.

        Args:
            base: the base model's pictures, at least one.
            shown: pictures of the set that drawn ones are to be like; may be none.
            trained: those that were trained on; may be none.
        """
        angle = Angle.of([one.features for one in base.values()])
        calling = [one for (prompt, _), one in base.items() if drawn.calls(prompt)] or list(base.values())
        usual = [*base.values(), *shown]
        return cls(
            drawn=drawn,
            base=base,
            angle=angle,
            likeness=Likeness.of(shown, calling, angle) if shown else None,
            own_words=_own_words(drawn, base, angle),
            looks=UsualLooks.of([[one.look for one in kind] for kind in (base.values(), shown) if kind]),
            parts=UsualParts.of([one.features for one in usual], angle),
            copies=_copies(trained, angle),
            other_picture=_other_picture(drawn, base),
        )

    def scores(self, cell: Cell, seen: Seen, siblings: Mapping[int, Seen]) -> dict[MeasureName, float]:
        """The measures that apply to a cell.

        Args:
            siblings: the pictures of the same LoRA, weight and prompt by their seeds, its own among them.
        """
        base = self.base[cell.prompt, cell.seed]
        found: dict[MeasureName, float | None] = {
            "obedience": self._obedience(cell, seen),
            "variety": self._variety(cell, seen, siblings),
            "damage": self._damage(seen, base),
        }
        if self.likeness is not None:
            found["likeness"] = self.likeness.found_in(seen) - self.likeness.found_in(base)
            found["colour"] = _difference(self.likeness.colour_in(seen), self.likeness.colour_in(base))
        if self.drawn.calls(cell.prompt):
            found["memorised"] = self._memorised(seen)
        elif self.other_picture is not None:
            found["leak"] = _pixels_apart(seen, base) / self.other_picture
        return {name: value for name, value in found.items() if value is not None}

    def _obedience(self, cell: Cell, seen: Seen) -> float | None:
        words = self.own_words.get(cell.prompt)
        if words is None:
            return None
        own = sorted(seed for prompt, seed in self.base if prompt == cell.prompt)
        is_base = cell.epoch == BASE_EPOCH
        found = words.found_in_own(own.index(cell.seed), seen) if is_base else words.found_in(seen)
        return min(1.0, max(0.0, (found - UNHEARD) / (HEARD - UNHEARD)))

    def _variety(self, cell: Cell, seen: Seen, siblings: Mapping[int, Seen]) -> float | None:
        others = [seed for seed in siblings if seed != cell.seed and (cell.prompt, seed) in self.base]
        own = self.base[cell.prompt, cell.seed]
        of_base = sum(self._unlike(own, self.base[cell.prompt, seed]) for seed in others)
        if of_base < TINY:
            return None
        return sum(self._unlike(seen, siblings[seed]) for seed in others) / of_base

    def _unlike(self, one: Seen, other: Seen) -> float:
        prepared = self.angle.prepared(one.features), self.angle.prepared(other.features)
        return 1.0 - float(self.angle.nearest(*prepared).mean())

    def _damage(self, seen: Seen, base: Seen) -> float:
        odd = 0.0 if self.parts is None or seen is base else self.parts.excess(seen.features)
        return max(odd, self.looks.excess(seen.look, base.look))

    def _memorised(self, seen: Seen) -> float | None:
        if self.copies is None:
            return None
        trained, usual = self.copies
        parts = self.angle.prepared(seen.features)
        nearest = max(float(self.angle.nearest(parts, one).mean()) for one in trained)
        return max(0.0, (nearest - usual) / (1.0 - usual))


def _own_words(drawn: Drawn, base: Pictures, angle: Comparison) -> dict[int, Likeness]:
    """What each prompt that asks for something brings into the base model's pictures, beside the others of its kind."""
    prompts = sorted({prompt for prompt, _ in base})
    found = dict[int, Likeness]()
    for prompt in filter(drawn.asks_more, prompts):
        others = [other for other in prompts if other != prompt]
        others = [other for other in others if drawn.calls(other) == drawn.calls(prompt)] or others
        own = [base[place] for place in sorted(base) if place[0] == prompt]
        opposite = [one for place, one in base.items() if place[0] in others]
        words = Likeness.of(own, opposite, angle) if opposite else None
        if words is not None:
            found[prompt] = words
    return found


def _copies(trained: Sequence[Seen], angle: Comparison) -> tuple[tuple[Parts, ...], float] | None:
    prepared = tuple(angle.prepared(one.features) for one in trained)
    if len(prepared) < 3:
        return None
    nearest = [
        max(float(angle.nearest(one, other).mean()) for other in prepared if other is not one) for one in prepared
    ]
    usual = float(torch.tensor(nearest).quantile(SHARED_BY_TRAINED))
    return None if usual > 1.0 - TINY else (prepared, usual)


def _other_picture(drawn: Drawn, base: Pictures) -> float | None:
    """By prompts without the trigger where there are two, else by all prompts, else by seeds."""
    pairs = list(combinations(base, 2))
    others = [pair for pair in pairs if pair[0][0] != pair[1][0]] or pairs
    pairs = [pair for pair in others if not any(drawn.calls(prompt) for prompt, _ in pair)] or others
    mean = sum(_pixels_apart(base[one], base[other]) for one, other in pairs) / len(pairs) if pairs else 0.0
    return mean if mean > TINY else None


def _pixels_apart(one: Seen, other: Seen) -> float:
    return float((one.small - other.small).abs().mean())


def _difference(one: float | None, other: float | None) -> float | None:
    return None if one is None or other is None else one - other


def _mean(values: Sequence[float]) -> float:
    return sum(values) / len(values)
