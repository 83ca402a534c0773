"""Several cards on paper: `python -m benchmarks.scale` writes docs/scale.md.

Nothing here is measured but where it says so: steps are counted (docs/time.md), links are taken at their usual speed.
"""

from __future__ import annotations

import heapq
import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from math import exp, inf
from pathlib import Path

from advisor.estimate.device_speed import LINK_BYTES_PER_SECOND, Speed, speed_of
from advisor.estimate.disk import adapter_parameters
from advisor.estimate.several_processes import GRADIENT_BYTES, exchanged_bytes, times_faster
from advisor.estimate.step_work import step_work
from advisor.estimate.timing import Times, run_times
from advisor.facts import Facts
from advisor.families import family as family_of
from advisor.families.structure import Structure
from advisor.files import write_atomically
from advisor.machine.cards import card_named
from advisor.plan import Plan
from advisor.planning.planner import make_plan
from advisor.settings.config import with_values
from benchmarks.plans import FAMILIES, facts_for

PAGE = Path(__file__).parents[1] / "docs" / "scale.md"
CARD = "RTX 3090"
LINKS = {"NVLink": 50e9, "PCIe": LINK_BYTES_PER_SECOND, "10 GbE": 1.1e9, "1 GbE": 0.11e9}
"""Bytes per second one way. An RTX 3090's bridge carries 56e9 by its sheet; Ethernet nine tenths of its name."""
CARDS = (2, 4, 8, 16, 32, 64)
CHARACTERS, DAY_SECONDS, LONGEST_WAIT_SECONDS = 1000, 86400.0, 3600.0
SPREAD = 0.35
"""Of the logarithm of a run's time: two thirds lie between 0.7 and 1.4 times the predicted."""
SEED = 20261130


@dataclass(frozen=True)
class Case:
    """What is planned for a family on one card."""

    title: str
    plan: Plan
    structure: Structure
    facts: Facts
    speed: Speed

    @classmethod
    def of(cls, family: str) -> Case:
        """Thirty pictures on one card."""
        facts = facts_for(family, 24)
        card = card_named(CARD).as_gpu()
        facts = Facts(facts.hardware.with_only(card), facts.dataset, facts.model, facts.answers)
        plan, structure = make_plan(facts), family_of(family).standard
        speed = speed_of(plan.config, facts.hardware, card)
        assert structure is not None
        assert speed is not None
        return cls(family_of(family).title, plan, structure, facts, speed)

    @property
    def gradient_bytes(self) -> int:
        """Of the adapter, as they are exchanged."""
        return GRADIENT_BYTES * adapter_parameters(self.plan.config, self.structure)

    @property
    def times(self) -> Times:
        """Of the whole run on the one card."""
        found = run_times(
            self.plan.config, self.structure, self.facts.hardware, gpu=self.facts.gpu, steps=self.plan.estimate.steps,
            num_images=self.facts.dataset.num_images,
        )  # fmt: skip
        assert found is not None
        return found

    def times_faster(self, cards: int, link: float) -> float:
        """A step of the plan by so many cards."""
        return times_faster(
            self.plan.config, self.structure, [self.speed] * cards, link_bytes_per_second=link
        )  # fmt: skip

    def efficiency(self, cards: int, link: float) -> float:
        """The share of each card's time that it computes in, with one picture a card and step."""
        schedule = {"schedule.batch_size": 1, "schedule.gradient_accumulation": 1}
        computing = self.speed.seconds(step_work(with_values(self.plan.config, schedule), self.structure))
        return computing / (computing + exchanged_bytes(self.plan.config, self.structure, cards) / link)


def cards_needed(run_seconds: float, *, cards_a_run: int = 1, seed: int = SEED) -> int:
    """The fewest cards with which, of a day's characters that come at random, 19 of 20 begin within the longest wait.

    Args:
        run_seconds: of one run, as predicted.
        cards_a_run: that train one run together.
    """
    draw = random.Random(seed)
    arrivals = sorted(draw.uniform(0, DAY_SECONDS) for _ in range(CHARACTERS))
    lengths = [run_seconds * exp(draw.gauss(0, SPREAD)) for _ in range(CHARACTERS)]
    few = 1
    while late_share(arrivals, lengths, few) > 0.05:
        few += 1
    return few * cards_a_run


def late_share(arrivals: Sequence[float], lengths: Sequence[float], places: int) -> float:
    """The share of runs that wait too long, each taking the first place that is free."""
    free, late = [-inf] * places, 0
    for arrival, length in zip(arrivals, lengths, strict=True):
        begins = max(arrival, heapq.heappop(free))
        late += begins - arrival > LONGEST_WAIT_SECONDS
        heapq.heappush(free, begins + length)
    return late / len(arrivals)


def page() -> str:
    """The whole page."""
    cases = [Case.of(family) for family in FAMILIES]
    return TEXT.format(
        card=CARD,
        step=_table(("base", "gradients", "each of 2 cards sends", "of 64", "a step on one card"), _steps(cases)),
        planned=_table(("base", "a step", "cards", *LINKS), _planned(cases)),
        wide=_table(("base", "link", *(f"{cards} cards" for cards in CARDS)), _wide(cases)),
        caching=_table(("base", "encoding", "of one card's run", "of 2 cards'", "of 4 cards'"), _caching(cases)),
        day=_table(("base", "a run alone", "cards, a run each", "cards, 4 a run", "kept on disks"), _day(cases)),
    )


def _table(heads: Sequence[str], rows: Iterator[Sequence[str]]) -> str:
    lines = [f"| {' | '.join(cells)} |" for cells in (heads, *rows)]
    return "\n".join([lines[0], "|---" * len(heads) + "|", *lines[1:]])


def _steps(cases: Sequence[Case]) -> Iterator[Sequence[str]]:
    for case in cases:
        sent = [exchanged_bytes(case.plan.config, case.structure, cards) for cards in (2, 64)]
        yield (
            case.title,
            *(f"{number / 1e6:.0f} MB" for number in (case.gradient_bytes, *sent)),
            f"{case.times.step:.2f} s",
        )


def _planned(cases: Sequence[Case]) -> Iterator[Sequence[str]]:
    for case in cases:
        schedule = case.plan.config.schedule
        for cards in (2, 3, 4):
            faster = (f"{case.times_faster(cards, link):.1f}" for link in LINKS.values())
            yield case.title, f"{schedule.gradient_accumulation} x {schedule.batch_size}", str(cards), *faster


def _wide(cases: Sequence[Case]) -> Iterator[Sequence[str]]:
    for case in cases:
        for name, link in LINKS.items():
            yield case.title, name, *(f"{case.efficiency(cards, link):.0%}" for cards in CARDS)


def _caching(cases: Sequence[Case]) -> Iterator[Sequence[str]]:
    for case in cases:
        times = case.times
        rest = times.steps * times.step
        faster = [1.0, *(case.times_faster(cards, LINKS["PCIe"]) for cards in (2, 4))]
        yield (
            case.title,
            f"{times.caching:.0f} s",
            *(f"{times.caching / (times.caching + rest / one):.1%}" for one in faster),
        )


def _day(cases: Sequence[Case]) -> Iterator[Sequence[str]]:
    for case in cases:
        alone, rest = case.times.run, case.times.run - case.times.steps * case.times.step
        together = rest + case.times.steps * case.times.step / case.times_faster(4, LINKS["PCIe"])
        yield (
            case.title, f"{alone / 3600:.1f} h", str(cards_needed(alone)), str(cards_needed(together, cards_a_run=4)),
            f"{CHARACTERS * case.plan.estimate.disk_bytes / 1e12:.1f} TB",
        )  # fmt: skip


TEXT = """# Several cards, on paper

Written by `python -m benchmarks.scale` for thirty pictures and an {card} each, from counted steps
([time.md](time.md)) and usual speeds of links. **Nothing on this page is measured.** What really ran: two and three
processes on one processor, which train what one trains ([decisions/0062](decisions/0062-several-processes.md)), and
no two cards yet. Several machines train together by torchrun ([decisions/0063](decisions/0063-several-machines.md)),
which ran between processes on one machine; their rows say what the wire would allow.

## What is exchanged

The adapter's gradients in float32, once a step; nothing of the base model.

{step}

## As planned

How many times as fast a step of the plan is, whose pictures are dealt out. A plan's step has four, so a fifth card
has nothing to do. With batches of one the card waits for the processor that feeds it, so that two with two pictures
each are less than twice as fast.

{planned}

## With a picture for each card

The share of its time in which a card computes, if a step had as many pictures as there are cards. That is another
training than was planned (more pictures a step, fewer steps); this is only what links would allow.

{wide}

## Where caching becomes the limit

The first process encodes the pictures for all, the others wait; so that part is no shorter with more cards.

{caching}

## A thousand characters a day

They come at random over the day and take 0.7 to 1.4 times as long as predicted (two thirds of them); so many cards
let 19 of 20 begin within an hour (`cards_needed`, a simulation of the day). One card a run needs fewer of them than
four cards a run, because no exchange and no caching keeps others waiting: several cards are for one run that should
end sooner. Disks hold what a run keeps by its plan; caches may be deleted.

{day}
"""


if __name__ == "__main__":
    write_atomically(PAGE, page())
