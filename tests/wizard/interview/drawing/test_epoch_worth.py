from __future__ import annotations

import pytest

from advisor.choosing.cells import PictureScores
from advisor.errors import RunError
from advisor.run_folder.grids.grid_record import GridRecord
from wizard.interview.drawing.epoch_worth import worth_in


def record(*likeness: float) -> GridRecord:
    scores = [
        PictureScores(epoch, weight, prompt, seed, {"likeness": value, "leak": 0.0})
        for epoch, weight, value in ((0, 0.0, 0.0), *((epoch, 1.0, value) for epoch, value in enumerate(likeness, 1)))
        for prompt in (0, 1)
        for seed in (1, 2)
    ]
    return GridRecord(trigger="tok", prompts=("tok, smiling", "tok"), picture_scores=tuple(scores))


def test_more_of_the_character_is_worth_more() -> None:
    assert worth_in(record(0.2, 0.6), 2) > worth_in(record(0.2, 0.6), 1) > 0


def test_what_was_not_measured_has_no_worth() -> None:
    with pytest.raises(RunError, match="epoch 3"):
        worth_in(record(0.2), 3)
