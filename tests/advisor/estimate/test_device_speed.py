from __future__ import annotations

import pytest

from advisor.estimate.device_speed import CPU_UNCERTAINTY, QUANTISED_UNCERTAINTY, TENSOR_SHARES, speed_of
from advisor.estimate.step_work import StepWork
from advisor.machine.cards import card_named
from advisor.planning.planner import make_plan
from tests.support.factories import make_facts, make_gpu, make_hardware, make_plan_config

HARDWARE = make_hardware()
BF16 = make_plan_config(settings={"memory.compute_dtype": "bfloat16"})


@pytest.mark.parametrize(
    ("name", "capability", "cores", "clock", "peak"),
    [
        ("Tesla V100-SXM2-16GB", (7, 0), 5120, 1530, 125e12),
        ("Tesla T4", (7, 5), 2560, 1590, 65e12),
        ("NVIDIA GeForce RTX 2080 Ti", (7, 5), 4352, 1545, 53.8e12),
        ("NVIDIA A100-SXM4-80GB", (8, 0), 6912, 1410, 312e12),
        ("NVIDIA A10", (8, 6), 9216, 1695, 125e12),
        ("NVIDIA A10G", (8, 6), 9216, 1898, 70e12),
        ("NVIDIA L40", (8, 9), 18176, 2490, 181e12),
        ("NVIDIA L40S", (8, 9), 18176, 2520, 362e12),
        ("NVIDIA GeForce RTX 3090", (8, 6), 10496, 1695, 71e12),
        ("NVIDIA RTX A6000", (8, 6), 10752, 1800, 154.8e12),
        ("NVIDIA GeForce RTX 4090", (8, 9), 16384, 2520, 165.2e12),
        ("NVIDIA L4", (8, 9), 7424, 2040, 121e12),
        ("NVIDIA H100 80GB HBM3", (9, 0), 16896, 1830, 989e12),
        ("NVIDIA GeForce RTX 5090", (12, 0), 21760, 2407, 209.5e12),
    ],
)
def test_peaks_are_those_that_nvidia_tells(
    name: str, capability: tuple[int, int], cores: int, clock: int, peak: float
) -> None:
    gpu = make_gpu(24, name=name, compute_capability=capability, cuda_cores=cores, max_clock_mhz=clock)
    found = speed_of(BF16, HARDWARE, gpu)

    assert found is not None
    share = next(share for since, share in reversed(TENSOR_SHARES) if since <= capability)
    assert found.flops_per_second / share == pytest.approx(peak, rel=0.02)


def test_a_card_older_than_tensor_cores_is_far_slower() -> None:
    old, new = (speed_of(BF16, HARDWARE, make_gpu(8, compute_capability=one)) for one in ((6, 1), (7, 0)))

    assert old is not None
    assert new is not None
    assert old.flops_per_second <= new.flops_per_second / 4


def test_a_processor_with_bfloat16_is_faster_in_it_alone() -> None:
    with_it, without = (make_hardware(None, cpu_has_bf16=has) for has in (True, False))
    float32 = make_plan_config(vram_gib=None)
    fast, slow, plain = (speed_of(*one, None) for one in ((BF16, with_it), (BF16, without), (float32, with_it)))

    assert fast is not None
    assert slow is not None
    assert slow == plain
    assert fast.flops_per_second > 1.5 * slow.flops_per_second


def test_slow_memory_makes_steps_longer() -> None:
    fast, slow = (
        speed_of(BF16, HARDWARE, make_gpu(8, memory_bytes_per_second=one)) for one in (900e9, 300e9)
    )  # fmt: skip

    assert fast is not None
    assert slow is not None
    work = StepWork(flops=1e12, moved_bytes=8e9, calls=0)
    assert slow.seconds(work) > fast.seconds(work)


def test_the_slower_of_starting_and_computing_is_the_time_not_their_sum() -> None:
    found = speed_of(BF16, HARDWARE, make_gpu(8))

    assert found is not None
    starting, computing = StepWork(1e9, 0, 10_000), StepWork(1e13, 0, 10)
    both = StepWork(1e13, 0, 10_000)
    assert found.seconds(starting) == pytest.approx(10_000 * found.call_seconds)
    assert found.seconds(both) == pytest.approx(max(found.seconds(starting), found.seconds(computing)))


def test_a_faster_card_does_not_start_operations_faster() -> None:
    work = StepWork(flops=1e9, moved_bytes=0, calls=10_000)
    cards = [card_named(name).as_gpu() for name in ("H100", "RTX 3060 12GB")]
    speeds = [speed_of(BF16, HARDWARE, card) for card in cards]

    assert len({speed.seconds(work) for speed in speeds if speed is not None}) == 1


def test_times_on_a_quantised_base_are_less_sure() -> None:
    config = make_plan_config(settings={"memory.base_dtype": "int8"})
    found = speed_of(config, HARDWARE, make_gpu(8))

    assert found is not None
    assert found.uncertainty == QUANTISED_UNCERTAINTY


def test_a_processor_is_slower_and_less_sure() -> None:
    found = speed_of(BF16, make_hardware(None, cpu_threads=4), None)

    assert found is not None
    assert (found.flops_per_second, found.uncertainty) == (70e9, CPU_UNCERTAINTY)


def test_the_plan_gives_a_range_and_the_energy_where_the_driver_tells_the_limit() -> None:
    gpu = make_gpu(8, power_limit_watts=220.0)
    told = make_plan(make_facts(hardware=make_hardware(gpus=(gpu,)))).estimate
    silent = make_plan(make_facts()).estimate

    assert told.seconds is not None
    assert told.seconds_low == pytest.approx(told.seconds / 2)
    assert told.seconds_high == pytest.approx(told.seconds * 2)
    assert told.energy_wh == pytest.approx(220 * told.seconds / 3600)
    assert silent.energy_wh is None
