"""Predictions of published figures, and the constants of time that fit them best.

Each time is predicted twice: by the constants in use, and by constants to which the row's source gave nothing.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from math import exp, log
from statistics import mean

from advisor.estimate.device_speed import CALL_SECONDS, TENSOR_SHARES, Speed, speed_of
from advisor.estimate.step_work import StepWork, step_work
from advisor.estimate.vram import allocated_bytes, vram_parts
from advisor.machine.cards import card_named
from advisor.machine.hardware import Gpu, Hardware
from advisor.units import GIB
from benchmarks.public_rows import MEMORY_ROWS, TIME_ROWS, MemoryRow, TimeRow

MACHINE = Hardware("Linux", "x86_64", "a processor", 16, 8, 32 * GIB, 24 * GIB, 500 * GIB)
WANTED_FACTOR = 1.6
"""Comparable times are to be met within this factor."""
ROUNDS = 10
"""Of the fit; which of the two bounds holds for a row is settled after two or three."""

Generation = tuple[int, int]
GENERATIONS: tuple[Generation, ...] = tuple(since for since, _ in TENSOR_SHARES)


@dataclass(frozen=True)
class Constants:
    """What is fitted to the published times."""

    call_seconds: float = CALL_SECONDS
    shares: Mapping[Generation, float] = field(default_factory=lambda: dict(TENSOR_SHARES))


@dataclass(frozen=True)
class Compared:
    """A row beside its prediction."""

    source: str
    title: str
    reported: float
    """GiB, or seconds."""
    predicted: float
    left_out: float
    """The same, with constants to which the row's source gave nothing."""
    kind: str
    uncertainty: float = 1.0
    """The factor either way that a plan tells of its time."""
    allocated: float = 0.0
    """Of memory, GiB: without what the allocator reserves and the driver takes."""

    @property
    def ratio(self) -> float:
        """Predicted over reported."""
        return self.predicted / self.reported


@dataclass(frozen=True)
class _Case:
    row: TimeRow
    work: StepWork
    speed: Speed
    peak: float
    """FLOPs a second of the tensor cores."""
    generation: Generation

    @classmethod
    def of(cls, row: TimeRow) -> _Case:
        gpu, config = card_named(row.card).as_gpu(), row.setup.config()
        speed, generation = speed_of(config, MACHINE, gpu), _generation(gpu)
        assert speed is not None
        peak = speed.flops_per_second / dict(TENSOR_SHARES)[generation]
        return cls(row, step_work(config, row.setup.structure), speed, peak, generation)

    def seconds(self, constants: Constants) -> float:
        """What these constants predict."""
        reached = self.peak * constants.shares[self.generation]
        return replace(self.speed, flops_per_second=reached, call_seconds=constants.call_seconds).seconds(self.work)

    def is_launching(self, constants: Constants) -> bool:
        """Whether starting operations takes longer than computing them."""
        return self.seconds(constants) <= self.work.calls * constants.call_seconds

    @property
    def best_call_seconds(self) -> float:
        """By which the row would be met, if it is bound by starting operations."""
        return self.row.seconds / self.work.calls

    @property
    def best_share(self) -> float:
        """The same, if it is bound by computing them."""
        moving = self.work.moved_bytes / (self.speed.bytes_per_second or 1.0)
        return self.work.flops / self.peak / (self.row.seconds - moving)


def _generation(gpu: Gpu) -> Generation:
    return max(since for since in GENERATIONS if since <= (gpu.compute_capability or (0, 0)))


CASES = tuple(_Case.of(row) for row in TIME_ROWS)


def fitted(cases: Sequence[_Case]) -> Constants:
    """The constants by which these rows are met best: geometric means over each source's rows, then over sources.

    A generation without rows takes the mean of the others.
    """
    constants = Constants()
    for _ in range(ROUNDS):
        launching = [case for case in cases if case.is_launching(constants)]
        computing = [case for case in cases if not case.is_launching(constants)]
        shares = {
            since: _by_source((case.row.source, case.best_share) for case in computing if case.generation == since)
            for since in GENERATIONS
        }
        known = [share for share in shares.values() if share is not None]
        rest = exp(mean(map(log, known)))
        calls = _by_source((case.row.source, case.best_call_seconds) for case in launching)
        constants = Constants(
            calls or constants.call_seconds, {since: share or rest for since, share in shares.items()}
        )
    return constants


def _by_source(found: Iterable[tuple[str, float]]) -> float | None:
    logs = dict[str, list[float]]()
    for source, value in found:
        logs.setdefault(source, []).append(log(value))
    return exp(mean(mean(each) for each in logs.values())) if logs else None


def fit_cases(without: str = "") -> tuple[_Case, ...]:
    """The rows that constants are fitted to: no quantised base, whose operations are another trainer's own."""
    return tuple(case for case in CASES if not case.row.setup.base_dtype and case.row.source != without)


def times() -> tuple[Compared, ...]:
    """All times, by the constants in use and by those fitted without the row's source."""
    without = {source: fitted(fit_cases(source)) for source in {row.source for row in TIME_ROWS}}
    return tuple(
        Compared(
            case.row.source,
            f"{case.row.card}: {case.row.setup.title}",
            case.row.seconds,
            case.seconds(Constants()),
            case.seconds(without[case.row.source]),
            "usual" if case.row.comparable else "quantised" if case.row.setup.base_dtype else "server",
            case.speed.uncertainty,
        )
        for case in CASES
    )


def memory() -> tuple[Compared, ...]:
    """All figures of memory. No constant of memory is fitted to them, so leaving a source out changes nothing."""
    return tuple(map(_compared, MEMORY_ROWS))


def _compared(row: MemoryRow) -> Compared:
    parts = vram_parts(row.setup.config(), row.setup.structure)
    whole = sum(parts.values()) / GIB
    return Compared(
        row.source, row.setup.title, row.gib, whole, whole, row.kind, allocated=allocated_bytes(parts) / GIB
    )  # fmt: skip


@dataclass(frozen=True)
class Summary:
    """Of some rows: how they are met."""

    title: str
    rows: int
    ratio: float
    """Geometric mean of predicted over reported."""
    worst: float
    """The largest factor either way."""
    within: float
    """Share of the rows within `WANTED_FACTOR`."""
    told: float
    """Share of the rows within the range that a plan tells of its time."""


def summary(title: str, rows: Sequence[Compared], *, left_out: bool = False) -> Summary:
    """How these rows are met."""
    logs = [log((row.left_out if left_out else row.predicted) / row.reported) for row in rows]
    off = [exp(abs(one)) for one in logs]
    within = mean(factor <= WANTED_FACTOR for factor in off)
    told = mean(factor <= row.uncertainty for factor, row in zip(off, rows, strict=True))
    return Summary(title, len(rows), exp(mean(logs)), max(off), within, told)


def summaries(rows: Sequence[Compared], kinds: Mapping[str, str]) -> list[Summary]:
    """Of each kind, of each source, and of all.

    Args:
        kinds: what to call each.
    """
    by_kind = [(kinds[kind], [row for row in rows if row.kind == kind]) for kind in kinds]
    by_source = [(one, [row for row in rows if row.source == one]) for one in dict.fromkeys(row.source for row in rows)]
    return [summary(title, found) for title, found in (*by_kind, *by_source, ("all", rows)) if found]
