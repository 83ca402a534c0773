from __future__ import annotations

import os
from pathlib import Path

import pytest
from prompt_toolkit.completion import CompleteEvent
from prompt_toolkit.document import Document

from advisor.settings.config import setting_paths
from wizard.interview.completion import PathCompleter, matches
from wizard.interview.questions import Candidate

CANDIDATES = tuple(Candidate(path) for path in setting_paths())


@pytest.mark.parametrize(
    ("typed", "first"),
    [
        ("rank", "network.rank"),
        ("network.rank", "network.rank"),
        ("alpha", "network.alpha"),
        ("epochs", "schedule.epochs"),
        ("batch", "schedule.batch_size"),
        ("checkpointing", "memory.gradient_checkpointing"),
        ("unet lr", "optimizer.unet_learning_rate"),
        ("noise off", "loss.noise_offset"),
        ("RESOLUTION", "dataset.resolution_px"),
    ],
)
def test_a_part_of_a_name_finds_the_setting(typed: str, first: str) -> None:
    assert matches(typed, CANDIDATES)[0].name == first


def test_nothing_typed_offers_all() -> None:
    assert matches("", CANDIDATES) == CANDIDATES


def test_what_fits_nothing_finds_nothing() -> None:
    assert matches("zzz", CANDIDATES) == ()


def test_the_description_is_searched_too() -> None:
    assert matches("mirror", (Candidate("dataset.flip", "Mirror half of the pictures."),))


def completed(text: str, *, folders_only: bool) -> list[str]:
    """What the line becomes with each completion."""
    offers = PathCompleter(folders_only=folders_only).get_completions(Document(text), CompleteEvent())
    return [text + offer.text for offer in offers]


def test_folders_are_completed(tmp_path: Path) -> None:
    (tmp_path / "pictures of mira").mkdir()
    (tmp_path / "pictures.zip").touch()

    assert completed(f"{tmp_path}/pic", folders_only=True) == [f"{tmp_path}/pictures of mira{os.sep}"]


def test_folders_are_completed_behind_a_quote(tmp_path: Path) -> None:
    (tmp_path / "pictures").mkdir()

    assert completed(f"'{tmp_path}/pic", folders_only=True) == [f"'{tmp_path}/pictures{os.sep}"]


def test_models_and_folders_are_offered_and_other_files_are_not(tmp_path: Path) -> None:
    (tmp_path / "model.safetensors").touch()
    (tmp_path / "model.txt").touch()
    (tmp_path / "models").mkdir()

    assert completed(f"{tmp_path}/mod", folders_only=False) == [
        f"{tmp_path}/model.safetensors", f"{tmp_path}/models{os.sep}",
    ]  # fmt: skip


def test_names_with_blanks_are_found() -> None:
    candidates = (Candidate("red hair"), Candidate("long hair"))

    assert [match.name for match in matches("long h", candidates)] == ["long hair"]
