from __future__ import annotations

from pathlib import Path

import pytest

from advisor.errors import RunError
from advisor.settings.preset_file import read_preset
from templates.native.preset import preset_rows, write_preset
from tests.support.factories import make_plan_for


def test_a_preset_holds_only_what_differs_from_the_rules_with_reasons(tmp_path: Path) -> None:
    chosen = {"network.rank": "48", "saving.name": "mira", "sampling.prompts": '["a, b"]'}
    chosen |= {"model.lineage": "none", "model.prediction": "epsilon"}  # of this base model, not of the next
    plan = make_plan_for(settings=chosen)

    write_preset(tmp_path / "small dolls.toml", plan)

    found = read_preset(tmp_path / "small dolls.toml")
    assert found.title == "small dolls"
    assert {setting.path: setting.value for setting in found.settings} == {
        "network.rank": 48, "sampling.prompts": ("a, b",),
    }  # fmt: skip
    assert found.by_path["network.rank"].reason.startswith("chosen; the rules would take 32")


def test_a_preset_gives_the_same_plan_again(tmp_path: Path) -> None:
    chosen = {"network.rank": "48", "optimizer.arguments": ("betas=0.9,0.99",), "loss.noise_offset": "0.05"}
    first = make_plan_for(settings=chosen)
    write_preset(tmp_path / "p.toml", first)

    second = make_plan_for(preset=read_preset(tmp_path / "p.toml"))

    assert second.config == first.config
    assert {decision.path for decision in preset_rows(second)} == set(chosen)


def test_nothing_chosen_is_no_preset(tmp_path: Path) -> None:
    with pytest.raises(RunError, match="nothing from the rules"):
        write_preset(tmp_path / "p.toml", make_plan_for())
