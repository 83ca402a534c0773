from __future__ import annotations

from typing import Any

import pytest

from templates.ai_toolkit.import_job import import_job
from templates.importing.imported import Imported
from tests.support.given_files import GivenFiles


def imported(**groups: Any) -> Imported:
    process = {
        "type": "diffusion_trainer",
        "network": {"type": "lora", "linear": 32, "linear_alpha": 16, **groups.pop("network", {})},
        "train": {"steps": 1000, "noise_scheduler": "flowmatch", **groups.pop("train", {})},
        "model": {"name_or_path": "/m/Anima", "arch": "anima", **groups.pop("model", {})},
    }
    return import_job({"job": "extension", "config": {"name": "a", "process": [process]}}, GivenFiles())


def test_alpha_is_the_rank_whatever_stands_there() -> None:
    found = imported()

    assert (found.effective["network.rank"], found.effective["network.alpha"]) == (32, 32.0)
    assert found.effective["model.prediction"] == "flow"


@pytest.mark.parametrize(
    ("train", "expected"),
    [
        ({}, ("logit_normal", 1.0, "none")),
        ({"timestep_type": "linear"}, ("uniform", 1.0, "none")),
        ({"timestep_type": "shift"}, ("uniform", 3.0, "none")),
        ({"timestep_type": "flux_shift"}, ("uniform", 3.0, "none")),
        ({"linear_timesteps": True}, ("uniform", 1.0, "bell")),
    ],
)
def test_how_timesteps_are_drawn(train: dict[str, Any], expected: tuple[Any, ...]) -> None:
    found = imported(train=train).effective

    assert tuple(found[f"loss.timestep_{name}"] for name in ("sampling", "shift", "weighting")) == expected


def test_weights_by_a_table_are_told_as_lost() -> None:
    assert "train.timestep_type" in {line.key for line in imported(train={"timestep_type": "weighted"}).of("dropped")}


def test_layers_that_ours_leave_alone_are_told() -> None:
    usual = {"network_kwargs": {"only_if_contains": ["attn1", "attn2", ".ff."]}}

    assert "network.type" in {line.key for line in imported().of("contradictory")}
    assert imported(network=usual).of("contradictory") == ()
    other = imported(network={"network_kwargs": {"only_if_contains": ["attn1"]}})
    assert "network.network_kwargs.only_if_contains" in {line.key for line in other.of("dropped")}


def test_the_text_adapter_is_kept() -> None:
    found = imported(model={"model_kwargs": {"train_text_conditioner": True}, "vae_path": "/m/v"})

    assert found.effective["network.text_adapter"] is True
    assert found.effective["model.vae_path"] is None


def z_image(model: dict[str, Any], **network: Any) -> Imported:
    return imported(model={"arch": "zimage", "name_or_path": "/m/Z-Image", **model}, network=network)


def test_a_job_for_z_image_is_a_training_of_ours() -> None:
    usual = {"network_kwargs": {"only_if_contains": ["attention.to_", "feed_forward."]}}
    found = z_image({"quantize": True, "qtype": "int8", "quantize_te": True}, **usual)

    assert found.effective["model.family"] == "z_image"
    assert found.effective["memory.base_dtype"] == "int8"
    assert (found.effective["network.rank"], found.effective["network.alpha"]) == (32, 32.0)
    assert [line.key for line in (*found.of("unknown"), *found.of("contradictory"))] == []
    assert "network.type" in {line.key for line in z_image({}).of("contradictory")}


def test_a_training_adapter_of_turbo_is_told_as_what_we_do_not_do() -> None:
    adapter = "ostris/zimage_turbo_training_adapter/zimage_turbo_training_adapter_v2.safetensors"
    found = z_image({"arch": "zimage:turbo", "assistant_lora_path": adapter, "extras_name_or_path": "/m/Turbo"})

    assert found.effective["model.family"] == "z_image"
    assert "model.assistant_lora_path" in {line.key for line in found.of("contradictory")}
    assert "model.extras_name_or_path" in {line.key for line in found.of("dropped")}
