"""What a measurement says should be changed in a plan: rungs down where it does not fit, a larger batch where it could.

The prediction is corrected by what was measured, and the corrected one decides. Pure;
`wizard.processes.adjust_plan` writes it down.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

from advisor.estimate.slowdown import slowdown
from advisor.memory_ladder.rungs import BATCH_PARTS, Rung, Situation, after, changes, next_rung, stopped
from advisor.rules.fitting import SPARE_SHARE
from advisor.run_folder.ladder_file import Taken
from advisor.settings.config import setting, with_values
from advisor.units import gib


@dataclass(frozen=True)
class Trial:
    """A plan that was tried on this machine."""

    situation: Situation
    free_bytes: int
    """Before it began."""
    measured_bytes: int | None
    """Its peak; of a card by torch, without the driver's own. None: memory ran out."""
    on_cpu: bool = False

    @property
    def needed_bytes(self) -> int:
        """What it needs, with the driver's own; more than is free where it ran out."""
        if self.measured_bytes is None:
            return max(self.situation.predicted_bytes, self.free_bytes)
        return self.measured_bytes + (0 if self.on_cpu else self.situation.overhead_bytes)

    @property
    def fits(self) -> bool:
        """Whether it did not run out, nor would spill."""
        return self.measured_bytes is not None and self.needed_bytes <= self.free_bytes

    def corrected_bytes(self, situation: Situation) -> int:
        """What another situation needs, by the prediction and by what this one showed of it."""
        return int(situation.predicted_bytes * self.needed_bytes / max(self.situation.predicted_bytes, 1))

    @property
    def seen(self) -> str:
        """What was measured, as a sentence."""
        if self.measured_bytes is None:
            return f"Measured: memory ran out, with {gib(self.free_bytes)} free at the start."
        return f"Measured: it needs about {gib(self.needed_bytes)} of {gib(self.free_bytes)} free."


def adjustments(trial: Trial) -> tuple[Taken, ...]:
    """What should be changed in the plan, one after the other; nothing where it is well as it is."""
    return tuple(_down(trial)) if not trial.fits else tuple(_up(trial))


def nothing_left(trial: Trial) -> str:
    """What to say where it does not fit and no rung is left."""
    return f"{trial.seen} {stopped(trial.situation)}."


def _down(trial: Trial) -> Iterator[Taken]:
    situation, most = trial.situation, int(trial.free_bytes * (1 - SPARE_SHARE))
    while trial.corrected_bytes(situation) > most and (rung := next_rung(situation)) is not None:
        yield taken_rung(situation, rung, cause=trial.seen)
        situation = after(situation, rung)


def _up(trial: Trial) -> Iterator[Taken]:
    """More pictures at once where a step is put together of several batches, unless the user chose either number."""
    situation, schedule = trial.situation, trial.situation.config.schedule
    paths = ("schedule.batch_size", "schedule.gradient_accumulation")
    if trial.on_cpu or situation.batch_parts > 1 or situation.chosen.intersection(paths):
        return
    whole = schedule.batch_size * schedule.gradient_accumulation
    for size in (size for size in range(whole, schedule.batch_size, -1) if whole % size == 0):
        after = {"schedule.batch_size": size, "schedule.gradient_accumulation": whole // size}
        larger = replace(situation, config=with_values(situation.config, after))
        needed = trial.corrected_bytes(larger)
        if needed <= trial.free_bytes * (1 - SPARE_SHARE):
            longer = slowdown(situation.work, larger.work, situation.speed)
            price = f"the same steps, and one takes {longer.text}"
            yield Taken(
                rung="larger_batch",
                before={path: setting(situation.config, path) for path in paths},
                after=after,
                message=f"{size} pictures at once: needs about {gib(needed)} of {gib(trial.free_bytes)} free; {price}",
                saved_bytes=trial.needed_bytes - needed,
                slowdown=round(longer.likely, 2),
                price=price,
                cause=trial.seen,
            )
            return


def taken_rung(situation: Situation, rung: Rung, *, cause: str, step: int = 0) -> Taken:
    """A rung as it is written down."""
    old, new = changes(situation, rung)
    return Taken(
        rung=rung.name, before=old, after=new, message=rung.sentence(), step=step, saved_bytes=rung.saved_bytes,
        slowdown=rung.slowdown, price=rung.price, cause=cause,
    )  # fmt: skip


def settings_of(steps: tuple[Taken, ...]) -> dict[str, object]:
    """The settings as they are in the end, by path."""
    return {path: value for step in steps for path, value in step.after.items() if path != BATCH_PARTS}


def parts_of(steps: tuple[Taken, ...], before: int) -> int:
    """Into how many parts each batch is split in the end."""
    return next((int(step.after[BATCH_PARTS]) for step in reversed(steps) if BATCH_PARTS in step.after), before)
