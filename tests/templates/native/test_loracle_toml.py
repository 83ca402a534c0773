from __future__ import annotations

import tempfile
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings

from advisor.errors import LoraError
from advisor.plan import Decision, Plan, Source
from advisor.run_folder.config_file import read_config
from advisor.settings.config import NamedFolder, TrainingConfig, changed, setting_paths
from templates.native.loracle_toml import render_config
from tests.support.export_strategies import plan_of, plans
from tests.support.paths import GOLDENS
from tests.support.samples import golden_texts


def a_config() -> TrainingConfig:
    return TrainingConfig.model_validate(
        {
            "model": {"path": "/models/base.safetensors", "family": "sd1"},
            "dataset": {
                "images": "/pictures",
                "folders": [{"path": "10_a", "repeats": 10}, {"path": "b", "repeats": 2}],
            },
            "saving": {"name": "fox"},
        }
    )


def read_back(text: str) -> TrainingConfig:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "loracle.toml"
        path.write_bytes(text.encode("utf-8"))
        return read_config(path)


@settings(suppress_health_check=[HealthCheck.too_slow])
@given(plans)
def test_what_is_written_reads_back_equal(plan: Plan) -> None:
    assert read_back(render_config(plan)) == plan.config


def test_each_setting_stands_under_its_reason() -> None:
    text = render_config(plan_of(a_config(), "30 pictures: 32 holds a face and a costume; 36 MB"))

    assert "# 30 pictures: 32 holds a face and a costume; 36 MB [rule: A guide]\nrank = 32\n" in text
    assert "# A guide: https://example.org/guide\n" in text


def test_a_choice_of_the_users_is_marked_as_theirs() -> None:
    config = a_config()
    decision = Decision("network.rank", 32, "less would not hold it", "answer", Source("A guide", ""))

    text = render_config(Plan(config, (decision,), (), plan_of(config).estimate))

    assert "# less would not hold it [you chose it]\nrank = 32\n" in text


def test_folders_are_tables_of_their_own_and_break_nothing_after_them() -> None:
    text = render_config(plan_of(a_config()))

    assert 'folders = [\n    {path = "10_a", repeats = 10},\n    {path = "b", repeats = 2},\n]\n' in text
    assert read_back(text).dataset.folders[1] == NamedFolder(path="b", repeats=2)


def test_a_setting_without_a_value_is_left_out_and_said_to_be() -> None:
    text = render_config(plan_of(a_config()))

    assert "\nvae_path =" not in text
    assert "# `vae_path` is left out" in text


def test_every_setting_is_named() -> None:
    text = render_config(plan_of(a_config()))

    for path in setting_paths():
        assert path.partition(".")[2] in text


def test_a_path_that_is_no_text_is_refused() -> None:
    plan = plan_of(changed(a_config(), "run.trigger", "fox"))
    broken = plan.config.model_copy(update={"model": plan.config.model.model_copy(update={"path": "/a\udcff"})})

    with pytest.raises(LoraError, match="rename the file"):
        render_config(plan_of(broken))


def test_a_plan_is_written_as_the_golden_has_it() -> None:
    assert golden_texts()["loracle.toml"] == (GOLDENS / "loracle.toml").read_text("utf-8")
