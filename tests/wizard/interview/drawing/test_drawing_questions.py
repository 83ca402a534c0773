from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from advisor.planning.drawing_offer import DrawingOffer
from advisor.planning.planner import make_plan
from advisor.settings.parse_value import parse_settings
from tests.support.scripted import HAPPY, Answer, ScriptedAsk, default, make_probes, run_interview
from wizard.interview.drawing.drawing_questions import drawing_question, drawing_settings
from wizard.interview.facts import facts_of_state
from wizard.interview.flow import InterviewState, Probes
from wizard.interview.machine_options import MachineOptions
from wizard.interview.questions import BACK

OFFER = DrawingOffer(("mira, 1girl", "mira", "mira, beach", "1girl"), 1, True, "four", 120.0, 960.0)
COSTLY = replace(OFFER, is_advised=False, reason="none: it would take 40 % of the run", every_epochs=5)


def probes(offer: DrawingOffer | None) -> Probes:
    return replace(make_probes(), drawing=lambda _: offer)


def prompts_planned(*answers: Answer, offer: DrawingOffer | None = OFFER) -> tuple[tuple[str, ...], ScriptedAsk]:
    ask = ScriptedAsk(*HAPPY, *answers)
    found = probes(offer)
    facts = facts_of_state(run_interview(ask, probes=found), found, MachineOptions())
    assert ask.is_done
    return make_plan(facts).config.sampling.prompts, ask


def test_it_is_asked_once_with_prompts_and_time() -> None:
    _, ask = prompts_planned(default)
    question = ask.asked[-1]

    assert ask.keys.count("draw") == 1
    assert question.default == "yes"
    assert question.text == "Take 2 minutes more to find the best epoch, by pictures drawn after each epoch?"
    assert "Yes, of these prompts: 16 minutes in all" in [option.title for option in question.options]
    assert question.intro.splitlines()[1:] == ["  mira, 1girl", "  mira", "  mira, beach", "  1girl"]


def test_a_yes_leaves_it_to_the_rules_and_a_no_draws_nothing() -> None:
    assert len(prompts_planned("yes")[0]) == 4
    assert prompts_planned("no")[0] == ()


def test_prompts_can_be_edited_and_left_out() -> None:
    found, ask = prompts_planned("others", default, "mira, in space", "", " ")

    assert found == ("mira, 1girl", "mira, in space")
    assert ask.keys[-4:] == ["prompt_0", "prompt_1", "prompt_2", "prompt_3"]


def test_without_any_prompt_nothing_is_drawn() -> None:
    assert prompts_planned("others", "", "", "", "")[0] == ()


def test_where_the_rules_advise_against_it_no_is_proposed_and_a_yes_counts() -> None:
    found, ask = prompts_planned("yes", offer=COSTLY)

    assert found == OFFER.prompts
    assert ask.asked[-1].default == "no"
    assert ask.asked[-1].intro.endswith("Advised against: it would take 40 % of the run.")
    assert ask.asked[-1].text == "Take 2 minutes more to find the best epoch, by pictures drawn after every 5 epochs?"


def test_another_answer_after_going_back_counts_alone() -> None:
    assert len(prompts_planned("others", "a", BACK, BACK, "yes")[0]) == 4
    assert prompts_planned("others", "a", BACK, BACK, "no")[0] == ()


def test_nothing_is_asked_where_there_is_nothing_to_choose() -> None:
    _, ask = prompts_planned(offer=None)

    assert "draw" not in ask.keys


def test_answers_of_an_interview_that_was_broken_off_are_kept() -> None:
    drafts = {"draw": "others", "prompt_0": "a", "prompt_1": "", "prompt_2": "", "prompt_3": ""}
    ask = ScriptedAsk(*HAPPY)

    state = run_interview(ask, probes=probes(OFFER), drafts=drafts)

    assert drawing_settings(state.answers) == {"sampling.prompts": '["a"]'}


@pytest.mark.parametrize("prompt", ['a "quoted" one', "a, b", "[x]", "ä \\(b\\)"])
def test_any_prompt_arrives_as_it_was_typed(prompt: str) -> None:
    settings: dict[str, Any] = drawing_settings({"draw": "others", "prompt_0": prompt})

    assert parse_settings(settings)["sampling.prompts"] == (prompt,)


def test_a_long_prompt_and_one_that_steers_a_terminal_stay_lines_of_the_list() -> None:
    offer = replace(OFFER, prompts=("a" * 300, "b\x1b[31m\nc"))

    lines = drawing_question(offer).intro.splitlines()

    assert len(lines) == 3
    assert max(map(len, lines)) <= 80
    assert "\x1b" not in lines[2]


def test_a_state_without_answers_chooses_nothing() -> None:
    assert drawing_settings(InterviewState().answers) == {}


def test_other_prompts_are_drawn_as_often_as_the_question_said() -> None:
    found = probes(replace(OFFER, every_epochs=2))
    state = run_interview(ScriptedAsk(*HAPPY, "others", "a", "", "", ""), probes=found)

    assert make_plan(facts_of_state(state, found, MachineOptions())).config.sampling.every_epochs == 2
