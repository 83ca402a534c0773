from __future__ import annotations

import pytest

from advisor.estimate.device_speed import Speed, speed_of
from advisor.estimate.disk import adapter_parameters
from advisor.estimate.several_processes import Shares, card_bytes, config_of_share, exchanged_bytes, times_faster
from advisor.estimate.vram import vram_bytes
from advisor.families.sd1 import STANDARD
from advisor.settings.config import ScheduleConfig, TrainingConfig, with_values
from tests.support.factories import make_gpu, make_hardware, make_plan_config


def config(batch: int, accumulation: int = 1) -> TrainingConfig:
    settings = {"schedule.batch_size": batch, "schedule.gradient_accumulation": accumulation}
    return with_values(make_plan_config(vram_gib=12.0), settings)


def speed(*, times: float = 1.0) -> Speed:
    gpu = make_gpu(12.0, max_clock_mhz=1725 * times)
    found = speed_of(config(4), make_hardware(gpus=[gpu]), gpu)
    assert found is not None
    return found


@pytest.mark.parametrize(
    ("batch", "accumulation", "processes", "shares"),
    [
        (4, 1, 2, Shares(4, 2, 2, 2, at_once=2, passes=1)),
        (4, 1, 3, Shares(4, 3, 1, 2, at_once=2, passes=1)),
        (1, 4, 2, Shares(4, 2, 2, 2, at_once=1, passes=2)),
        (2, 2, 2, Shares(4, 2, 2, 2, at_once=2, passes=1)),
        (4, 1, 8, Shares(4, 4, 1, 1, at_once=1, passes=1)),
        (1, 1, 2, Shares(1, 1, 1, 1, at_once=1, passes=1)),
    ],
)
def test_no_more_processes_than_pictures_have_a_share(
    batch: int, accumulation: int, processes: int, shares: Shares
) -> None:
    assert Shares.of(ScheduleConfig(batch_size=batch, gradient_accumulation=accumulation), processes) == shares


def test_the_sentence_says_who_takes_what() -> None:
    schedule = ScheduleConfig(batch_size=4)

    assert Shares.of(schedule, 2).sentence == "2 processes: each takes 2 of the 4 pictures of a step"
    assert Shares.of(schedule, 3).sentence == "3 processes: each takes 1 or 2 of the 4 pictures of a step"
    assert Shares.of(ScheduleConfig(), 1).sentence.startswith("A step has 1 picture")


def test_a_card_needs_what_its_share_needs_alone() -> None:
    shares = Shares.of(config(4).schedule, 2)

    assert card_bytes(config(4), STANDARD, shares) == vram_bytes(config(2), STANDARD)
    assert config_of_share(config(1, 4), Shares.of(config(1, 4).schedule, 2)) == config(1, 2)


@pytest.mark.parametrize("cards", [2, 3, 4, 8])
def test_several_cards_are_faster_but_never_more_than_pictures_allow(cards: int) -> None:
    found = times_faster(config(4), STANDARD, [speed()] * cards)

    assert 1.3 < found < {2: 2.0, 3: 2.0, 4: 4.0, 8: 4.0}[cards]


def test_a_second_card_does_nothing_for_one_picture_a_step() -> None:
    assert times_faster(config(1), STANDARD, [speed(), speed()]) == 1.0


def test_all_wait_for_the_slowest_and_for_the_link() -> None:
    alike = times_faster(config(4), STANDARD, [speed(), speed()])

    assert times_faster(config(4), STANDARD, [speed(), speed(times=0.5)]) < alike
    assert times_faster(config(4), STANDARD, [speed(), speed()], link_bytes_per_second=1e8) < 1.0


def test_a_ring_passes_each_gradient_nearly_twice() -> None:
    gradients = 4 * adapter_parameters(config(4), STANDARD)

    assert exchanged_bytes(config(4), STANDARD, 2) == gradients
    assert exchanged_bytes(config(4), STANDARD, 4) == 1.5 * gradients
    assert exchanged_bytes(config(4), STANDARD, 1) == 0
