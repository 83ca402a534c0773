from __future__ import annotations

import pytest

from advisor.settings.config import setting_paths
from wizard.interview.matching import matches
from wizard.interview.questions import Word

WORDS = tuple(Word(path) for path in setting_paths())


@pytest.mark.parametrize(
    ("typed", "first"),
    [
        ("rank", "network.rank"),
        ("network.rank", "network.rank"),
        ("alpha", "network.alpha"),
        ("epochs", "schedule.epochs"),
        ("batch", "schedule.batch_size"),
        ("checkpoint", "memory.gradient_checkpointing"),
        ("unet lr", "optimizer.unet_learning_rate"),
        ("noise off", "loss.noise_offset"),
        ("RESOLUTION", "dataset.resolution_px"),
    ],
)
def test_a_part_of_a_name_finds_the_setting(typed: str, first: str) -> None:
    assert matches(typed, WORDS)[0].word == first


def test_nothing_typed_offers_all() -> None:
    assert matches("", WORDS) == WORDS


def test_what_fits_nothing_finds_nothing() -> None:
    assert matches("zzz", WORDS) == ()


def test_the_meaning_is_searched_too() -> None:
    assert matches("mirror", (Word("dataset.flip", "Mirror half of the pictures."),))
