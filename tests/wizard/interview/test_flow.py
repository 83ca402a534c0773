from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from tests.support.factories import make_dataset, make_gpu, make_hardware, make_identity
from tests.support.scripted import HAPPY, Interrupt, ScriptedAsk, default, make_probes
from wizard.interview.facts import facts_of_state
from wizard.interview.flow import Interview, InterviewState
from wizard.interview.machine_options import MachineOptions
from wizard.interview.questions import BACK
from wizard.interview.steps import STEPS


def interview(ask: ScriptedAsk, **more: Any) -> InterviewState:
    probes = more.pop("probes", None) or make_probes()
    return Interview(STEPS, probes, ask, **more).run()


def test_questions_come_in_the_order_a_person_thinks() -> None:
    ask = ScriptedAsk(*HAPPY)

    interview(ask)

    assert ask.keys == ["subject", "images", "model", "lineage", "name", "trigger", "machine"]


def test_what_was_found_is_told_after_each_answer() -> None:
    ask = ScriptedAsk(*HAPPY)

    interview(ask)

    assert "30 pictures" in ask.heard
    assert "SD1.x" in ask.heard


def test_a_bad_answer_is_explained_and_asked_again_with_what_was_typed() -> None:
    ask = ScriptedAsk("character", "/nowhere", *HAPPY[1:])

    state = interview(ask)

    assert "/nowhere does not exist" in ask.heard
    assert ask.keys[:3] == ["subject", "images", "images"]
    assert ask.asked[2].default == "/nowhere"
    assert state.answers["images"] == "/pictures"


@pytest.mark.parametrize(
    ("identity", "told"),
    [
        (make_identity(kind="lora"), "is a LoRA, not a base model"),
        (make_identity("sdxl", trainable=False, why_not="SDXL is not trained yet"), "SDXL is not trained yet"),
        (make_identity(None, kind="unknown"), "no model that I know"),
    ],
)
def test_a_model_that_cannot_be_trained_on_is_refused_in_words(identity: Any, told: str) -> None:
    good = make_identity()
    probes = make_probes(identities={"/x": identity, "/models/base.safetensors": good})
    ask = ScriptedAsk("character", "/pictures", "/x", *HAPPY[2:])

    state = interview(ask, probes=probes)

    assert told in ask.heard
    assert state.identity == good


def test_back_goes_to_the_question_before_with_its_answer_standing_there() -> None:
    ask = ScriptedAsk("style", "/pictures", BACK, default, *HAPPY[2:])

    state = interview(ask)

    assert ask.keys[:4] == ["subject", "images", "model", "images"]
    assert ask.asked[3].default == "/pictures"
    assert state.answers["subject"] == "style"


def test_back_at_the_first_question_asks_it_again() -> None:
    ask = ScriptedAsk(BACK, *HAPPY)

    interview(ask)

    assert ask.keys[:2] == ["subject", "subject"]


def test_every_question_can_be_gone_back_to_from_the_last() -> None:
    backs = [BACK] * 6
    ask = ScriptedAsk(*HAPPY[:6], *backs, *HAPPY)

    interview(ask)

    assert ask.keys[6:13] == ["machine", "trigger", "name", "lineage", "model", "images", "subject"]
    assert ask.is_done


def test_what_the_command_line_answered_is_not_asked_nor_gone_back_to() -> None:
    given = {"images": "/pictures", "name": "mira", "machine": "other", "vram": "12GiB", "generation": ""}
    ask = ScriptedAsk("character", "/models/base.safetensors", "none", BACK, "none", "mira")

    state = interview(ask, given=given)

    assert ask.keys == ["subject", "model", "lineage", "trigger", "lineage", "trigger"]
    assert state.answers["vram"] == "12GiB"


def test_a_wrong_option_is_told_and_asked_instead() -> None:
    ask = ScriptedAsk(*HAPPY)

    interview(ask, given={"images": "/nowhere"})

    assert "/nowhere does not exist" in ask.heard
    assert "images" in ask.keys


def test_answers_are_kept_after_each_question() -> None:
    kept: list[InterviewState] = []
    ask = ScriptedAsk("character", "/pictures", Interrupt)

    with pytest.raises(KeyboardInterrupt):
        interview(ask, keep=kept.append)

    assert [list(state.answers) for state in kept] == [["subject"], ["subject", "images"]]


def test_drafts_are_taken_up_until_the_first_open_question() -> None:
    ask = ScriptedAsk("mira", "mira", "gpu:0")
    drafts = {"subject": "style", "images": "/pictures", "model": "/models/base.safetensors", "lineage": "none"}

    state = interview(ask, drafts=drafts)

    assert ask.keys == ["name", "trigger", "machine"]
    assert state.answers["subject"] == "style"


def test_a_draft_that_no_longer_fits_is_told_and_asked_again() -> None:
    ask = ScriptedAsk("/pictures", *HAPPY[2:])

    interview(ask, drafts={"subject": "character", "images": "/gone"})

    assert "/gone does not exist" in ask.heard
    assert ask.asked[0].default == "/gone"


def test_the_lineage_guess_is_marked_first_and_its_ground_told() -> None:
    guessed = make_identity(lineage="anylora", lineage_reason="its name")
    probes = make_probes(identities={"/models/base.safetensors": guessed})
    ask = ScriptedAsk(*HAPPY)

    interview(ask, probes=probes)

    lineage = next(question for question in ask.asked if question.key == "lineage")
    assert lineage.default == "anylora"
    assert "its name" in lineage.text


def test_the_prediction_is_asked_where_the_file_does_not_tell_and_both_kinds_are_about() -> None:
    unclear = make_identity("sdxl", prediction=None, trainable=True)
    probes = make_probes(identities={"/models/base.safetensors": unclear})
    ask = ScriptedAsk("character", "/pictures", "/models/base.safetensors", "v_prediction", "noobai", *HAPPY[4:])

    state = interview(ask, probes=probes)

    assert facts_of_state(state, probes, MachineOptions()).answers.settings["model.prediction"] == "v_prediction"


def test_an_sd1_model_that_does_not_tell_its_prediction_raises_no_question() -> None:
    probes = make_probes(identities={"/models/base.safetensors": make_identity(prediction=None)})
    ask = ScriptedAsk(*HAPPY)

    interview(ask, probes=probes)

    assert "prediction" not in ask.keys


def test_a_name_is_proposed_by_the_folder() -> None:
    report = make_dataset(root="/home/me/lora/Mira Fox/images", captions="1girl, smile")
    ask = ScriptedAsk("character", "/pictures", *HAPPY[2:4], default, default, "gpu:0")

    state = interview(ask, probes=make_probes(reports={"/pictures": report}))

    assert state.answers["name"] == "Mira_Fox"
    assert state.answers["trigger"] == "Mira_Fox"


def test_captions_without_the_trigger_are_told() -> None:
    ask = ScriptedAsk(*HAPPY[:4], "kira", "kira", "gpu:0")

    interview(ask)

    assert '30 of 30 captions have no "kira"' in ask.heard


def test_an_empty_trigger_is_the_name() -> None:
    ask = ScriptedAsk(*HAPPY[:5], "", "gpu:0")

    assert interview(ask).answers["trigger"] == "mira"


def test_without_a_card_the_processor_needs_an_explicit_yes() -> None:
    probes = make_probes(hardware=make_hardware(None))
    ask = ScriptedAsk(*HAPPY[:6], "cpu")

    state = interview(ask, probes=probes)

    machine = ask.asked[-1]
    assert "No usable graphics card" in machine.text
    assert [option.value for option in machine.options] == ["other", "cpu"]
    assert machine.default == ""
    assert facts_of_state(state, probes, MachineOptions()).answers.use_cpu


def test_another_machine_is_asked_for_its_memory_and_generation() -> None:
    probes = make_probes(hardware=make_hardware(None))
    ask = ScriptedAsk(*HAPPY[:6], "other", "a lot", "6 GB", "6.1")

    state = interview(ask, probes=probes)
    gpu = facts_of_state(state, probes, MachineOptions()).gpu

    assert "'a lot' is no memory of a card" in ask.heard
    assert gpu is not None
    assert gpu.total_bytes == 6 * 1024**3
    assert gpu.compute_capability == (6, 1)


def test_the_second_card_can_be_chosen() -> None:
    cards = (make_gpu(24.0, name="A", index=0, uuid="GPU-a"), make_gpu(8.0, name="B", index=1, uuid="GPU-b"))
    probes = make_probes(hardware=make_hardware(gpus=cards))
    ask = ScriptedAsk(*HAPPY[:6], "gpu:1")

    gpu = facts_of_state(interview(ask, probes=probes), probes, MachineOptions()).gpu

    assert ask.asked[-1].default == "gpu:0"
    assert gpu is not None
    assert gpu.name == "B"


def test_a_card_of_unknown_memory_is_asked_about() -> None:
    card = replace(make_gpu(vendor="amd", name="RX 6600"), total_bytes=0, free_bytes=0)
    probes = make_probes(hardware=make_hardware(gpus=(card,)))
    ask = ScriptedAsk(*HAPPY[:6], "gpu:0", "8")

    gpu = facts_of_state(interview(ask, probes=probes), probes, MachineOptions()).gpu

    assert gpu is not None
    assert gpu.total_bytes == 8 * 1024**3


def test_no_known_lineage_leaves_the_setting_to_the_rules() -> None:
    probes = make_probes()
    state = interview(ScriptedAsk(*HAPPY), probes=probes)

    assert facts_of_state(state, probes, MachineOptions()).answers.settings == {}


def test_a_guessed_lineage_that_is_denied_is_a_choice() -> None:
    probes = make_probes(identities={"/models/base.safetensors": make_identity(lineage="anylora")})
    state = interview(ScriptedAsk(*HAPPY), probes=probes)

    assert facts_of_state(state, probes, MachineOptions()).answers.settings == {"model.lineage": "none"}


@pytest.mark.parametrize(
    ("captions", "proposed"),
    [
        ("zoe_v2, 1girl, smile", "zoe_v2"),
        (["zoe_v2, smile", "zoe_v2, sad", "outdoors, smile"], "zoe_v2"),
        ("1girl, zoe_v2, smile", "Mira_Fox"),
        ("a girl at the sea, smile", "Mira_Fox"),
        (["a, smile", "b, smile", "c, smile"], "Mira_Fox"),
        (None, "Mira_Fox"),
    ],
)
def test_the_trigger_that_captions_begin_with_is_proposed(captions: Any, proposed: str) -> None:
    probes = make_probes(reports={"/pictures": make_dataset(captions=captions)})
    ask = ScriptedAsk(*HAPPY[:4], "Mira_Fox", "x", "gpu:0")

    interview(ask, probes=probes)

    assert next(question.default for question in ask.asked if question.key == "trigger") == proposed
