from __future__ import annotations

from pathlib import Path
from typing import get_args

import pytest

from advisor.settings.config import (
    AdapterKind,
    Dtype,
    HuberSchedule,
    LossKind,
    OptimizerName,
    SamplerName,
    ScheduleName,
)
from templates.kohya import words
from templates.vocabulary import Vocabulary, Word
from tests.support.vocabularies import come_back, forgotten, misread

TABLES = [
    (words.OPTIMIZERS, get_args(OptimizerName)), (words.SCHEDULES, get_args(ScheduleName)),
    (words.SAMPLERS, get_args(SamplerName)), (words.LOSSES, get_args(LossKind)),
    (words.HUBER_SCHEDULES, get_args(HuberSchedule)), (words.MIXED_PRECISIONS, get_args(Dtype)),
    (words.SAVE_PRECISIONS, get_args(Dtype)), (words.GUI_KINDS, get_args(AdapterKind)),
    (words.NETWORK_MODULES, get_args(AdapterKind)), (words.ALGORITHMS, get_args(AdapterKind)),
]  # fmt: skip

NOT_TRAINED = ("piecewise_constant",)
"""Schedules that have a word, but that kohya cannot be told the pieces of: the export refuses them."""

WRITTEN = {
    "optimizer.name": words.OPTIMIZERS, "schedule.name": words.SCHEDULES, "sampling.sampler": words.SAMPLERS,
    "loss.kind": words.LOSSES, "loss.huber_schedule": words.HUBER_SCHEDULES, "saving.dtype": words.SAVE_PRECISIONS,
    "memory.compute_dtype": words.MIXED_PRECISIONS, "network.kind": words.GUI_KINDS,
}  # fmt: skip
CASES = [(path, word) for path, table in WRITTEN.items() for word in table.words if word.ours not in NOT_TRAINED]


@pytest.mark.parametrize(("table", "values"), TABLES)
def test_every_value_has_a_word_or_is_known_to_have_none(table: Vocabulary, values: tuple[str, ...]) -> None:
    assert forgotten(table, values) == set()


@pytest.mark.parametrize("table", [*(table for table, _ in TABLES), words.SCRIPTS])
def test_words_are_read_as_the_table_says(table: Vocabulary) -> None:
    assert list(misread(table)) == []


@pytest.mark.parametrize("trainer", ["kohya-gui", "sd-scripts"])
@pytest.mark.parametrize(("path", "word"), CASES, ids=lambda value: getattr(value, "ours", value))
def test_each_written_value_is_imported_again(tmp_path: Path, trainer: str, path: str, word: Word) -> None:
    expected = WRITTEN[path].ours(word.theirs) if word.is_near else word.ours

    back = come_back(tmp_path, trainer, path, word.ours, sampling={"prompts": ["a fox"]})

    assert back == expected


@pytest.mark.parametrize(("table", "values"), [TABLES[0], TABLES[1]])
def test_our_own_names_are_read_since_our_loras_metadata_has_them(table: Vocabulary, values: tuple[str, ...]) -> None:
    assert {value: table.ours(value) for value in values} == {value: value for value in values}


def test_each_kind_that_lycoris_trains_has_an_algorithm() -> None:
    kinds = [word.ours for word in words.NETWORK_MODULES.words if word.theirs == words.LYCORIS_MODULE]

    assert kinds
    assert set(kinds) <= set(words.ALGORITHMS.written)
