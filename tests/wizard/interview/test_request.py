from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from advisor.errors import ConfigErrors, LoraError
from advisor.facts import Facts
from tests.support.factories import make_hardware
from tests.support.scripted import make_probes
from wizard.interview.machine_options import MachineOptions
from wizard.interview.request import PlanRequest, chosen_settings, facts_of_request

FULL: dict[str, Any] = {"images": "/pictures", "model": "/models/base.safetensors", "name": "mira"}


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
