from __future__ import annotations

from typing import Any

import pytest
from pydantic import TypeAdapter, ValidationError

from advisor.choosing.cells import Choice

CHOICE = {
    "verdict": "tied", "epoch": 6, "weight": 1.0, "tied": [6, 7], "runner_up": 7, "burnt_from": None,
    "confidence": 0.9, "reason": "tied",
}  # fmt: skip


def test_a_choice_offers_no_next_run_unless_it_says_so() -> None:
    choice = TypeAdapter(Choice).validate_python(CHOICE)

    assert choice.changes == {}
    assert choice.tied == (6, 7)


@pytest.mark.parametrize("wrong", [{"verdict": "great"}, {"confidence": 1.5}, {"epoch": -1}, {"weight": float("inf")}])
def test_a_choice_is_bounded(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        TypeAdapter(Choice).validate_python(CHOICE | wrong)
