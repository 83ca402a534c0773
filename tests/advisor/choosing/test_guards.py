from collections.abc import Mapping

import pytest

from advisor.choosing.averages import Averages
from advisor.choosing.cells import MeasureName, PictureScores
from advisor.choosing.guards import faults


def found(with_trigger: dict[str, float], without: dict[str, float] | None = None) -> tuple[str, ...]:
    asked: Mapping[MeasureName, float] = {"likeness": 0.8} | with_trigger  # type: ignore[assignment]
    pictures = [
        PictureScores(1, 1.0, 0, 7, asked),
        PictureScores(1, 1.0, 1, 7, without or {}),  # type: ignore[arg-type]
    ]
    return faults(Averages.of(pictures, with_trigger={0}), (1, 1.0))


def test_an_epoch_within_the_limits_has_no_fault() -> None:
    assert found({"damage": 0.1, "memorised": 0.3}, {"damage": 0.2}) == ()


@pytest.mark.parametrize(
    ("figures", "fault"),
    [({"damage": 0.6}, "damages pictures"), ({"memorised": 0.6}, "repeats pictures of the set")],
)
def test_an_epoch_beyond_a_limit_has_its_fault(figures: dict[str, float], fault: str) -> None:
    assert found(figures) == (fault,)


def test_damage_counts_without_the_trigger_too() -> None:
    assert found({"damage": 0.0}, {"damage": 0.3}) == ("damages pictures",)


def test_a_half_learned_character_is_no_damage() -> None:
    """Its pictures are neither the base model's nor the set's; those of others are as they were."""
    assert found({"damage": 0.32}, {"damage": 0.05}) == ()


def test_what_was_not_measured_has_no_fault() -> None:
    assert found({}) == ()
