"""What is told of a wrong value: what to give instead, and no validator's jargon."""

from __future__ import annotations

import pytest

from advisor.errors import ConfigErrors, UnknownSetting
from advisor.settings.config import setting_field
from advisor.settings.parse_value import parse_value


@pytest.mark.parametrize(
    ("path", "given", "mend"),
    [
        ("schedule.epochs", "ten", "give a whole number"),
        ("schedule.epochs", "2.5", "give a whole number"),
        ("schedule.epochs", "-3", "give 1 or more"),
        ("schedule.epochs", "9999999", "give 1,000,000 or less"),
        ("optimizer.learning_rate", "1e-4x", "give a number, e.g. 2, 0.5 or 1e-4"),
        ("optimizer.learning_rate", "-1", "give 0 or more"),
        ("optimizer.learning_rate", "nan", "give a finite number"),
        ("memory.gradient_checkpointing", "maybe", "give true or false"),
        ("network.kind", "foo", "give lora, locon, loha, lokr or dora"),
        ("dataset.max_tokens", "80", "give 75, 150 or 225"),
        ("optimizer.arguments", "d_coef 2", "give name=value, without blanks and control characters"),
        ("optimizer.arguments", "d=\x1b[2J", "give name=value, without blanks and control characters"),
        ("run.wandb_project", "a/b", "leave out / \\ # ? % : and control characters"),
        ("run.wandb_project", "a\x1bb", "leave out / \\ # ? % : and control characters"),
        ("saving.name", "", "it cannot be empty"),
    ],
)
def test_a_wrong_value_is_told_with_what_to_give(path: str, given: str, mend: str) -> None:
    with pytest.raises(ConfigErrors) as told:
        parse_value(path, given)

    assert str(told.value).endswith(f": {mend}")


@pytest.mark.parametrize(
    ("typed", "meant"),
    [("learnrate", "optimizer.learning_rate"), ("epochs", "schedule.epochs"), ("resolution", "dataset.resolution_px")],
)
def test_a_setting_typed_without_its_group_is_found(typed: str, meant: str) -> None:
    with pytest.raises(UnknownSetting, match=meant):
        setting_field(typed)
