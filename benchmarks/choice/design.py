"""Which trainings are run: measures and thresholds may be tuned on all sets but the newest, on that by nobody."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import product
from typing import Literal

Kind = Literal["ordinary", "good", "underfit", "burnt", "no_trigger"]
"""What a run was made to be: `ordinary` ones are promised nothing by their names."""
BAD: frozenset[Kind] = frozenset({"underfit", "burnt", "no_trigger"})
"""Runs whose verdict counts, and not which epoch they end with."""
Prior = Literal["none", "full", "brief"]
"""None; with captions that tell everything; or with half of them told as briefly as the character's."""
Course = Literal["cosine", "constant"]
"""Of the rate: falling to 0, or as high at the end as at the beginning."""
SetName = Literal["development", "first", "second", "final", "fourth", "fifth"]


@dataclass(frozen=True)
class Spec:
    """One training."""

    name: str
    character: str
    rate: float
    text_share: float = 1.0
    """The text encoder's rate, as a share of the rate."""
    rank: int = 16
    repeats: int = 4
    """20 pictures so often make an epoch, in batches of 4; with prior twice as many."""
    epochs: int = 8
    prior: Prior = "brief"
    """Pictures of other people that are trained along."""
    course: Course = "cosine"
    calls: bool = True
    """Whether the captions have the trigger."""
    seed: int = 42
    kind: Kind = "ordinary"


DEVELOPMENT = (
    Spec("mipo-good", "mipo", 6e-3, kind="good"),
    Spec("wexu-no-prior", "wexu", 3e-3, 0.5, prior="none"),
    Spec("mipo-no-trigger", "mipo", 6e-3, calls=False, kind="no_trigger"),
    Spec("mipo-late-burn", "mipo", 8e-3, 0.5, prior="none", seed=3),
    Spec("kavo-rank4-fast", "kavo", 1e-2, 0.5, rank=4, repeats=2, prior="full"),
    Spec("wexu-hot", "wexu", 8e-3),
    Spec("kavo-good", "kavo", 5e-3, kind="good"),
    Spec("mipo-burnt", "mipo", 4e-2, 0.5, repeats=2, prior="none", kind="burnt"),
    Spec("kavo-underfit", "kavo", 1e-4, 0.5, repeats=2, prior="full", kind="underfit"),
    Spec("wexu-no-trigger", "wexu", 6e-3, 0.5, repeats=2, calls=False, prior="none", kind="no_trigger"),
    Spec("mipo-slow-rank4", "mipo", 1e-3, 0.5, rank=4, repeats=2, prior="none"),
    Spec("kavo-full", "kavo", 6e-3, prior="full"),
    Spec("wexu-burnt", "wexu", 1.5e-2, 0.5, repeats=3, prior="full", kind="burnt"),
)
RANKS = (4, 16)


def _first_grid() -> Iterator[Spec]:
    """Every character x rate x rank, once with other people and once without, with another seed and length."""
    rates = (2e-3, 6e-3, 9e-3)
    for character, rate, rank, with_others in product(("zuvi", "juqo"), rates, RANKS, (True, False)):
        repeats = {(4, True): 4, (16, True): 3, (4, False): 8, (16, False): 5}[rank, with_others]
        good = rate == rates[1] and rank == RANKS[1] and with_others
        prior: Prior = "brief" if good else "full" if with_others else "none"
        yield Spec(
            name=f"{character}-{rate * 1e3:.0f}e-3-rank{rank}-{prior}",
            character=character,
            rate=rate,
            rank=rank,
            repeats=4 if good else repeats,
            prior=prior,
            seed=1 if with_others else 2,
            kind="good" if good else "ordinary",
        )


FIRST = (
    *_first_grid(),
    Spec("zuvi-burnt", "zuvi", 4e-2, repeats=2, epochs=4, prior="none", kind="burnt"),
    Spec("juqo-burnt", "juqo", 2e-2, repeats=2, epochs=4, kind="burnt"),
    Spec("zuvi-underfit", "zuvi", 1e-4, repeats=2, epochs=4, kind="underfit"),
    Spec("juqo-underfit", "juqo", 3e-4, rank=4, repeats=2, epochs=4, prior="none", kind="underfit"),
    Spec("zuvi-no-trigger", "zuvi", 6e-3, repeats=7, epochs=4, calls=False, kind="no_trigger"),
    Spec("juqo-no-trigger", "juqo", 5e-3, repeats=7, epochs=4, calls=False, prior="none", kind="no_trigger"),
)
"""What the choice was judged by first. Its figures have been seen: measures and thresholds may be tuned on it."""


def _second_grid() -> Iterator[Spec]:
    """Every character x rate x rank, once with other people and once without, with another seed, length and course.

    Where nobody else is trained along, an epoch too many costs most: half of those trainings keep their rate.
    """
    rates = (3e-3, 4.5e-3, 8e-3)
    for number, character in enumerate(("fezo", "tyvu")):
        for rate, rank, with_others in product(rates, RANKS, (True, False)):
            is_long = rate == rates[1] and rank == RANKS[1]
            prior: Prior = "none" if not with_others else "full" if rank == RANKS[0] else "brief"
            yield Spec(
                name=f"{character}-{rate * 1e3:g}e-3-rank{rank}-{prior}",
                character=character,
                rate=rate,
                rank=rank,
                repeats={(True, True): 4, (True, False): 5, (False, True): 2, (False, False): 4}[is_long, with_others],
                epochs=8 if is_long else 6,
                prior=prior,
                course="constant" if rank == RANKS[0] and not with_others else "cosine",
                seed=11 + 2 * number + (not with_others),
                kind="good" if is_long and with_others else "ordinary",
            )


SECOND = (
    *_second_grid(),
    Spec("fezo-burnt", "fezo", 4e-2, repeats=2, epochs=4, prior="none", kind="burnt"),
    Spec("tyvu-burnt", "tyvu", 2e-2, repeats=2, epochs=4, kind="burnt"),
    Spec("fezo-underfit", "fezo", 1e-4, repeats=2, epochs=4, kind="underfit"),
    Spec("tyvu-underfit", "tyvu", 3e-4, rank=4, repeats=2, epochs=4, prior="none", kind="underfit"),
    Spec("fezo-no-trigger", "fezo", 6e-3, repeats=5, epochs=4, calls=False, kind="no_trigger"),
    Spec("tyvu-no-trigger", "tyvu", 5e-3, repeats=5, epochs=4, calls=False, prior="none", kind="no_trigger"),
)
"""What the choice was judged by then. Most of these trainings were short and still rose."""


def _grid_of_three_ways(characters: tuple[str, str], seed: int) -> Iterator[Spec]:
    """Every character x rate x rank, trained in three ways: alone, alone at a rate that does not fall, and with others.

    Most people train their character alone: an epoch too many then costs most, and the best one lies amidst.
    """
    ways: tuple[tuple[Prior, Course], ...] = (("none", "cosine"), ("none", "constant"), ("brief", "cosine"))
    for number, character in enumerate(characters):
        for rate, rank, (way, (prior, course)) in product((5e-3, 8e-3), RANKS, enumerate(ways)):
            is_good = rate == 5e-3 and rank == RANKS[1] and prior != "none"
            repeats = 5 if prior == "none" else 3 if rate == 5e-3 else 2
            yield Spec(
                name=f"{character}-{rate * 1e3:g}e-3-rank{rank}-{prior}-{course}",
                character=character,
                rate=rate,
                rank=rank,
                repeats=4 if is_good else repeats,
                epochs=8 if is_good else 6,
                prior=prior,
                course=course,
                seed=seed + 3 * number + way,
                kind="good" if is_good else "ordinary",
            )


def _bad_of_three_kinds(one: str, other: str) -> Iterator[Spec]:
    """Two of each kind of run that is made to be bad."""
    yield Spec(f"{one}-burnt", one, 4e-2, repeats=2, epochs=4, prior="none", kind="burnt")
    yield Spec(f"{other}-burnt", other, 2e-2, repeats=2, epochs=4, kind="burnt")
    yield Spec(f"{one}-underfit", one, 1e-4, repeats=2, epochs=4, kind="underfit")
    yield Spec(f"{other}-underfit", other, 3e-4, rank=4, repeats=2, epochs=4, prior="none", kind="underfit")
    yield Spec(f"{one}-no-trigger", one, 6e-3, repeats=5, epochs=4, calls=False, kind="no_trigger")
    yield Spec(f"{other}-no-trigger", other, 5e-3, repeats=5, epochs=4, calls=False, prior="none", kind="no_trigger")


FINAL = (*_grid_of_three_ways(("rilo", "naqe"), 31), *_bad_of_three_kinds("rilo", "naqe"))
"""Of two characters that no other set has. Judged once, by a choice that was landed before any of it was looked at."""
FOURTH = (*_grid_of_three_ways(("dyso", "pexi"), 51), *_bad_of_three_kinds("dyso", "pexi"))
"""The same of two other characters, for a choice that has seen `FINAL`. Judged once as well."""
FIFTH = (*_grid_of_three_ways(("vyqa", "jixo"), 71), *_bad_of_three_kinds("vyqa", "jixo"))
"""The same of two further characters, for a choice that has seen `FOURTH`. Judged once as well."""
SETS: dict[SetName, tuple[Spec, ...]] = {
    "development": DEVELOPMENT,
    "first": FIRST,
    "second": SECOND,
    "final": FINAL,
    "fourth": FOURTH,
    "fifth": FIFTH,
}
