from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from advisor.errors import ConfigErrors, LoraError
from advisor.facts import Facts
from tests.support.factories import make_gpu, make_hardware, make_identity
from tests.support.scripted import HAPPY, ScriptedAsk, make_probes, run_interview
from wizard.interview.facts import chosen_settings, facts_of_request, facts_of_state
from wizard.interview.machine_options import MachineOptions
from wizard.interview.request import PlanRequest

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
    ask = ScriptedAsk(*HAPPY[:6], "other", "a lot", "6 GB", "6.1")

    state = run_interview(ask, probes=probes)
    gpu = facts_of_state(state, probes, MachineOptions()).gpu

    assert "'a lot' is no memory of a card" in ask.heard
    assert gpu is not None
    assert gpu.total_bytes == 6 * 1024**3
    assert gpu.compute_capability == (6, 1)


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


def test_all_unknown_settings_are_told() -> None:
    with pytest.raises(ConfigErrors) as caught:
        chosen_settings(["a.b=1", "c.d=2"])

    assert len(caught.value.errors) == 2
