"""How the learning rate moves: for each schedule a factor by the step, with kohya's shapes.

A factor depends on the step alone and not on what was called before, so that resuming needs no state of it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from math import cos, pi, sqrt

from advisor.errors import ConfigError
from advisor.settings.config import DECAY_SHARE, POLYNOMIAL_END, ScheduleConfig

INVERSE_SQRT_STEPS = 10_000
"""The time scale of inverse_sqrt without a warm-up, as transformers has it."""
PIECES = ((0.5, 1.0), (0.75, 0.1), (1.0, 0.01))
"""Of piecewise_constant: up to this share of the steps the factor is this, the usual two drops to a tenth."""


@dataclass(frozen=True)
class Schedule:
    """The factor on every learning rate at each step."""

    name: str
    num_steps: int
    warmup_steps: int = 0
    cycles: int = 1
    power: float = 1.0
    min_factor: float = 0.0
    decay_steps: int = 0
    pieces: tuple[tuple[int, float], ...] = ()
    """(first step at which it no longer holds, factor); the last one holds on."""

    @classmethod
    def of(cls, config: ScheduleConfig, *, num_steps: int, learning_rate: float, optimizer: str) -> Schedule:
        """The schedule that a configuration asks for.

        Raises:
            ConfigError: it does not go with the optimizer.
        """
        if config.name == "adafactor" and optimizer != "adafactor":
            mend = f"it goes with the optimizer adafactor alone, and this one is {optimizer}: choose cosine"
            raise ConfigError("schedule.name", config.name, mend)
        floor = config.min_rate
        if config.name == "polynomial" and learning_rate > 0:
            floor = max(floor, min(1.0, POLYNOMIAL_END / learning_rate))
        return cls(
            name=config.name,
            num_steps=num_steps,
            warmup_steps=config.warmup_steps or int(config.warmup_share * num_steps),
            cycles=config.cycles,
            power=config.power,
            min_factor=floor,
            decay_steps=int(DECAY_SHARE * num_steps),
            pieces=tuple((round(share * num_steps), factor) for share, factor in PIECES),
        )

    def factor(self, step: int) -> float:
        """The factor for the step of this number, counted from 0."""
        if step < self.warmup_steps:
            risen = step / self.warmup_steps
            return self.min_factor + (1 - self.min_factor) * risen if self.name == "warmup_stable_decay" else risen
        return SHAPES[self.name](self, step)

    def progress(self, step: int) -> float:
        """How much of the time after the warm-up is gone, 0..1."""
        return min(1.0, (step - self.warmup_steps) / max(1, self.num_steps - self.warmup_steps))


def going_on(before: Schedule, now: Schedule, step: int) -> str:
    """A sentence on how the learning rate goes on where the number of steps was changed after `step` of them."""
    if all(before.factor(done) == now.factor(done) for done in range(step)):
        return f"the learning rate ({now.name}) goes on as in a training of {now.num_steps:,} steps in one go."
    reached, next_factor = before.factor(max(0, step - 1)), now.factor(step)
    return (
        f"the learning rate ({now.name}) is now spread over {now.num_steps:,} steps instead of {before.num_steps:,}. "
        f"Step {step:,} had {reached:.0%} of the full rate, the next one has {next_factor:.0%} and the last one "
        f"{now.factor(now.num_steps - 1):.0%}; a training in one go would have had other rates until here."
    )


def _constant(schedule: Schedule, step: int) -> float:  # noqa: ARG001
    return 1.0


def _linear(schedule: Schedule, step: int) -> float:
    return 1.0 - schedule.progress(step)


def _cosine(schedule: Schedule, step: int) -> float:
    return 0.5 * (1.0 + cos(pi * schedule.progress(step)))


def _cosine_with_restarts(schedule: Schedule, step: int) -> float:
    progress = schedule.progress(step)
    return 0.0 if progress >= 1.0 else 0.5 * (1.0 + cos(pi * ((schedule.cycles * progress) % 1.0)))


def _cosine_with_min_lr(schedule: Schedule, step: int) -> float:
    return schedule.min_factor + (1.0 - schedule.min_factor) * _cosine(schedule, step)


def _polynomial(schedule: Schedule, step: int) -> float:
    left = 1.0 - schedule.progress(step)
    return schedule.min_factor + (1.0 - schedule.min_factor) * float(left**schedule.power)


def _inverse_sqrt(schedule: Schedule, step: int) -> float:
    scale = schedule.warmup_steps or INVERSE_SQRT_STEPS
    return 1.0 / sqrt((step + scale - schedule.warmup_steps) / scale)


def _warmup_stable_decay(schedule: Schedule, step: int) -> float:
    start = schedule.num_steps - schedule.decay_steps
    if step < start or not schedule.decay_steps:
        return 1.0
    gone = min(1.0, (step - start) / schedule.decay_steps)
    return schedule.min_factor + (1.0 - schedule.min_factor) * 0.5 * (1.0 + cos(pi * gone))


def _piecewise_constant(schedule: Schedule, step: int) -> float:
    return next((factor for end, factor in schedule.pieces if step < end), schedule.pieces[-1][1])


SHAPES: Mapping[str, Callable[[Schedule, int], float]] = {
    "constant": _constant,
    "constant_with_warmup": _constant,
    "adafactor": _constant,
    "linear": _linear,
    "cosine": _cosine,
    "cosine_with_restarts": _cosine_with_restarts,
    "cosine_with_min_lr": _cosine_with_min_lr,
    "polynomial": _polynomial,
    "inverse_sqrt": _inverse_sqrt,
    "warmup_stable_decay": _warmup_stable_decay,
    "piecewise_constant": _piecewise_constant,
}
"""Every schedule's shape after the warm-up."""
