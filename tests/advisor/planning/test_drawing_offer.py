from __future__ import annotations

from typing import Any

import pytest

from advisor.planning.drawing_offer import drawing_offer
from tests.support.factories import make_facts, make_plan_for


def test_what_the_rules_draw_is_offered_with_its_time() -> None:
    plan, offer = make_plan_for(), drawing_offer(make_facts())

    assert offer is not None
    assert offer.is_advised
    assert offer.prompts == plan.config.sampling.prompts
    assert (offer.seconds, offer.run_seconds) == (plan.estimate.sampling_seconds, plan.estimate.seconds)


def test_what_costs_too_much_is_offered_with_the_reason_against_it() -> None:
    plan, offer = make_plan_for(vram_gib=None), drawing_offer(make_facts(vram_gib=None, use_cpu=True))

    assert offer is not None
    assert not offer.is_advised
    assert len(offer.prompts) == 4
    assert offer.reason.startswith("none: drawing would take")
    assert (offer.seconds or 0) > 0.15 * (offer.run_seconds or 0) > 0
    assert plan.config.sampling.prompts == ()


@pytest.mark.parametrize(
    "fields",
    [
        {"vram_gib": 4.0},
        {"settings": {"sampling.prompts": "mira"}},
        {"settings": {"sampling.prompts": ""}},
        {"settings": {"sampling.every_epochs": 0}},
        {"settings": {"schedule.max_steps": 100}},
    ],
)
def test_where_nothing_can_be_drawn_or_it_was_chosen_nothing_is_offered(fields: dict[str, Any]) -> None:
    assert drawing_offer(make_facts(**fields)) is None
