"""A LoRA to go on from, looked at before anything is trained: what is refused, what is told, what follows it."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from advisor.adapters.layout import adapter_plans
from advisor.adapters.start_file import StartFile, read_start
from advisor.errors import ConfigErrors, ModelError
from advisor.families import family
from advisor.plan import Plan
from advisor.planning.planner import make_plan
from advisor.settings.config import NetworkConfig
from tests.support.factories import make_facts
from tests.support.headers import Shapes, write_model


def a_file(folder: Path, more: Shapes | None = None, *, text_encoder: bool = True, **network: Any) -> StartFile:
    """The header of a LoRA for SD1 as published."""
    structure = family("sd1").standard
    assert structure is not None
    plans = adapter_plans("sd1", structure, NetworkConfig(**network), text_encoder=text_encoder)
    shapes = {f"{plan.target.name}.{suffix}": shape for plan in plans for suffix, shape in plan.shapes.items()}
    return read_start(write_model(folder / "first.safetensors", {**shapes, **(more or {})}))


def planned(start: StartFile, **settings: Any) -> Plan:
    given = {f"network.{name}": value for name, value in settings.items()}
    return make_plan(replace(make_facts(settings={"network.start_from": start.path, **given}), start=start))


def test_a_lora_that_fits_is_gone_on_from_without_a_word(tmp_path: Path) -> None:
    plan = planned(a_file(tmp_path, rank=32))

    assert plan.config.network.start_from == str(tmp_path / "first.safetensors")
    assert not [warning for warning in plan.warnings if warning.code == "start_from"]


def test_another_rank_is_refused_when_planning_and_both_mends_are_named(tmp_path: Path) -> None:
    start = a_file(tmp_path, rank=16)

    with pytest.raises(ConfigErrors, match=r"has rank 16: set network\.rank to 16, or network\.resize_start=true"):
        planned(start)

    (note,) = [
        warning.message for warning in planned(start, resize_start=True).warnings if warning.code == "start_from"
    ]
    assert note.startswith("the LoRA to go on from has rank 16 in 264 layers and is resized: nothing of it is lost")
    assert not [warning for warning in planned(start, rank=16).warnings if warning.code == "start_from"]


def test_layers_of_a_preset_are_told_of_when_planning(tmp_path: Path) -> None:
    more = {f"lora_unet_conv_in.lora_{side}.weight": (4, 4, 3, 3) for side in ("down", "up")}

    plan = planned(a_file(tmp_path, more, rank=32))

    assert [warning.message.partition(" of the")[0] for warning in plan.warnings if warning.code == "start_from"] == [
        "1 layer"
    ]


@pytest.mark.parametrize("axis", ["input", "output"])
def test_a_dora_that_is_gone_on_from_brings_its_axis(tmp_path: Path, axis: str) -> None:
    plan = planned(a_file(tmp_path, kind="dora", dora_axis=axis, rank=32), kind="dora")

    assert plan.config.network.dora_axis == axis


def test_an_axis_that_was_chosen_against_it_is_refused(tmp_path: Path) -> None:
    start = a_file(tmp_path, kind="dora", dora_axis="output", rank=32)

    with pytest.raises(ConfigErrors, match=r"network\.dora_axis is 'input': .* has lengths by output"):
        planned(start, kind="dora", dora_axis="input")


def test_all_settings_that_hinder_it_are_told_at_once(tmp_path: Path) -> None:
    start = a_file(tmp_path, kind="locon", rank=16, conv_rank=8)

    with pytest.raises(ConfigErrors) as caught:
        planned(start)

    assert {error.path for error in caught.value.errors} == {"network.rank", "network.conv_rank"}


def test_a_checkpoint_is_no_lora_to_go_on_from(tmp_path: Path) -> None:
    path = write_model(tmp_path / "a.safetensors", {"first_stage_model.decoder.conv_in.weight": (512, 4, 3, 3)})

    with pytest.raises(ModelError, match="no LoRA to go on from"):
        read_start(path)
