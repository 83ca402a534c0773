"""The measures of a picture, each against the pictures that it has to be compared with."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
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

COLOURS_SHARE = 2 / 3
"""What the colours count for in likeness; the features' share is the rest. These are full first: a picture that has the
shapes of a character has not yet its colours."""
HEARD_BY_FEATURES, HEARD_BY_COLOURS = 0.65, 0.9
"""How much of what a prompt brings into the base model's pictures shows that it was heard: the rest is the manner in
which it is drawn, and who it shows, which a LoRA may change."""
CERTAIN = 0.5
"""The base model's own pictures of a prompt that have less of what it brings were not led by it."""
ENOUGH_HELD_OUT = 3
"""Fewer held-out pictures are no yardstick."""
SHARED_BY_TRAINED = 0.9
"""The share of trained pictures that have no nearer neighbour than what counts as no copy."""
LEAST_WHOLE = 0.25
"""Held-out pictures that have less of what the others share show something else."""
TINY = 1e-6


@dataclass(frozen=True)
class Alike:
    """How like a kind of pictures one picture is: 0 as opposite ones, 1 as those of the kind; None: not to be told."""

    features: float | None
    """By what the denoiser sees."""
    colours: float | None

    @property
    def colour(self) -> float | None:
        """By colours, at most 1: being nearer than the kind is to itself is no gain."""
        return None if self.colours is None else min(1.0, self.colours)

    @property
    def both(self) -> float:
        """By both, each at most 1."""
        found = ((self.features, 1 - COLOURS_SHARE), (self.colours, COLOURS_SHARE))
        parts = [(min(1.0, value), share) for value, share in found if value is not None]
        return sum(value * share for value, share in parts) / sum(share for _, share in parts)


@dataclass(frozen=True)
class Likeness:
    """How much a picture has of what the pictures of a kind share and opposite ones lack: 0 as these, 1 as those."""

    features: SharedParts | None
    colours: SharedParts | None
    whole_features: float = 1.0
    """How much further pictures of the kind have, which count as 1."""
    whole_colours: float = 1.0

    @classmethod
    def between(cls, kind: Sequence[Seen], opposite: Sequence[Seen], angle: Comparison) -> Likeness | None:
        """That of a kind of pictures to one another; None where nothing tells it from the opposite ones."""
        features = SharedParts.of([one.features for one in kind], [one.features for one in opposite], angle)
        nearness = Nearness(SAME_COLOUR)
        colours = SharedParts.of([one.colours for one in kind], [one.colours for one in opposite], nearness)
        return None if features is None and colours is None else cls(features, colours)

    def measured_by(self, others: Sequence[Seen]) -> Likeness:
        """The same with further pictures of the kind as what counts as 1."""
        if len(others) < ENOUGH_HELD_OUT:
            return self
        features = [value for one in others if (value := self.of_features(one)) is not None]
        colours = [value for one in others if (value := self.of_colours(one)) is not None]
        wholes = [max(LEAST_WHOLE, sum(values) / len(others)) if values else 1.0 for values in (features, colours)]
        return replace(self, whole_features=wholes[0], whole_colours=wholes[1])

    def of_features(self, seen: Seen, own: int | None = None) -> float | None:
        """By what the denoiser sees; `own` as of `SharedParts.found_in`."""
        return None if self.features is None else self.features.found_in(seen.features, own) / self.whole_features

    def of_colours(self, seen: Seen, own: int | None = None) -> float | None:
        """By colours."""
        return None if self.colours is None else self.colours.found_in(seen.colours, own) / self.whole_colours

    def of(self, seen: Seen) -> Alike:
        """By both."""
        return Alike(self.of_features(seen), self.of_colours(seen))


@dataclass(frozen=True)
class Comparisons:
    """All that pictures of one grid are compared with."""

    drawn: Drawn
    base: Pictures
    """The base model's pictures."""
    angle: Comparison
    likeness: Likeness | None
    """To the set's pictures."""
    base_alike: Mapping[Place, Alike]
    """How like them the base model's pictures are."""
    own_words: Mapping[int, Likeness]
    """By prompts that ask for something: to what the base model draws for this prompt and for no other."""
    looks: UsualLooks
    parts: UsualParts | None
    copies: tuple[tuple[Parts, ...], float] | None
    """The trained pictures, prepared, and how alike two of them usually are at most."""
    other_picture: float | None
    """The mean difference of two of the base model's pictures of different prompts, of 255."""

    @classmethod
    def of(cls, drawn: Drawn, base: Pictures, trained: Sequence[Seen], held_out: Sequence[Seen]) -> Comparisons:
        """The comparisons for a grid.

        Args:
            base: the base model's pictures, at least one.
            trained: pictures that were trained on; may be none.
            held_out: further ones of the same; may be none.
        """
        angle = Angle.of([one.features for one in base.values()])
        calling = [one for (prompt, _), one in base.items() if drawn.calls(prompt)] or list(base.values())
        likeness = Likeness.between(trained or held_out, calling, angle) if trained or held_out else None
        if likeness is not None and trained:
            likeness = likeness.measured_by(held_out)
        of_set = [*trained, *held_out]
        return cls(
            drawn=drawn,
            base=base,
            angle=angle,
            likeness=likeness,
            base_alike={} if likeness is None else {place: likeness.of(one) for place, one in base.items()},
            own_words=_own_words(drawn, base, angle),
            looks=UsualLooks.of([[one.look for one in kind] for kind in (base.values(), of_set) if kind]),
            parts=UsualParts.of([[one.features for one in kind] for kind in (base.values(), of_set) if kind], angle),
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
            alike, of_base = self.likeness.of(seen), self.base_alike[cell.prompt, cell.seed]
            found["likeness"] = alike.both - of_base.both
            if alike.colour is not None and of_base.colour is not None:
                found["colour"] = alike.colour - of_base.colour
        if self.drawn.calls(cell.prompt):
            found["memorised"] = self._memorised(seen)
        elif self.other_picture is not None:
            found["leak"] = _pixels_apart(seen, base) / self.other_picture
        return {name: value for name, value in found.items() if value is not None}

    def _obedience(self, cell: Cell, seen: Seen) -> float | None:
        words = self.own_words.get(cell.prompt)
        if words is None:
            return None
        seeds = sorted(seed for prompt, seed in self.base if prompt == cell.prompt)
        own = seeds.index(cell.seed) if cell.epoch == BASE_EPOCH else None
        found = (
            (words.of_features(seen, own), HEARD_BY_FEATURES),
            (words.of_colours(seen, own), HEARD_BY_COLOURS),
        )
        return _mean([min(1.0, max(0.0, value / heard)) for value, heard in found if value is not None])

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
        words = Likeness.between(own, opposite, angle) if opposite else None
        if words is not None and _is_certain(words, own):
            found[prompt] = words
    return found


def _is_certain(words: Likeness, own: Sequence[Seen]) -> bool:
    """Whether each of a prompt's own pictures has what the others share: words unknown to it bring nothing."""
    found = [of(one, number) for number, one in enumerate(own) for of in (words.of_features, words.of_colours)]
    return all(value is None or value >= CERTAIN for value in found)


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


def _mean(values: Sequence[float]) -> float:
    return sum(values) / len(values)
