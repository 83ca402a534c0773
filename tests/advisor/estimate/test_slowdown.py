from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from advisor.estimate.device_speed import Speed, speed_of
from advisor.estimate.slowdown import Slowdown, slowdown
from advisor.estimate.step_work import StepWork, step_work
from advisor.families import family as family_of
from advisor.machine.cards import card_named
from advisor.settings.config import changed, with_values
from tests.support.factories import make_hardware, make_plan_config

CARD = Speed(flops_per_second=1e13, bytes_per_second=5e11, call_seconds=2e-5, uncertainty=2.0, source="")


@pytest.mark.parametrize(
    ("factors", "text"),
    [
        ((1.38, 1.36, 1.47), "about 38 % longer (36 to 47 %)"),
        ((1.38, 1.38, 1.38), "38 % longer"),
        ((0.56, 0.56, 0.56), "44 % less time"),
        ((0.56, 0.56, 0.9), "about 44 % less time (10 to 44 %)"),
        ((1.0, 1.0, 1.0), "as long"),
        ((1.001, 1.0, 1.004), "as long"),
        ((1.0, 1.0, 1.09), "about as long (at most 9 % longer)"),
        ((1.0, 0.74, 1.0), "about as long (at most 26 % less time)"),
        ((1.02, 0.9, 1.1), "about 2 % longer (10 % less time to 10 % longer)"),
    ],
)
def test_the_time_and_its_range_in_words(factors: tuple[float, float, float], text: str) -> None:
    assert Slowdown(*factors).text == text


def checkpointing(card: str, family: str, batch_size: int) -> Slowdown:
    gpu = card_named(card).as_gpu()
    hardware, structure = make_hardware(gpus=(gpu,)), family_of(family).standard
    assert structure is not None

    planned = make_plan_config(hardware=hardware, family=family)
    planned = with_values(planned, {"schedule.batch_size": batch_size, "schedule.gradient_accumulation": 1})
    off, on = (changed(planned, "memory.gradient_checkpointing", switch) for switch in (False, True))
    return slowdown(step_work(off, structure), step_work(on, structure), speed_of(on, hardware, gpu))


def test_checkpointing_costs_a_busy_4090_what_its_user_measured() -> None:
    """35 to 40 %, arca.live post 77209577."""
    found = checkpointing("RTX 4090", "sd1", 8)

    assert found.least < 1.35
    assert 1.4 < found.most < 1.6


@pytest.mark.parametrize(("family", "measured"), [("sd1", 1.67), ("sdxl", 1.77)])
def test_checkpointing_costs_a_card_that_waits_for_launches_more(family: str, measured: float) -> None:
    """SimpleTuner on an H100 with one picture."""
    found = checkpointing("H100", family, 1)

    assert found.likely == pytest.approx(measured, rel=0.16)
    assert found.likely > checkpointing("RTX 3060 12GB", family, 4).likely


def test_of_a_card_whose_speed_is_not_known_it_may_be_either() -> None:
    before, after = StepWork(1e12, 0, 1000), StepWork(1.4e12, 0, 1600)

    assert slowdown(before, after, None) == Slowdown(1.4, 1.4, 1.6)


WORK = st.builds(StepWork, st.floats(1e10, 1e14), st.floats(0, 1e11), st.floats(1e3, 1e6))


@given(WORK, WORK)
def test_the_range_holds_what_is_likely(before: StepWork, after: StepWork) -> None:
    found = slowdown(before, after, CARD)

    assert 0 < found.least <= found.likely <= found.most
    assert found.likely == pytest.approx(CARD.seconds(after) / CARD.seconds(before))
