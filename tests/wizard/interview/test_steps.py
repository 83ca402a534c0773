from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from advisor.checkpoints.identity import PartFile
from tests.support.factories import make_dataset, make_identity
from tests.support.scripted import HAPPY, ScriptedAsk, default, make_probes, run_interview
from wizard.interview.facts import facts_of_state
from wizard.interview.flow import InterviewState
from wizard.interview.machine_options import MachineOptions


def test_questions_come_in_the_order_a_person_thinks() -> None:
    ask = ScriptedAsk(*HAPPY)

    run_interview(ask)

    assert ask.keys == ["subject", "images", "model", "lineage", "name", "trigger", "machine"]


def test_what_was_found_is_told_after_each_answer() -> None:
    ask = ScriptedAsk(*HAPPY)

    run_interview(ask)

    assert "30 pictures" in ask.heard
    assert "SD1.x" in ask.heard


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

    state = run_interview(ask, probes=probes)

    assert told in ask.heard
    assert state.identity == good


QWEN = PartFile("text_encoder", None, (), "qwen_3_06b_base.safetensors", 1_192_000_000)
VAE = PartFile("vae", "/c/vae/v.safetensors", (), "qwen_image_vae.safetensors", 254_000_000)


def test_the_question_of_the_base_model_tells_what_each_family_is_good_at() -> None:
    ask = ScriptedAsk(*HAPPY)

    run_interview(ask)

    question = next(question for question in ask.asked if question.key == "model")
    assert "- SDXL: drawings by tags" in question.intro


def test_only_a_part_that_was_not_found_is_asked_for_and_becomes_its_setting() -> None:
    base = make_identity("sd1", part_files=(QWEN, VAE))
    refused = "/x/vae.safetensors is no qwen_3_06b_base.safetensors"
    probes = replace(
        make_probes(identities={"/models/base.safetensors": base}),
        why_not_part=lambda _base, _kind, file: refused if file.startswith("/x") else "",
    )
    ask = ScriptedAsk(*HAPPY[:3], "/x/vae.safetensors", "/c/qwen.safetensors", *HAPPY[3:])

    state = run_interview(ask, probes=probes)

    assert ask.keys.count("text_encoder_path") == 2
    assert "vae_path" not in ask.keys
    question = next(question for question in ask.asked if question.key == "text_encoder_path")
    assert "qwen_3_06b_base.safetensors (1.1 GiB) is what to get" in question.intro
    assert refused in ask.heard
    chosen = facts_of_state(state, probes, MachineOptions()).answers.settings
    assert chosen["model.text_encoder_path"] == "/c/qwen.safetensors"


def test_a_part_that_was_chosen_by_name_is_not_asked_for() -> None:
    base = make_identity("sd1", part_files=(QWEN,))
    probes = make_probes(identities={"/models/base.safetensors": base})
    ask = ScriptedAsk(*HAPPY)

    chosen = InterviewState(settings={"model.text_encoder_path": "/c/q.safetensors"})

    run_interview(ask, probes=probes, start=chosen)

    assert "text_encoder_path" not in ask.keys


def test_the_lineage_guess_is_marked_first_and_its_ground_told() -> None:
    guessed = make_identity(lineage="anylora", lineage_reason="its name")
    probes = make_probes(identities={"/models/base.safetensors": guessed})
    ask = ScriptedAsk(*HAPPY)

    run_interview(ask, probes=probes)

    lineage = next(question for question in ask.asked if question.key == "lineage")
    assert lineage.default == "anylora"
    assert "its name" in lineage.text


def test_the_prediction_is_asked_where_the_file_does_not_tell_and_both_kinds_are_about() -> None:
    unclear = make_identity("sdxl", prediction=None, trainable=True)
    probes = make_probes(identities={"/models/base.safetensors": unclear})
    ask = ScriptedAsk("character", "/pictures", "/models/base.safetensors", "v_prediction", "noobai", *HAPPY[4:])

    state = run_interview(ask, probes=probes)

    assert facts_of_state(state, probes, MachineOptions()).answers.settings["model.prediction"] == "v_prediction"


def test_an_sd1_model_that_does_not_tell_its_prediction_raises_no_question() -> None:
    probes = make_probes(identities={"/models/base.safetensors": make_identity(prediction=None)})
    ask = ScriptedAsk(*HAPPY)

    run_interview(ask, probes=probes)

    assert "prediction" not in ask.keys


def test_a_name_is_proposed_by_the_folder() -> None:
    report = make_dataset(root="/home/me/lora/Mira Fox/images", captions="1girl, smile")
    ask = ScriptedAsk("character", "/pictures", *HAPPY[2:4], default, default, "no", "gpu:0")

    state = run_interview(ask, probes=make_probes(reports={"/pictures": report}))

    assert state.answers["name"] == "Mira_Fox"
    assert state.answers["trigger"] == "Mira_Fox"


@pytest.mark.parametrize(("answer", "settings"), [("yes", {"dataset.prepend_trigger": True}), ("no", {})])
def test_the_trigger_in_front_is_offered_where_captions_lack_it(answer: str, settings: dict[str, object]) -> None:
    ask = ScriptedAsk(*HAPPY[:4], "kira", "kira", answer, "gpu:0")

    state = run_interview(ask)

    offer = next(question for question in ask.asked if question.key == "prepend_trigger")
    assert '30 of 30 captions have no "kira"' in offer.intro
    chosen = facts_of_state(state, make_probes(), MachineOptions()).answers.settings
    assert chosen.get("dataset.prepend_trigger") == settings.get("dataset.prepend_trigger")


def test_a_style_is_not_offered_a_trigger_in_front() -> None:
    ask = ScriptedAsk("style", *HAPPY[1:4], "kira", "kira", "gpu:0")

    run_interview(ask)

    assert "prepend_trigger" not in ask.keys


def test_an_empty_trigger_is_the_name() -> None:
    ask = ScriptedAsk(*HAPPY[:5], "", "gpu:0")

    assert run_interview(ask).answers["trigger"] == "mira"


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
    ask = ScriptedAsk(*HAPPY[:4], "Mira_Fox", "x", *(["no"] if captions else []), "gpu:0")

    run_interview(ask, probes=probes)

    assert next(question.default for question in ask.asked if question.key == "trigger") == proposed
