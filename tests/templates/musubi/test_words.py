from __future__ import annotations

from pathlib import Path
from typing import get_args

import pytest

from advisor.errors import ConfigErrors
from advisor.settings.config import AdapterKind, LossKind, OptimizerName, SamplerName, ScheduleName
from templates.musubi import words
from templates.vocabulary import Vocabulary, Word
from tests.support.vocabularies import MUSUBI_TUNER, come_back, forgotten, misread

TABLES = {
    "optimizer.name": (words.OPTIMIZERS, get_args(OptimizerName)),
    "schedule.name": (words.SCHEDULES, get_args(ScheduleName)),
    "sampling.sampler": (words.SAMPLERS, get_args(SamplerName)),
    "loss.kind": (words.LOSSES, get_args(LossKind)),
    "network.kind": (words.NETWORK_MODULES, get_args(AdapterKind)),
}
CASES = [
    (path, word) for path, (table, _) in TABLES.items() if path not in ("loss.kind", "sampling.sampler")
    for word in table.words
]  # fmt: skip
"""Those that its files have a key for."""
LACKING = [(path, value) for path, (table, _) in TABLES.items() for value in table.lacks]


@pytest.mark.parametrize(("table", "values"), TABLES.values(), ids=TABLES)
def test_every_value_has_a_word_or_is_known_to_have_none(table: Vocabulary, values: tuple[str, ...]) -> None:
    assert forgotten(table, values) == set()


@pytest.mark.parametrize("table", [*(table for table, _ in TABLES.values()), words.FAMILIES])
def test_words_are_read_as_the_table_says(table: Vocabulary) -> None:
    assert list(misread(table)) == []


@pytest.mark.parametrize(("path", "word"), CASES, ids=lambda value: getattr(value, "ours", value))
def test_each_written_value_is_imported_again(tmp_path: Path, path: str, word: Word) -> None:
    assert come_back(tmp_path, MUSUBI_TUNER, path, word.ours) == word.ours


@pytest.mark.parametrize(("path", "value"), LACKING)
def test_what_has_no_word_is_refused(tmp_path: Path, path: str, value: str) -> None:
    with pytest.raises(ConfigErrors, match=path):
        come_back(tmp_path, MUSUBI_TUNER, path, value)
