from __future__ import annotations

import json
from typing import Any, get_args

import pytest

from advisor.errors import ConfigError
from advisor.settings.config import ScheduleConfig, ScheduleName
from tests.support.paths import KOHYA_VECTORS
from trainer.optim.schedule import SHAPES, Schedule

VECTORS = json.loads(KOHYA_VECTORS.read_text(encoding="utf-8"))
CASES = [case for case in VECTORS["lr"] if "lr" in case]
STEPS = 20
NOT_IN_THE_VECTORS = ("adafactor",)
"""Schedules that kohya's trainer made no rates of: its own for Adafactor, and any that only we have."""


@pytest.mark.parametrize("case", CASES, ids=lambda case: f"{case['name']} {' '.join(case['extra'])}")
def test_rates_are_those_of_kohyas_trainer(case: dict[str, Any]) -> None:
    schedule = schedule_of(case["name"], dict(zip(case["extra"][::2], case["extra"][1::2], strict=True)))

    rates = [schedule.factor(step) for step in range(STEPS)]

    assert rates == pytest.approx(case["lr"], rel=1e-9, abs=1e-12)


def schedule_of(name: str, extra: dict[str, str]) -> Schedule:
    """The schedule for kohya's arguments; its vectors were made with a learning rate of 1."""
    warmup = float(extra.get("--lr_warmup_steps", 0))
    config = ScheduleConfig(
        name=name,  # type: ignore[arg-type]
        warmup_steps=int(warmup) if warmup >= 1 else 0,
        warmup_share=warmup if warmup < 1 else 0.0,
        cycles=int(extra.get("--lr_scheduler_num_cycles", 1)),
        power=float(extra.get("--lr_scheduler_power", 1)),
        min_rate=float(extra.get("--lr_scheduler_min_lr_ratio", 0)),
    )
    made = Schedule.of(config, num_steps=STEPS, learning_rate=1.0, optimizer="adamw")
    decay = int(extra.get("--lr_decay_steps", made.decay_steps))
    pieces = ((5, 1.0), (10, 0.1), (STEPS, 0.01)) if name == "piecewise_constant" else ()
    return Schedule(**{**vars(made), "decay_steps": decay, "pieces": pieces})


def test_every_schedule_of_the_settings_has_a_shape() -> None:
    assert set(SHAPES) == set(get_args(ScheduleName))


def test_all_of_kohyas_working_cases_are_covered() -> None:
    assert len(CASES) == 11
    assert {case["name"] for case in CASES} == set(SHAPES) - set(NOT_IN_THE_VECTORS)


def test_constant_with_a_warm_up_warms_up_where_kohya_gives_an_error() -> None:
    schedule = schedule_of("constant", {"--lr_warmup_steps": "4"})

    assert [schedule.factor(step) for step in (0, 2, 4, 19)] == [0.0, 0.5, 1.0, 1.0]


def test_adafactors_schedule_is_refused_for_other_optimizers() -> None:
    with pytest.raises(ConfigError, match=r"schedule\.name is 'adafactor'"):
        Schedule.of(ScheduleConfig(name="adafactor"), num_steps=4, learning_rate=1e-4, optimizer="adamw")


@pytest.mark.parametrize("name", SHAPES)
@pytest.mark.parametrize("warmup", [0, 1, 3])
def test_no_schedule_goes_below_zero_or_above_one(name: str, warmup: int) -> None:
    config = ScheduleConfig(name=name, warmup_steps=warmup)  # type: ignore[arg-type]
    schedule = Schedule.of(config, num_steps=3, learning_rate=1e-4, optimizer="adafactor")

    assert all(0 <= schedule.factor(step) <= 1 for step in range(6))
