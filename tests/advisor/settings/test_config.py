from __future__ import annotations

import pytest

from advisor.errors import ConfigErrors
from advisor.settings.config import Settings, TrainingConfig, changed, parse_config, with_values
from tests.support.factories import make_plan_config


@pytest.mark.parametrize("group", [TrainingConfig, *Settings.__subclasses__()], ids=lambda model: model.__name__)
def test_no_setting_is_checked_by_another(group: type[Settings]) -> None:
    """So a configuration with one value changed is valid where that value is."""
    checks = group.__pydantic_decorators__

    assert not any((checks.model_validators, checks.root_validators, checks.field_validators, checks.validators))


def test_a_changed_configuration_is_what_the_whole_tree_would_give() -> None:
    before = make_plan_config()
    tree = before.model_dump()
    tree["dataset"]["folders"] = [{"path": "close", "repeats": "10"}]
    tree["network"]["alpha"] = 8
    after = with_values(before, {"dataset.folders": [{"path": "close", "repeats": "10"}], "network.alpha": 8})

    assert after == parse_config(tree)
    assert after.model_dump_json() == parse_config(tree).model_dump_json()
    assert before == make_plan_config()


def test_all_wrong_values_of_all_groups_are_told_as_the_whole_tree_tells_them() -> None:
    values = {"network.rank": 0, "dataset.folders": [{"path": "close"}], "network.alpha": float("nan")}
    tree = make_plan_config().model_dump()
    for path, value in values.items():
        group, _, name = path.partition(".")
        tree[group][name] = value
    with pytest.raises(ConfigErrors) as whole:
        parse_config(tree)

    with pytest.raises(ConfigErrors) as found:
        with_values(make_plan_config(), values)

    assert sorted(map(str, found.value.errors)) == sorted(map(str, whole.value.errors))
    assert {error.path for error in found.value.errors} == {
        "network.rank",
        "network.alpha",
        "dataset.folders.0.repeats",
    }


def test_a_changed_setting_leaves_the_others_as_they_are() -> None:
    config = make_plan_config()
    after = changed(config, "network.rank", 8)

    assert after.network.rank == 8
    assert after.dataset is config.dataset


@pytest.mark.parametrize("value", [2**63 - 1, 10**30])
@pytest.mark.parametrize(
    "path",
    [
        "dataset.repeats", "dataset.bucket_step_px", "dataset.min_bucket_px", "dataset.max_bucket_px",
        "dataset.keep_tokens", "network.factor", "schedule.warmup_steps", "schedule.cycles", "schedule.epochs",
        "schedule.gradient_accumulation", "schedule.max_steps", "machine.cpu_threads", "machine.data_workers",
        "saving.every_epochs", "saving.every_steps", "saving.keep_last", "saving.state_every_minutes",
        "sampling.every_epochs", "validation.every_epochs",
    ],
)  # fmt: skip
def test_no_number_is_larger_than_any_training_needs(path: str, value: int) -> None:
    with pytest.raises(ConfigErrors, match=rf"{path} .*give \S+ or less"):
        changed(make_plan_config(), path, value)
