from __future__ import annotations

import pytest

from tests.support.scripted import HAPPY, Interrupt, ScriptedAsk, default, run_interview
from wizard.interview.flow import InterviewState
from wizard.interview.questions import BACK


def test_a_bad_answer_is_explained_and_asked_again_with_what_was_typed() -> None:
    ask = ScriptedAsk("character", "/nowhere", *HAPPY[1:])

    state = run_interview(ask)

    assert "/nowhere does not exist" in ask.heard
    assert ask.keys[:3] == ["subject", "images", "images"]
    assert ask.asked[2].default == "/nowhere"
    assert state.answers["images"] == "/pictures"


def test_back_goes_to_the_question_before_with_its_answer_standing_there() -> None:
    ask = ScriptedAsk("style", "/pictures", BACK, default, *HAPPY[2:])

    state = run_interview(ask)

    assert ask.keys[:4] == ["subject", "images", "model", "images"]
    assert ask.asked[3].default == "/pictures"
    assert state.answers["subject"] == "style"


def test_back_at_the_first_question_asks_it_again() -> None:
    ask = ScriptedAsk(BACK, *HAPPY)

    run_interview(ask)

    assert ask.keys[:2] == ["subject", "subject"]


def test_every_question_can_be_gone_back_to_from_the_last() -> None:
    backs = [BACK] * 6
    ask = ScriptedAsk(*HAPPY[:6], *backs, *HAPPY)

    run_interview(ask)

    assert ask.keys[6:13] == ["machine", "trigger", "name", "lineage", "model", "images", "subject"]
    assert ask.is_done


def test_what_the_command_line_answered_is_not_asked_nor_gone_back_to() -> None:
    given = {"images": "/pictures", "name": "mira", "machine": "other", "card": "", "vram": "12GiB", "generation": ""}
    ask = ScriptedAsk("character", "/models/base.safetensors", "none", BACK, "none", "mira")

    state = run_interview(ask, given=given)

    assert ask.keys == ["subject", "model", "lineage", "trigger", "lineage", "trigger"]
    assert state.answers["vram"] == "12GiB"


def test_a_wrong_option_is_told_and_asked_instead() -> None:
    ask = ScriptedAsk(*HAPPY)

    run_interview(ask, given={"images": "/nowhere"})

    assert "/nowhere does not exist" in ask.heard
    assert "images" in ask.keys


def test_answers_are_kept_after_each_question() -> None:
    kept: list[InterviewState] = []
    ask = ScriptedAsk("character", "/pictures", Interrupt)

    with pytest.raises(KeyboardInterrupt):
        run_interview(ask, keep=kept.append)

    assert [list(state.answers) for state in kept] == [["subject"], ["subject", "images"]]


def test_drafts_are_taken_up_until_the_first_open_question() -> None:
    ask = ScriptedAsk("mira", "mira", "gpu:0")
    drafts = {"subject": "style", "images": "/pictures", "model": "/models/base.safetensors", "lineage": "none"}

    state = run_interview(ask, drafts=drafts)

    assert ask.keys == ["name", "trigger", "machine"]
    assert state.answers["subject"] == "style"


def test_a_draft_that_no_longer_fits_is_told_and_asked_again() -> None:
    ask = ScriptedAsk("/pictures", *HAPPY[2:])

    run_interview(ask, drafts={"subject": "character", "images": "/gone"})

    assert "/gone does not exist" in ask.heard
    assert ask.asked[0].default == "/gone"
