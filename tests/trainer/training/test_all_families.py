"""An epoch of each family, and what other programs make of the LoRA."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors import safe_open
from safetensors.torch import load_file

from advisor.checkpoints.identify import identify
from advisor.estimate.disk import lora_bytes
from advisor.families import family
from advisor.settings.config import TrainingConfig
from tests.support.in_diffusers import answers_of, apart, make_pipeline, num_placed, said
from tests.support.runs import events_of, make_config, run_training
from tests.support.tiny import TINY_SD1, TINY_SD2, TINY_SDXL
from trainer.models.families.family import BaseModel
from trainer.models.load import load_base_model

CPU = torch.device("cpu")
STRUCTURES = {"sd1": TINY_SD1, "sd2": TINY_SD2, "sdxl": TINY_SDXL}
TWO_STEPS: dict[str, Any] = {"schedule__epochs": 1, "schedule__max_steps": 2}
SETTINGS: dict[str, dict[str, Any]] = {
    "sd1": {},
    "sd2": {"model__prediction": "v_prediction", "dataset__max_tokens": 150},
    "sdxl": {
        "model__prediction": "v_prediction",
        "loss__zero_terminal_snr": True,
        "sampling__prompts": ("tok",),
        "sampling__every_epochs": 1,
        "sampling__steps": 2,
        "saving__dtype": "float32",
    },
}
BLOCK = r"(attn[12]_(to_[qkv]|to_out_0)|ff_net_(0_proj|2))"
TEXT = r"_text_model_encoder_layers_\d+_(self_attn_(q|k|v|out)_proj|mlp_fc[12])"
OF_DIFFUSERS = (
    rf"(lora_te{TEXT}|lora_unet_(down_blocks_\d|mid_block|up_blocks_\d)_attentions_\d_"
    rf"(proj_in|proj_out|transformer_blocks_\d_{BLOCK}))"
)
KEYS = {
    "sd1": OF_DIFFUSERS,
    "sd2": OF_DIFFUSERS,
    "sdxl": rf"(lora_te[12]{TEXT}|lora_unet_(input_blocks_\d|middle_block|output_blocks_\d)_1_"
    rf"(proj_in|proj_out|transformer_blocks_\d_{BLOCK}))",
}
"""What A1111's and ComfyUI's loaders know: sd-scripts' names."""


@dataclass(frozen=True)
class Run:
    family: str
    path: Path
    config: TrainingConfig

    @property
    def lora(self) -> Path:
        return self.path / "model" / "tok.safetensors"

    def end(self) -> dict[str, Any]:
        return events_of(self.path, "finished")[0]

    def base(self) -> BaseModel:
        return load_base_model(self.config.model, dtype=torch.float32, vae_dtype=torch.float32, device=CPU)


@pytest.fixture(scope="module", params=["sd1", "sd2", "sdxl"])
def finished(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Run:
    folder, name = tmp_path_factory.mktemp(request.param), request.param
    config = make_config(folder, family=name, schedule__epochs=1, **SETTINGS[name])
    run_training(folder / "run", config)
    return Run(name, folder / "run", config)


def test_the_saved_lora_was_read_back_and_works(finished: Run) -> None:
    end = finished.end()

    check = end["reload_check"]
    assert (check["missing"], check["unexpected"], check["zero_change"]) == (0, 0, 0.0)
    assert check["unet_change"] > 1e-4
    assert check["text_change"] > 1e-4
    assert 0 <= check["difference"] < check["tolerance"] < 1e-3
    assert end["steps"] == 4
    codes = {event["code"] for event in events_of(finished.path, "warning")}
    assert codes.isdisjoint({"base_model", "reload_check", "sample_failed"})


def test_its_keys_are_kohyas(finished: Run) -> None:
    keys = set(load_file(finished.lora))

    names = {key.partition(".")[0] for key in keys}
    assert keys == {f"{name}.{suffix}" for name in names for suffix in ("alpha", "lora_down.weight", "lora_up.weight")}
    assert names == {
        target.name for target in family(finished.family).lora_targets(STRUCTURES[finished.family], conv=False)
    }
    assert not [name for name in names if not re.fullmatch(KEYS[finished.family], name)]


def test_identify_and_size_know_it(finished: Run) -> None:
    found = identify(finished.lora)

    assert (found.kind, found.family, found.adapter, found.rank) == ("lora", finished.family, "lora", 4)
    assert finished.lora.stat().st_size == lora_bytes(finished.config, STRUCTURES[finished.family])


def test_the_metadata_name_the_family(finished: Run) -> None:
    with safe_open(finished.lora, framework="pt") as file:
        metadata = file.metadata()

    told = {
        key: metadata[key]
        for key in ("ss_base_model_version", "ss_v2", "modelspec.architecture", "modelspec.prediction_type")
    }
    assert (
        told
        == {
            "sd1": {
                "ss_base_model_version": "sd_v1",
                "ss_v2": "False",
                "modelspec.architecture": "stable-diffusion-v1/lora",
                "modelspec.prediction_type": "epsilon",
            },
            "sd2": {
                "ss_base_model_version": "sd_v2_v",
                "ss_v2": "True",
                "modelspec.architecture": "stable-diffusion-v2-768-v/lora",
                "modelspec.prediction_type": "v",
            },
            "sdxl": {
                "ss_base_model_version": "sdxl_base_v1-0",
                "ss_v2": "False",
                "modelspec.architecture": "stable-diffusion-xl-v1-base/lora",
                "modelspec.prediction_type": "v",
            },
        }[finished.family]
    )


def test_diffusers_loads_every_key_and_its_output_changes(finished: Run) -> None:
    base = finished.base()
    pipeline = make_pipeline(base)
    answer = answers_of(pipeline, base)
    plain_states, plain = answer()

    with said() as heard:
        pipeline.load_lora_weights(str(finished.lora))
    states, changed = answer()

    check = finished.end()["reload_check"]
    assert heard == []
    assert num_placed(pipeline) == len({key.partition(".")[0] for key in load_file(finished.lora)})
    assert apart(changed, plain) > 0.2 * check["unet_change"]
    assert apart(states, plain_states) > 0.2 * check["text_change"]


def test_cached_text_gives_the_same_training(tmp_path: Path) -> None:
    fixed: dict[str, Any] = {
        "dataset__shuffle_captions": False,
        "optimizer__text_encoder_learning_rate": 0.0,
        "dataset__max_tokens": 150,
        "schedule__batch_size": 1,
    }
    plain = make_config(tmp_path, family="sdxl", **TWO_STEPS, **fixed)
    run_training(tmp_path / "plain", plain)
    run_training(
        tmp_path / "cached", make_config(tmp_path, family="sdxl", memory__cache_text=True, **TWO_STEPS, **fixed)
    )

    one, other = (load_file(tmp_path / name / "model" / "tok.safetensors") for name in ("plain", "cached"))
    entries = list((tmp_path / "cached" / "cache" / "text").rglob("*.safetensors"))
    assert load_file(entries[0]).keys() == {"states", "pooled"}
    assert one.keys() == other.keys()
    assert all(torch.equal(one[key], other[key]) for key in one)


def test_a_sample_is_drawn_with_sizes_and_pooled_text(finished: Run) -> None:
    drawn = list((finished.path / "samples").glob("*.png"))

    assert len(drawn) == (2 if finished.family == "sdxl" else 0)  # by the base model, and after the epoch
    assert "sample_failed" not in [event["code"] for event in events_of(finished.path, "warning")]
