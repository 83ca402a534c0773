from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given

from advisor.errors import ConfigErrors, UnknownSetting
from advisor.planning.planner import make_plan
from advisor.settings.config import NamedFolder, TrainingConfig, flat_settings, setting
from advisor.settings.parse_value import WrongValue, as_given, parse_settings, parse_value
from tests.support.export_strategies import configs
from tests.support.factories import make_facts


@pytest.mark.parametrize(
    ("path", "text", "value"),
    [
        ("network.rank", "64", 64),
        ("optimizer.learning_rate", "2e-4", 2e-4),
        ("dataset.flip", "yes", True),
        ("dataset.flip", "off", False),
        ("network.kind", " locon ", "locon"),
        ("model.vae_path", "none", None),
        ("model.vae_path", "/models/vae.safetensors", "/models/vae.safetensors"),
        ("model.lineage", "none", "none"),
        ("model.lineage", "", None),
        ("network.block_ranks", "4, 8,16" + ",4" * 22, (4, 8, 16, *[4] * 22)),
        ("network.block_ranks", f"[8{', 4' * 24}]", (8, *[4] * 24)),
        ("network.block_ranks", "", ()),
        ("optimizer.arguments", "betas=0.9,eps=1e-8", ("betas=0.9", "eps=1e-8")),
        ("sampling.prompts", "mira, smile", ("mira, smile",)),
        ("sampling.prompts", '["mira, smile", "mira"]', ("mira, smile", "mira")),
        ("run.trigger", "mira vos", "mira vos"),
        ("dataset.max_tokens", "150", 150),
    ],
)
def test_a_text_becomes_what_the_setting_takes(path: str, text: str, value: Any) -> None:
    plan = make_plan(make_facts(settings={path: text}))

    assert setting(plan.config, path) == value


def test_folders_are_written_with_their_repeats() -> None:
    config = make_plan(make_facts(settings={"dataset.folders": "close=10,far=2"})).config

    assert [(folder.path, folder.repeats) for folder in config.dataset.folders] == [("close", 10), ("far", 2)]


@pytest.mark.parametrize(
    ("path", "text"), [("network.block_ranks", "[4, "), ("dataset.folders", "close"), ("model.clip_skip", "two")]
)
def test_a_text_that_fits_nothing_is_an_error_of_the_user(path: str, text: str) -> None:
    with pytest.raises(ConfigErrors, match=path.replace(".", r"\.")):
        make_plan(make_facts(settings={path: text}))


def test_an_unknown_setting_is_told_with_the_nearest() -> None:
    with pytest.raises(UnknownSetting, match=r"network\.rank"):
        parse_value("network.rnak", "3")


@pytest.mark.parametrize(
    ("path", "text", "value"),
    [
        ("network.rank", "48", 48),
        ("network.alpha", "8", 8.0),
        ("dataset.flip", "yes", True),
        ("dataset.max_tokens", "150", 150),
        ("network.block_ranks", "4, 8", (4, 8)),
        ("model.vae_path", "none", None),
        ("dataset.folders", "close=10", (NamedFolder(path="close", repeats=10),)),
        (
            "dataset.folders",
            ["close=10", "a=b=2"],
            (NamedFolder(path="close", repeats=10), NamedFolder(path="a=b", repeats=2)),
        ),
        ("sampling.prompts", ["mira, smile"], ("mira, smile",)),
    ],
)
def test_answers_carry_values_of_the_settings_own_types(path: str, text: object, value: Any) -> None:
    found = make_facts(settings={path: text}).answers.settings[path]

    assert found == value
    assert type(found) is type(value)


@given(configs)
def test_every_value_is_read_back_from_what_is_written_of_it(config: TrainingConfig) -> None:
    for path, text in flat_settings(config):
        value = parse_value(path, text)
        assert parse_value(path, as_given(value)) == value, path


@pytest.mark.parametrize("text", ["many", "", 0, [3]])
def test_what_is_no_value_is_kept_with_its_error(text: object) -> None:
    found = parse_settings({"network.alpha": "8", "network.rank": text})

    assert found["network.alpha"] == 8.0
    wrong = found["network.rank"]
    assert isinstance(wrong, WrongValue)
    assert wrong.given == text
    assert [(error.path, error.found) for error in wrong.errors] == [("network.rank", text)]


def test_all_wrong_values_are_told_in_the_order_given_and_the_limits_that_others_pass() -> None:
    case = make_facts(
        settings={"network.rank": "many", "no.such": "1", "dataset.resolution_px": "500", "network.dropout": "2"}
    )

    with pytest.raises(ConfigErrors) as caught:
        make_plan(case)

    assert [error.path for error in caught.value.errors] == [
        "network.rank", "no.such", "network.dropout", "dataset.resolution_px",
    ]  # fmt: skip
