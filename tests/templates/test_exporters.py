"""Claims that hold for all exporters: a value without a word is refused, a near word is told."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import NamedTuple

import pytest

from advisor.errors import ConfigErrors
from advisor.settings.config import setting_paths
from templates.ai_toolkit import words as ai_toolkit
from templates.exporters import EXPORTERS
from templates.kohya import words as kohya
from templates.musubi import words as musubi
from templates.onetrainer import words as onetrainer
from templates.vocabulary import Vocabulary, Word
from tests.support.vocabularies import OF_STABLE_DIFFUSION, OTHER_TRAINERS, exported

WORDS: dict[str, ModuleType] = {
    "kohya-gui": kohya, "sd-scripts": kohya, "onetrainer": onetrainer, "ai-toolkit": ai_toolkit,
    "musubi-tuner": musubi,
}  # fmt: skip
LOOKED_UP_OTHERWISE = {
    "kohya-gui": (kohya.SCRIPTS, kohya.ALGORITHMS), "sd-scripts": (kohya.SCRIPTS, kohya.ALGORITHMS),
    "onetrainer": (onetrainer.MODEL_TYPES,), "ai-toolkit": (),
    "musubi-tuner": (musubi.FAMILIES,),
}  # fmt: skip
"""The families, which have an error of their own, and what follows from another table."""


class Row(NamedTuple):
    """A word of a trainer for the value of a setting."""

    trainer: str
    path: str
    table: Vocabulary
    word: Word

    def __str__(self) -> str:
        return f"{self.trainer} {self.path} {self.word.ours} {self.word.theirs}"


def rows() -> Iterator[Row]:
    for trainer, words in WORDS.items():
        for path, tables in words.SETTING_WORDS.items():
            yield from (Row(trainer, path, table, word) for table in tables for word in table.words)


def test_each_exporter_has_its_words() -> None:
    assert set(WORDS) == set(OTHER_TRAINERS)


@pytest.mark.parametrize("trainer", WORDS)
def test_every_table_is_that_of_a_setting(trainer: str) -> None:
    tables = {id(table) for table in vars(WORDS[trainer]).values() if isinstance(table, Vocabulary)}
    checked = {id(table) for group in WORDS[trainer].SETTING_WORDS.values() for table in group}

    assert tables == checked | {id(table) for table in LOOKED_UP_OTHERWISE[trainer]}


@pytest.mark.parametrize("row", list(rows()), ids=str)
def test_a_value_that_a_table_lacks_is_refused_by_name(
    row: Row, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    others = tuple(word for word in row.table.words if word != row.word)
    monkeypatch.setitem(vars(row.table), "words", others)
    monkeypatch.setitem(vars(row.table), "_by_value", {word.ours: word for word in others})

    with pytest.raises(ConfigErrors) as caught:
        exported(tmp_path, row.trainer, row.path, row.word.ours)

    assert row.path in [error.path for error in caught.value.errors if error.found == row.word.ours]
    assert list((tmp_path / "run").rglob("*")) == []


@pytest.mark.parametrize("row", [row for row in rows() if row.word.is_near], ids=str)
def test_a_near_word_is_told(row: Row, tmp_path: Path) -> None:
    export = exported(tmp_path, row.trainer, row.path, row.word.ours, sampling={"prompts": ["a fox"]})

    assert any(note.startswith(row.path) for note in export.notes)


@pytest.mark.parametrize(
    ("name", "family"),
    [*((name, "anima") for name in OF_STABLE_DIFFUSION), ("onetrainer", "z_image"), ("ai-toolkit", "z_image")],
)
def test_every_setting_arrives_or_is_dropped_for_a_flow_family_too(name: str, family: str) -> None:
    exporter = EXPORTERS[name]
    drops = exporter.drops_for(family)

    assert exporter.maps_for(family) | drops.keys() == set(setting_paths())
    assert not exporter.maps_for(family) & drops.keys()
    assert all(drops.values())
    assert exporter.drops_for("sdxl") is exporter.drops
    assert drops != exporter.drops


@pytest.mark.parametrize("name", ["kohya-gui", "sd-scripts"])
def test_kohyas_programs_which_do_not_train_z_image_get_no_files_of_it(name: str, tmp_path: Path) -> None:
    with pytest.raises(ConfigErrors) as caught:
        exported(tmp_path, name, "model.family", "z_image", model={"prediction": "flow"})

    (error,) = caught.value.errors
    assert (error.path, error.found) == ("model.family", "z_image")
    assert "sd1, sd2, sdxl" in str(error)
    assert list((tmp_path / "run").rglob("*")) == []
