"""How the learning rate moves, as sd-scripts' arguments say it; the GUI has keys for some of them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from advisor.errors import ConfigError
from advisor.settings.config import DECAY_SHARE, POLYNOMIAL_END, TrainingConfig
from advisor.units import rate
from templates.exporting.derived import Length
from templates.kohya.words import SCHEDULES


@dataclass(frozen=True)
class Curve:
    """The schedule's arguments but for its warm-up."""

    scheduler: str
    cycles: int
    """Restarts of cosine_with_restarts. Other schedules of sd-scripts swing by it too, where ours do not."""
    power: float
    min_ratio: float | None
    """`lr_scheduler_min_lr_ratio`; None: not given. cosine_with_min_lr does not start without it."""
    decay_steps: float | None
    """`lr_decay_steps` as a share of all steps; None: not given. warmup_stable_decay never falls without it."""
    arguments: tuple[str, ...]
    """`lr_scheduler_args`."""

    @classmethod
    def of(cls, config: TrainingConfig) -> Curve:
        """The curve that our own schedule of the same name has."""
        schedule = config.schedule
        floors = schedule.name in ("cosine_with_min_lr", "warmup_stable_decay")
        ends = schedule.name == "polynomial" and _polynomial_end(config) > POLYNOMIAL_END
        return cls(
            scheduler=SCHEDULES.theirs(schedule.name),
            cycles=schedule.cycles if schedule.name == "cosine_with_restarts" else 1,
            power=schedule.power,
            min_ratio=schedule.min_rate if floors else None,
            decay_steps=DECAY_SHARE if schedule.name == "warmup_stable_decay" else None,
            arguments=(f"lr_end={_polynomial_end(config)}",) if ends else (),
        )


@dataclass(frozen=True)
class Warmup:
    """The warm-up in steps or, where nobody here can know how many these are, as a share; the other one is 0."""

    steps: int
    share: float

    @classmethod
    def of(cls, config: TrainingConfig, steps: int | None = None) -> Warmup:
        """The warm-up; none where Adafactor finds its own rate, which no schedule moves.

        Args:
            steps: of the whole training, where they are certain.
        """
        schedule = config.schedule
        if schedule.name == "adafactor":
            return cls(0, 0.0)
        if schedule.warmup_steps or not schedule.warmup_share:
            return cls(schedule.warmup_steps, 0.0)
        return cls(0, schedule.warmup_share) if steps is None else cls(int(schedule.warmup_share * steps), 0.0)


def known_steps(config: TrainingConfig, length: Length | None) -> int | None:
    """Steps of the training, where they are certain; which images are held out decides by some."""
    if length is None:
        return config.schedule.max_steps or None
    return length.steps if length.is_exact or length.ends_early else None


def limits(config: TrainingConfig, length: Length | None) -> dict[str, int]:
    """`max_train_epochs`, or `max_train_steps` where these end it before; without images nobody can know, and steps
    that are given count."""
    schedule = config.schedule
    if schedule.max_steps and (length is None or length.ends_early):
        return {"max_train_steps": schedule.max_steps}
    return {"max_train_epochs": schedule.epochs}


def schedule_errors(config: TrainingConfig) -> Iterator[ConfigError]:
    """Schedules that sd-scripts stops at."""
    learning_rate = config.optimizer.learning_rate
    if config.schedule.name == "polynomial" and (end := _polynomial_end(config)) >= learning_rate:
        path, value = ("schedule.min_rate", config.schedule.min_rate) if end > POLYNOMIAL_END else (
            "optimizer.learning_rate", learning_rate,
        )  # fmt: skip
        mend = (
            f"sd-scripts' polynomial falls to {rate(end)} and wants optimizer.learning_rate ({rate(learning_rate)}) "
            "above that: change one of the two, or choose schedule.name constant"
        )
        yield ConfigError(path, value, mend)


def schedule_notes(config: TrainingConfig, length: Length | None, where: str) -> Iterator[str]:
    """What of the schedule moves otherwise in `where`."""
    schedule = config.schedule
    if config.optimizer.name == "schedule_free_adamw" and (schedule.name != "constant" or _warms_up(config)):
        yield (
            f"schedule.name ({schedule.name}): {where} keeps a schedule-free optimizer's rate as it is from the first "
            "step to the last, without a warm-up."
        )
    if 0 < config.validation.share < 1:
        yield (
            f"validation.share: {where} holds out other pictures, the same share of each folder, so its steps "
            "can be some more or fewer."
        )
    if length is None and schedule.max_steps:
        yield (
            f"schedule.max_steps ({schedule.max_steps}) counts in {where}, whatever schedule.epochs says: without the "
            "pictures nobody can know which of the two ends first."
        )


def _polynomial_end(config: TrainingConfig) -> float:
    """The rate at which polynomial ends, where `optimizer.learning_rate` is the full one."""
    return max(config.schedule.min_rate * config.optimizer.learning_rate, POLYNOMIAL_END)


def _warms_up(config: TrainingConfig) -> bool:
    return bool(config.schedule.warmup_steps or config.schedule.warmup_share)
