from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from advisor.estimate.calibration import LEAST_MEMORY_BYTES, MOST_MEMORY_CORRECTION, Receipt, corrections, machine_key
from advisor.planning.planner import make_plan
from advisor.units import GIB
from tests.support.factories import make_facts, make_gpu, make_hardware, make_plan_config

HERE = make_hardware()
KEY = machine_key(HERE, HERE.main_gpu)


def receipt(memory: float = 1.0, time: float = 1.0, **fields: Any) -> Receipt:
    """A run that took so many times what was predicted."""
    values: dict[str, Any] = {
        "machine": KEY, "kind": "train", "family": "sd1", "checkpointing": False, "predicted_bytes": 4 * GIB,
        "peak_bytes": int(4 * GIB * memory), "predicted_step_seconds": 1.0, "step_seconds": time, "steps": 50,
    }  # fmt: skip
    return Receipt(**(values | fields))


def found(*receipts: Receipt, machine: str = KEY) -> Any:
    return corrections(receipts, machine, make_plan_config())


def test_one_run_corrects_the_time_but_not_the_memory() -> None:
    seen = found(receipt(memory=1.2, time=1.7))

    assert (seen.time, seen.memory) == (1.7, 1.0)


def test_one_odd_run_among_three_changes_nothing() -> None:
    usual = [receipt(memory=1.1, time=0.8) for _ in range(3)]

    odd = receipt(memory=9.0, time=40.0)
    assert found(*usual, odd).memory == pytest.approx(found(*usual).memory)
    assert found(*usual, odd).time == pytest.approx(found(*usual).time)


def test_of_two_runs_the_faster_counts() -> None:
    assert found(receipt(time=3.0), receipt(time=1.2)).time == 1.2


def test_memory_is_never_corrected_downwards_nor_beyond_its_limit() -> None:
    assert found(*[receipt(memory=0.5)] * 4).memory == 1.0
    assert found(*[receipt(memory=3.0)] * 4).memory == MOST_MEMORY_CORRECTION


def test_toy_models_say_nothing_of_memory() -> None:
    toys = [receipt(predicted_bytes=LEAST_MEMORY_BYTES - 1, peak_bytes=2 * LEAST_MEMORY_BYTES)] * 3

    assert found(*toys).memory == 1.0


def test_runs_on_another_card_say_nothing() -> None:
    other = make_gpu(24, name="NVIDIA GeForce RTX 3090")

    assert found(*[receipt(memory=1.2, time=2.0)] * 3, machine=machine_key(HERE, other)).notes == ()


def test_runs_with_the_same_checkpointing_go_before_others() -> None:
    unlike = [receipt(time=5.0, checkpointing=True)] * 5

    assert found(receipt(time=1.5), *unlike).time == 1.5


def test_a_run_of_two_steps_says_nothing_of_time() -> None:
    assert found(receipt(time=9.0, steps=2)).time == 1.0


def test_a_step_of_another_order_of_size_says_nothing_of_time() -> None:
    toy = [receipt(time=0.05, predicted_step_seconds=0.01)] * 4

    def factor(step_seconds: float) -> float:
        return corrections(toy, KEY, make_plan_config(), step_seconds=step_seconds).time

    assert (factor(0.02), factor(0.0005), factor(27.0), factor(0.0001)) == (5.0, 5.0, 1.0, 1.0)


def test_a_plan_uses_them_and_says_so() -> None:
    facts = make_facts(settings={"schedule.batch_size": 2})
    before = make_plan(facts).estimate
    after = make_plan(replace(facts, receipts=tuple([receipt(memory=1.05, time=1.5)] * 3))).estimate

    assert before.seconds_per_step is not None
    assert after.seconds_per_step == pytest.approx(1.5 * before.seconds_per_step)
    assert after.vram_bytes > before.vram_bytes
    assert sum(after.vram_parts.values()) == after.vram_bytes
    assert sum(note.startswith("measured on this machine") for note in after.notes) == 2


def test_a_card_that_is_only_imagined_is_not_corrected() -> None:
    facts = make_facts()
    receipts = tuple([receipt(memory=1.3, time=3.0)] * 3)
    imagined = replace(facts, hardware=facts.hardware.with_gpu(total_bytes=8 * 1024**3), receipts=receipts)

    assert not any("measured" in note for note in make_plan(imagined).estimate.notes if note.startswith("measured on"))


def test_corrected_memory_that_does_not_fit_is_planned_smaller() -> None:
    facts = make_facts(hardware=make_hardware(6.0))
    here = machine_key(facts.hardware, facts.gpu)
    plan = make_plan(facts)
    corrected = make_plan(replace(facts, receipts=tuple([receipt(memory=1.3, machine=here)] * 3)))

    assert corrected.estimate.vram_bytes < 1.3 * plan.estimate.vram_bytes
    assert corrected.config != plan.config
