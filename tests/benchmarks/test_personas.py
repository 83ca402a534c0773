from __future__ import annotations

import re

import pytest

from advisor.planning.planner import make_plan
from benchmarks.personas import PAGE, PERSONAS, TEXT, Persona, table
from benchmarks.reasons import sentences


def test_the_page_is_as_plans_are_today() -> None:
    assert PAGE.read_text("utf-8") == TEXT.format(table=table())


@pytest.mark.parametrize("persona", PERSONAS, ids=lambda one: f"{one.num_images}-{one.base}-{one.card}-{one.subject}")
def test_everybody_gets_a_plan_that_fits_and_learns(persona: Persona) -> None:
    facts = persona.facts
    plan = make_plan(facts)
    schedule = plan.config.schedule

    assert plan.estimate.seconds is not None
    assert plan.estimate.vram_bytes <= 0.95 * facts.free_bytes
    if facts.gpu is not None:
        assert schedule.batch_size * schedule.gradient_accumulation == 4
        assert 1500 <= plan.estimate.steps <= 3000


def test_sentences_are_whole() -> None:
    told = sentences()

    assert len(told) > 200
    for _, sentence in told.values():
        assert not re.search(r"\bNone\b|  |\{|\bnan\b", sentence), sentence


def test_no_reason_calls_a_smaller_need_too_large() -> None:
    """Of what was not taken the need is over what is free, or the sentence says that a share stays free."""
    for _, sentence in sentences().values():
        for needed, free, rest in re.findall(r"would need ([\d.]+) GiB of the ([\d.]+) GiB free(,?)", sentence):
            assert float(needed) > float(free) or rest, sentence
