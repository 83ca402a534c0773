from __future__ import annotations

from pathlib import Path

import pytest

from advisor.errors import RunError
from advisor.families.anima import ANIMA
from tests.support.scripted import Answer, ScriptedAsk
from wizard.commands.train import copy_file
from wizard.interview.copy_lora import offer_copy, usage
from wizard.interview.lora_folders import Program


@pytest.fixture
def lora(tmp_path: Path) -> Path:
    path = tmp_path / "run" / "mira.safetensors"
    path.parent.mkdir()
    path.write_bytes(b"weights")
    return path


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    path = tmp_path / "web ui" / "Lora"
    path.mkdir(parents=True)
    return path


def offer(lora: Path, folders: tuple[Path, ...], *answers: Answer) -> tuple[Path | None, ScriptedAsk]:
    ask = ScriptedAsk(*answers)
    return offer_copy(ask, lora, folders, copy_file), ask


@pytest.mark.parametrize(
    ("program", "told"),
    [
        (
            "A1111",
            "In A1111, put <lora:mira:0.8> into your prompt, together with the trigger word: <lora:mira:0.8> fox",
        ),
        (
            "ComfyUI",
            "In ComfyUI, put a node `Load LoRA` behind the one that loads the model, choose mira in it, ",
        ),
        (
            "InvokeAI",
            "In InvokeAI, add the file in the Model Manager, choose mira in the field for LoRAs, weight 0.8, ",
        ),
        ("Fooocus", "In Fooocus, tick Advanced, choose mira among the LoRAs of the tab Models, weight 0.8, and write "),
    ],
)
def test_usage_speaks_to_the_program_that_it_was_copied_to(program: Program, told: str) -> None:
    found = usage("model/mira.safetensors", "fox", program)

    assert found.startswith(told)
    assert found.endswith("fox")
    assert "\n" not in found


@pytest.mark.parametrize("program", [None, "Stability Matrix"])
def test_usage_tells_each_kind_where_the_program_is_not_known(program: Program | None) -> None:
    lines = usage("model/mira.safetensors", "fox", program).splitlines()

    assert [line.partition(",")[0] for line in lines] == ["In A1111", "In ComfyUI", "In Fooocus", "In InvokeAI"]
    assert all("0.8" in line and "fox" in line for line in lines)


def test_usage_names_only_programs_that_draw_with_the_family() -> None:
    lines = usage("model/mira.safetensors", "fox", family=ANIMA).splitlines()

    assert [line.partition(", ")[0] for line in lines] == ["In Forge and SwarmUI", "In ComfyUI"]


def test_a_folder_is_offered_with_the_program_that_reads_it(lora: Path, tmp_path: Path) -> None:
    comfy = tmp_path / "ComfyUI" / "models" / "loras"
    comfy.mkdir(parents=True)

    _, ask = offer(lora, (comfy,), str(comfy))

    labels = [option.title for option in ask.asked[0].options]
    assert labels[0] == f"Copy to {comfy} (ComfyUI)"


def test_a_found_folder_gets_a_copy(lora: Path, folder: Path) -> None:
    went, ask = offer(lora, (folder,), str(folder))

    assert went == folder
    assert (folder / "mira.safetensors").read_bytes() == b"weights"
    assert f"Copied to {folder / 'mira.safetensors'}" in ask.heard


def test_another_folder_can_be_named(lora: Path, folder: Path) -> None:
    went, _ = offer(lora, (), "other", f"'{folder}'")

    assert went == folder


def test_it_can_be_left_where_it_is(lora: Path, folder: Path) -> None:
    assert offer(lora, (folder,), "no")[0] is None
    assert list(folder.iterdir()) == []


def test_a_folder_that_is_not_there_is_told(lora: Path, folder: Path) -> None:
    _, ask = offer(lora, (), "other", str(folder / "x"), "no")

    assert "no folder that exists" in ask.heard


def test_nothing_is_overwritten_without_a_yes(lora: Path, folder: Path) -> None:
    (folder / "mira.safetensors").write_bytes(b"older")

    offer(lora, (folder,), str(folder), "no", "no")
    assert (folder / "mira.safetensors").read_bytes() == b"older"

    offer(lora, (folder,), str(folder), "yes")
    assert (folder / "mira.safetensors").read_bytes() == b"weights"


def test_a_copy_that_fails_is_told_and_asked_again(lora: Path, folder: Path) -> None:
    def fail(source: Path, target: Path) -> None:
        raise RunError("the disk is full: free some space")

    ask = ScriptedAsk(str(folder), "no")

    assert offer_copy(ask, lora, (folder,), fail) is None
    assert "the disk is full" in ask.heard
