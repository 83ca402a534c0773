from __future__ import annotations

from typing import Any

import pytest

from advisor.estimate.timing import step_seconds
from advisor.families.sd1 import STANDARD
from advisor.families.sdxl import STANDARD as SDXL_STANDARD
from advisor.machine.cards import card_named
from tests.support.factories import make_gpu, make_hardware, make_plan_config, make_plan_for


def seconds(gpu: Any, structure: Any, **fields: Any) -> float:
    hardware = make_hardware(gpus=(gpu,))
    found = step_seconds(make_plan_config(hardware=hardware, **fields), structure, hardware, gpu)
    assert found is not None
    return found


def test_an_h100_is_near_what_others_measured_on_sd15() -> None:
    """0.181 s, SimpleTuner."""
    gpu = make_gpu(80, compute_capability=(9, 0), name="NVIDIA H100", cuda_cores=16896, max_clock_mhz=1980)
    settings = {"schedule.batch_size": 1, "dataset.resolution_px": 512}

    assert 0.09 < seconds(gpu, STANDARD, settings=settings) < 0.36


@pytest.mark.parametrize(
    ("name", "cores", "clock", "measured"),
    [("NVIDIA GeForce RTX 3090", 10496, 1695, 1.3), ("NVIDIA GeForce RTX 3060", 3584, 1777, 2.6)],
)
def test_a_card_is_within_twice_what_users_report_on_sdxl(name: str, cores: int, clock: int, measured: float) -> None:
    """kohya_ss issue 1288."""
    gpu = make_gpu(24, name=name, cuda_cores=cores, max_clock_mhz=clock)
    settings = {"schedule.batch_size": 1, "memory.gradient_checkpointing": False}

    assert measured / 2 < seconds(gpu, SDXL_STANDARD, family="sdxl", settings=settings) < measured * 2


def test_two_threads_of_a_processor_are_near_what_was_seen() -> None:
    """6.3 s at 256 px on two threads."""
    hardware = make_hardware(None, cpu_threads=4)
    settings = {"dataset.resolution_px": 256, "optimizer.text_encoder_learning_rate": 0}
    config = make_plan_config(hardware=hardware, settings=settings)

    found = step_seconds(config, STANDARD, hardware, None)
    assert found == pytest.approx(6.3, rel=0.3)


@pytest.mark.parametrize("name", ["NVIDIA H100", "NVIDIA L40S"])
def test_sdxl_takes_a_fast_card_what_launching_takes(name: str) -> None:
    """0.61 and 0.59 s, SimpleTuner; the card could compute it in a tenth."""
    gpu = card_named(name).as_gpu()
    settings = {"schedule.batch_size": 1, "memory.gradient_checkpointing": False}

    assert 0.5 < seconds(gpu, SDXL_STANDARD, family="sdxl", settings=settings) < 1.0


def test_checkpointing_takes_longer() -> None:
    gpu = make_gpu(24)
    off, on = (seconds(gpu, STANDARD, settings={"memory.gradient_checkpointing": switch}) for switch in (False, True))

    assert 1.3 < on / off < 1.7


def test_nothing_is_said_of_a_card_whose_speed_is_not_known() -> None:
    plan = make_plan_for(hardware=make_hardware(gpus=(make_gpu(8, cuda_cores=None),)))

    assert plan.estimate.seconds is None
    assert "nothing is known" in plan.estimate.notes[1]
