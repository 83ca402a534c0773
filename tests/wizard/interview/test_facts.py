from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from advisor.errors import ConfigErrors, LoraError, UserErrors
from advisor.facts import Facts
from advisor.planning.planner import make_plan
from advisor.settings.preset_file import read_preset
from tests.support.factories import make_gpu, make_hardware, make_identity
from tests.support.scripted import HAPPY, ScriptedAsk, make_probes, run_interview
from wizard.interview.facts import chosen_settings, facts_of_request, facts_of_state
from wizard.interview.flow import InterviewState
from wizard.interview.machine_options import MachineOptions
from wizard.interview.preset_questions import interviewed_preset, preset_text, project_question
from wizard.interview.request import PlanRequest
from wizard.interview.steps import STEPS

FULL: dict[str, Any] = {"images": "/pictures", "model": "/models/base.safetensors", "name": "mira"}


def test_without_a_card_the_processor_needs_an_explicit_yes() -> None:
    probes = make_probes(hardware=make_hardware(None))
    ask = ScriptedAsk(*HAPPY[:6], "cpu")

    state = run_interview(ask, probes=probes)

    machine = ask.asked[-1]
    assert "No usable graphics card" in machine.text
    assert [option.value for option in machine.options] == ["other", "cpu"]
    assert machine.default == ""
    assert facts_of_state(state, probes, MachineOptions()).answers.use_cpu


def test_another_machine_is_asked_for_its_memory_and_generation() -> None:
    probes = make_probes(hardware=make_hardware(None))
    ask = ScriptedAsk(*HAPPY[:6], "other", "RTX 9000", "", "a lot", "6 GB", "6.1")

    state = run_interview(ask, probes=probes)
    gpu = facts_of_state(state, probes, MachineOptions()).gpu

    assert "'RTX 9000' is no card that is known here" in ask.heard
    assert "leave the line empty, press Enter and give its memory" in ask.heard
    assert "--vram" not in ask.heard
    assert "'a lot' is no memory of a card" in ask.heard
    assert gpu is not None
    assert gpu.total_bytes == 6 * 1024**3
    assert gpu.compute_capability == (6, 1)


def test_a_named_card_in_another_machine_is_not_asked_for_its_memory() -> None:
    probes = make_probes(hardware=make_hardware(None))
    ask = ScriptedAsk(*HAPPY[:6], "other", "gtx 1660 super")

    state = run_interview(ask, probes=probes)
    facts = facts_of_state(state, probes, MachineOptions())

    assert "GTX 1660 SUPER 6GB" in ask.heard
    assert not {"vram", "generation"} & state.answers.keys()
    assert make_plan(facts).config.memory.compute_dtype == "float32"  # these cards give NaN in float16


@pytest.mark.parametrize(
    ("options", "answers"),
    [
        (MachineOptions(card="RTX 3060 12GB"), {"card": "RTX 3060 12GB"}),
        (MachineOptions(card="RTX 3060", vram="8GiB"), {"card": "RTX 3060", "vram": "8GiB"}),
        (MachineOptions(vram="8GiB"), {"card": "", "vram": "8GiB", "generation": ""}),
    ],
)
def test_a_card_of_the_command_line_answers_its_questions(options: MachineOptions, answers: dict[str, str]) -> None:
    given = PlanRequest(machine=options).given()

    assert given == {"machine": "other", **answers}


def test_the_second_card_can_be_chosen() -> None:
    cards = (make_gpu(24.0, name="A", index=0, uuid="GPU-a"), make_gpu(8.0, name="B", index=1, uuid="GPU-b"))
    probes = make_probes(hardware=make_hardware(gpus=cards))
    ask = ScriptedAsk(*HAPPY[:6], "gpu:1")

    gpu = facts_of_state(run_interview(ask, probes=probes), probes, MachineOptions()).gpu

    assert ask.asked[-1].default == "gpu:0"
    assert gpu is not None
    assert gpu.name == "B"


def test_a_card_of_unknown_memory_is_asked_about() -> None:
    card = replace(make_gpu(vendor="amd", name="RX 6600"), total_bytes=0, free_bytes=0)
    probes = make_probes(hardware=make_hardware(gpus=(card,)))
    ask = ScriptedAsk(*HAPPY[:6], "gpu:0", "8")

    gpu = facts_of_state(run_interview(ask, probes=probes), probes, MachineOptions()).gpu

    assert gpu is not None
    assert gpu.total_bytes == 8 * 1024**3


def test_no_known_lineage_leaves_the_setting_to_the_rules() -> None:
    probes = make_probes()
    state = run_interview(ScriptedAsk(*HAPPY), probes=probes)

    assert facts_of_state(state, probes, MachineOptions()).answers.settings == {}


def test_a_guessed_lineage_that_is_denied_is_a_choice() -> None:
    probes = make_probes(identities={"/models/base.safetensors": make_identity(lineage="anylora")})
    state = run_interview(ScriptedAsk(*HAPPY), probes=probes)

    assert facts_of_state(state, probes, MachineOptions()).answers.settings == {"model.lineage": "none"}


def facts(hardware: Any = None, **fields: Any) -> Facts:
    probes = make_probes(hardware=hardware)
    return facts_of_request(
        PlanRequest(**(FULL | fields)),
        scan=lambda path: probes.scan(path.as_posix()),
        identify=lambda path: probes.identify(path.as_posix()),
        probe=probes.probe,
    )


def test_defaults_are_those_of_the_interface() -> None:
    answers = facts().answers

    assert (answers.trigger_word, answers.subject, answers.advice, answers.use_cpu) == (
        "mira", "character", "tutorial", False,
    )  # fmt: skip


def test_without_a_card_it_is_planned_for_the_processor() -> None:
    assert facts(make_hardware(None)).answers.use_cpu


def test_a_said_card_is_planned_for() -> None:
    found = facts(make_hardware(None), machine=MachineOptions(vram="12GiB"))

    assert found.gpu is not None
    assert not found.answers.use_cpu


def test_everything_that_is_wrong_is_told_at_once() -> None:
    with pytest.raises(LoraError) as caught:
        facts(
            images="/nowhere", model="/no.safetensors", name="a/b", settings=("x.y=1", "rank"),
            machine=MachineOptions(vram="much"), preset=Path("/no.toml"),
        )  # fmt: skip

    message = str(caught.value)
    for part in ("/nowhere", "/no.safetensors", "'a/b'", "x.y", "'rank'", "'much'", "/no.toml"):
        assert part in message
    assert caught.value.exit_code == 2


@pytest.mark.parametrize("field", [{"subject": "cat"}, {"advice": "mine"}, {"trigger": "a, b"}])
def test_options_of_a_fixed_choice_are_checked(field: dict[str, str]) -> None:
    with pytest.raises(LoraError):
        facts(**field)


def test_missing_options_are_named() -> None:
    with pytest.raises(LoraError, match="--images and --name"):
        facts(images=None, name=None)


def test_settings_are_parted_at_the_first_sign() -> None:
    assert chosen_settings(["optimizer.arguments=d_coef=2", "run.trigger=", "run.trigger=x"]) == {
        "optimizer.arguments": "d_coef=2", "run.trigger": "x",
    }  # fmt: skip


def test_unknown_malformed_and_wrong_settings_are_all_told() -> None:
    with pytest.raises(ConfigErrors) as caught:
        chosen_settings(["a.b=1", "c.d=2", "rank", "network.rank=many"])

    assert len(caught.value.errors) == 4


def test_of_bad_settings_all_are_told_whatever_else_is_wrong(tmp_path: Path) -> None:
    file = preset_file(tmp_path, network__alpha="much")

    with pytest.raises(UserErrors) as caught:
        facts(
            settings=("rank", "x.y=1", "network.rank=many"), preset=file, trigger="a, b", subject="cat", advice="mine",
            machine=MachineOptions(vram="much", compute_capability="new", cpu_threads=0),
        )  # fmt: skip

    wrong = (
        "'rank'", "x.y", "network.rank is 'many'", "network.alpha is 'much'", "'a, b'", "'cat'", "'mine'",
        "'much' is no memory", "'new'", "0 threads",
    )  # fmt: skip
    told = [str(error) for error in caught.value.errors]
    assert len(told) == len(wrong), told
    for word in wrong:
        assert sum(word in line for line in told) >= 1, (word, told)


def preset_file(folder: Path, **settings: object) -> Path:
    file = folder / "theirs.toml"
    rows = [
        f"{path.replace('__', '.')!r} = {{ value = {json.dumps(value)}, reason = 'so' }}"
        for path, value in settings.items()
    ]
    file.write_text("\n".join(["title = 'Theirs'", "[settings]", *rows]), "utf-8")
    return file


STRANGERS = {
    "saving__name": "../../x", "run__trigger": "theirs", "run__subject": "style", "run__advice": "current",
    "machine__cpu_threads": 64, "network__rank": 8, "run__wandb_project": "their-project", "loss__noise_offset": 0.1,
}  # fmt: skip


def test_a_preset_never_beats_what_the_user_said(tmp_path: Path) -> None:
    file = preset_file(tmp_path, **STRANGERS)

    found = facts(
        preset=file, trigger="mira", subject="character", advice="tutorial", settings=("network.rank=16",),
        machine=MachineOptions(cpu_threads=4),
    )  # fmt: skip

    config = make_plan(found).config
    assert (config.saving.name, config.run.trigger, config.run.subject) == ("mira", "mira", "character")
    assert (config.run.advice, config.network.rank, config.run.wandb_project) == ("tutorial", 16, "")
    assert config.machine.cpu_threads == 2
    assert config.loss.noise_offset == 0.1
    assert found.preset is not None
    told = preset_text(found.preset)
    assert told.startswith(
        "Theirs sets loss.noise_offset = 0.1.\nLeft out, since you decide it: saving.name = ../../x,"
    )
    assert '--set "run.wandb_project=their-project"' in told


def test_what_the_user_left_open_a_preset_may_set_but_for_the_name_and_where_curves_are_sent(tmp_path: Path) -> None:
    config = make_plan(facts(preset=preset_file(tmp_path, **STRANGERS))).config

    assert (config.run.trigger, config.run.subject, config.run.advice) == ("theirs", "style", "current")
    assert (config.saving.name, config.run.wandb_project) == ("mira", "")


def test_the_project_that_the_user_names_stands(tmp_path: Path) -> None:
    file = preset_file(tmp_path, **STRANGERS)

    found = facts(preset=file, settings=("run.wandb_project=mine",))

    assert make_plan(found).config.run.wandb_project == "mine"


@pytest.mark.parametrize(("answer", "project"), [("no", ""), ("yes", "their-project")])
def test_the_interview_asks_before_curves_are_sent_to_a_presets_project(
    tmp_path: Path, answer: str, project: str
) -> None:
    preset = read_preset(preset_file(tmp_path, **STRANGERS))
    probes = replace(make_probes(), preset=lambda _: preset)
    question = project_question(preset)
    assert question is not None
    assert "their-project" in question.text

    found = interviewed_preset(preset, {"name": "mira", "trigger": "mira", "subject": "character", "wandb": answer}, ())

    assert (found.by_path["run.wandb_project"].value if project else "") == project
    assert ("run.wandb_project" in found.by_path) == bool(project)
    assert {"saving.name", "run.trigger", "run.subject"}.isdisjoint(found.by_path)
    assert next(step for step in STEPS if step.key == "wandb").question(
        InterviewState(answers={"preset": "theirs"}), probes
    ) == question  # fmt: skip
