from __future__ import annotations

from typing import Any

import pytest

from advisor.errors import ConfigErrors, UnknownSetting
from advisor.planning.planner import make_plan
from advisor.settings.config import setting
from advisor.settings.parse_value import setting_value
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
        setting_value("network.rnak", "3")
