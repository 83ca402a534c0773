from __future__ import annotations

from collections import Counter

import pytest

from advisor.plan import Source
from advisor.rules import RULES, sources
from advisor.rules import fixed as plain
from advisor.rules.defaults_table import WITHOUT_TUTORIAL
from advisor.settings.config import TrainingConfig, setting, setting_paths
from tests.support.factories import make_plan_config, make_plan_for


def test_every_setting_has_exactly_one_rule() -> None:
    assert Counter(rule.sets for rule in RULES) == Counter(setting_paths())


def test_every_source_has_a_title_and_an_address() -> None:
    found = [value for value in vars(sources).values() if isinstance(value, Source)]

    assert len(found) == len({source.title for source in found}) == len(sources.BY_TITLE)
    assert all(source.title and source.url for source in found)


def test_every_source_says_in_our_words_what_it_is_cited_for() -> None:
    found = [value for value in vars(sources).values() if isinstance(value, Source)]

    for source in found:
        assert len(source.says) > 15, source.title
        assert not set('"\u201c\u201d') & set(source.says), source.title
        assert source.url.startswith("https://") or source.url in ("answers.toml", source.url.removeprefix("./"))


WORDS_THAT_THE_TUTORIAL_DOES_NOT_HAVE = ("flip", "regular", "bucket", "shuffle", "caption", "keep_")


def test_the_tutorial_is_not_cited_for_what_it_does_not_speak_of() -> None:
    for case in (
        {},
        {"advice": "current"},
        {"family": "sdxl"},
        {"family": "anima"},
        {"subject": "style"},
        {"vram_gib": 6},
    ):
        for decision in make_plan_for(**case).decisions:
            if any(word in decision.path for word in WORDS_THAT_THE_TUTORIAL_DOES_NOT_HAVE):
                assert decision.source != sources.TUTORIAL, decision.path


@pytest.mark.parametrize("family", ["sd1", "sd2", "sdxl", "anima", "z_image"])
def test_either_advice_is_the_same_exactly_where_it_is_said(family: str) -> None:
    tutorial, current = (
        make_plan_config(family=family, advice=one).model_dump(exclude={"run"}) for one in ("tutorial", "current")
    )

    assert (tutorial == current) == (family in WITHOUT_TUTORIAL)
    assert ("by either advice" in make_plan_for(family=family).by_path["run.advice"].reason) == (tutorial == current)


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
