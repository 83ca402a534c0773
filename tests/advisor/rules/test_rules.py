from __future__ import annotations

from collections import Counter

from advisor.plan import Source
from advisor.rules import RULES, sources
from advisor.rules import fixed as plain
from advisor.settings.config import TrainingConfig, setting, setting_paths
from tests.support.factories import make_plan_config


def test_every_setting_has_exactly_one_rule() -> None:
    assert Counter(rule.sets for rule in RULES) == Counter(setting_paths())


def test_every_source_has_a_title_and_an_address() -> None:
    found = [value for value in vars(sources).values() if isinstance(value, Source)]

    assert len(found) == len({source.title for source in found})
    assert all(source.title and source.url for source in found)


def test_what_is_left_alone_is_what_the_configuration_starts_with() -> None:
    """Otherwise `loracle.toml` without a line would mean something else than the plan."""
    config = make_plan_config()
    blank = TrainingConfig.model_validate(
        {
            "model": {"path": "x", "family": "sd1"},
            "dataset": {"images": "x"},
            "saving": {"name": "x"},
        }
    )

    rules = (*plain.DATASET, *plain.NETWORK, *plain.OPTIMIZER, *plain.SCHEDULE, *plain.LOSS, *plain.SAVING)
    for rule in rules:
        assert setting(config, rule.sets) == setting(blank, rule.sets), rule.sets
