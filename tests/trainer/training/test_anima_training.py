"""A tiny Anima from its files to a LoRA: no plan trains it yet, so the base model is loaded past the check of that."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from PIL import Image
from safetensors.torch import load_file

from advisor.checkpoints.identify import identify
from advisor.settings.config import ModelConfig, NetworkConfig, TrainingConfig, changed, parse_config
from tests.support.pictures import make_pictures
from tests.support.runs import events_of, metadata, run_training, same, weights
from tests.support.tiny_anima import CPU, TINY_ANIMA, write_tiny_anima
from trainer.adapters.network import Network
from trainer.models.families.anima import Anima
from trainer.models.families.family import BaseModel
from trainer.training import prepare

SETTINGS: dict[str, Any] = {
    "dataset": {"resolution_px": 64, "min_bucket_px": 32, "max_bucket_px": 128, "bucket_step_px": 16},
    "network": {"rank": 3, "alpha": 2.0},
    "optimizer": {"learning_rate": 1e-2, "unet_learning_rate": 1e-2, "text_encoder_learning_rate": 0.0},
    "schedule": {"epochs": 2, "batch_size": 2, "max_steps": 2, "name": "constant"},
    "loss": {"timestep_sampling": "logit_normal"},
    "memory": {"preset": "cpu", "cache_text": True, "gradient_checkpointing": True},
    "saving": {"name": "tok", "dtype": "float32"},
    "sampling": {"prompts": ("tok, 1girl",), "negative": "blurry", "steps": 2, "guidance": 4.0, "sampler": "euler"},
    "run": {"trigger": "tok"},
}
WHAT_GOES_IN = {"loha": "hada_w2_a", "lokr": "lokr_w2_b", "dora": "lora_B.weight", "lora": "lora_B.weight"}
"""What is zero in an adapter that learned nothing."""


@pytest.fixture(autouse=True)
def past_the_check(monkeypatch: pytest.MonkeyPatch) -> None:
    def load(model: ModelConfig, **given: Any) -> BaseModel:
        return Anima().load(model, identify(Path(model.path)), **given)

    monkeypatch.setattr(prepare, "load_base_model", load)


def material(folder: Path, **settings: Any) -> TrainingConfig:
    """A base model, four pictures in two sizes, and a training of two steps."""
    base = folder / "base"
    if not base.exists():
        write_tiny_anima(base)
        make_pictures(folder / "pictures", 4, sizes=((64, 64), (80, 48)))
    config = parse_config(
        {
            **SETTINGS,
            "model": {"path": str(base / "anima.safetensors"), "family": "anima", "prediction": "flow"},
            "dataset": {"images": str(folder / "pictures"), **SETTINGS["dataset"]},
        }
    )
    for path, value in settings.items():
        config = changed(config, path.replace("__", "."), value)
    return config


def complaints(run: Path) -> list[str]:
    return [
        event["message"] for event in events_of(run, "warning") if event["code"] in ("reload_check", "sample_failed")
    ]


@pytest.mark.parametrize("kind", WHAT_GOES_IN)
def test_two_steps_teach_every_layer_and_the_file_reads_back(tmp_path: Path, kind: str) -> None:
    run = tmp_path / "run"
    run_training(run, material(tmp_path, network__kind=kind, network__factor=2, sampling__prompts=()))
    lora = load_file(run / "model" / "tok.safetensors")
    grown = [one for name, one in lora.items() if name.endswith(WHAT_GOES_IN[kind])]

    assert complaints(run) == []
    assert len(grown) == 20
    assert all(float(one.abs().max()) > 0 for one in grown)
    (found,) = events_of(run, "reload_check")
    assert (found["missing"], found["unexpected"], found["text_change"]) == (0, 0, 0)
    assert found["unet_change"] > 1e-3
    assert found["difference"] <= found["tolerance"]


def test_pictures_are_drawn_by_the_base_and_the_lora(tmp_path: Path) -> None:
    run = tmp_path / "run"
    run_training(run, material(tmp_path, schedule__epochs=1, validation__share=1.0))
    pictures = [run / event["path"] for event in events_of(run, "sample")]
    drawn = list[tuple[tuple[int, int], bytes]]()
    for path in pictures:
        with Image.open(path) as image:
            drawn.append((image.size, image.tobytes()))

    assert [size for size, _ in drawn] == [(64, 64)] * 2
    assert drawn[0] != drawn[1]
    assert [event["loss"] > 0 for event in events_of(run, "validation")] == [True]


def test_the_metadata_are_those_of_kohyas_trainer(tmp_path: Path) -> None:
    run = tmp_path / "run"
    run_training(run, material(tmp_path, sampling__prompts=()))
    told = metadata(run / "model" / "tok.safetensors")

    assert told["ss_network_module"] == "networks.lora_anima"
    assert told["ss_base_model_version"] == "anima"
    assert told["modelspec.architecture"] == "anima/lora"
    assert told["modelspec.prediction_type"] == "flow"
    assert told["modelspec.implementation"] == "https://huggingface.co/circlestone-labs/Anima"
    assert told["modelspec.license"].startswith("CircleStone non-commercial licence, https://")
    assert (told["ss_network_dim"], told["ss_network_alpha"]) == ("3", "3")
    assert (told["ss_timestep_sampling"], told["ss_sigmoid_scale"], told["ss_discrete_flow_shift"]) == (
        "sigmoid",
        "1.0",
        "1.0",
    )
    assert "modelspec.encoder_layer" not in told


def test_one_step_and_one_more_are_two_to_the_bit(tmp_path: Path) -> None:
    config = material(tmp_path, sampling__prompts=())
    run_training(tmp_path / "whole", config)
    run_training(tmp_path / "cut", changed(config, "schedule.max_steps", 1))
    run_training(tmp_path / "cut", config, resume=True)

    assert same(weights(tmp_path / "cut"), weights(tmp_path / "whole"))


def test_checkpointing_changes_nothing(tmp_path: Path) -> None:
    config = material(tmp_path, sampling__prompts=())
    run_training(tmp_path / "checkpointed", config)
    run_training(tmp_path / "kept", changed(config, "memory.gradient_checkpointing", False))
    checkpointed, kept = weights(tmp_path / "checkpointed"), weights(tmp_path / "kept")

    assert max(float((checkpointed[name] - kept[name]).abs().max()) for name in kept) < 1e-4


def test_captions_that_change_go_on_with_the_same_forms(tmp_path: Path) -> None:
    changes = {"dataset__shuffle_captions": True, "dataset__caption_dropout": 0.3, "memory__text_variants": 3}
    config = material(tmp_path, sampling__prompts=(), **changes)
    run_training(tmp_path / "whole", config)
    run_training(tmp_path / "cut", changed(config, "schedule.max_steps", 1))
    run_training(tmp_path / "cut", config, resume=True)

    assert same(weights(tmp_path / "cut"), weights(tmp_path / "whole"))


@pytest.mark.parametrize("quantised", ["int8", "nf4"])
def test_a_quantised_base_keeps_the_text_adapter_and_the_ends_whole(tmp_path: Path, quantised: str) -> None:
    run = tmp_path / "run"
    settings = {"memory__base_dtype": quantised, "network__text_adapter": True, "sampling__prompts": ()}
    run_training(run, material(tmp_path, **settings))

    assert complaints(run) == []
    assert len({name.rpartition(".lora_")[0] for name in load_file(run / "model" / "tok.safetensors")}) == 30


def test_it_computes_in_bfloat16() -> None:
    torch.manual_seed(0)
    base = Anima().build(TINY_ANIMA, dtype=torch.bfloat16, vae_dtype=torch.float32, device=CPU)
    network = Network.attach(base, NetworkConfig(rank=2), text_encoder=False)
    text = Anima().encode_text(base, Anima().tokenize(base, ["1girl", ""]))
    noisy = torch.randn(2, 16, 4, 4, generator=torch.Generator().manual_seed(1)).bfloat16()
    whole = Anima().predict(base, noisy, torch.tensor([0.3, 0.9]), text)
    whole.float().square().mean().backward()
    grads = [one.grad for name, one in network.named_parameters() if name.endswith("up")]

    assert whole.dtype == torch.bfloat16
    assert bool(whole.isfinite().all())
    assert all(grad is not None and bool(grad.isfinite().all()) for grad in grads)
