from __future__ import annotations

from pathlib import Path

import pytest

from advisor.errors import RunError
from tests.support.scripted import Answer, ScriptedAsk
from wizard.commands.train import copy_file
from wizard.interview.copy_lora import offer_copy, usage


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


def test_usage_names_the_file_the_weight_and_the_trigger() -> None:
    assert usage("model/mira.safetensors", "mirafox").endswith("<lora:mira:0.8> mirafox")


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
