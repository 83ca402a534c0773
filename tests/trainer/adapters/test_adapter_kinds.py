"""Whole trainings with every kind of adapter, and what their files are to others."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file
from torch import Tensor

from advisor.adapters.layout import adapter_plans
from advisor.checkpoints.identify import identify
from advisor.errors import ConfigError, ConfigErrors, ModelError
from advisor.estimate.disk import lora_bytes
from advisor.settings.config import AdapterKind, NetworkConfig
from tests.support.runs import events_of, make_config, run_training
from tests.support.tiny import TINY_SD1, tiny_sd1
from trainer.adapters.network import Network
from trainer.lora_files.reload_check import check_saved
from trainer.models.families.family import BaseModel

KINDS: tuple[AdapterKind, ...] = ("lora", "locon", "dora", "loha", "lokr")
EMA = {"loss__ema": True, "schedule__name": "constant"}
SUFFIXES = {
    "lora": {"lora_down.weight", "lora_up.weight"},
    "locon": {"lora_down.weight", "lora_up.weight"},
    "dora": {"lora_down.weight", "lora_up.weight", "dora_scale"},
    "loha": {"hada_w1_a", "hada_w1_b", "hada_w2_a", "hada_w2_b"},
    "lokr": {"lokr_w1", "lokr_w2", "lokr_w2_a", "lokr_w2_b"},
}
"""As LyCORIS, kohya and ComfyUI know them."""


def settings(kind: AdapterKind) -> dict[str, Any]:
    conv = {} if kind == "lora" else {"network__conv_rank": 2}
    return {"network__kind": kind, "schedule__max_steps": 3, **conv}


def complaints(run: Path) -> list[dict[str, Any]]:
    """What was wrong when the LoRA was read back."""
    return [event for event in events_of(run, "warning") if event["code"] == "reload_check"]


@pytest.fixture(scope="module")
def base() -> BaseModel:
    return tiny_sd1()


def attach(base: BaseModel, kind: AdapterKind, **more: Any) -> Network:
    config = NetworkConfig(kind=kind, rank=4, alpha=2.0, conv_rank=2, **more)
    return Network.attach(base, config, text_encoder=True)


def randomized(network: Network) -> Network:
    generator = torch.Generator().manual_seed(9)
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.add_(torch.randn(parameter.shape, generator=generator), alpha=0.05)
    return network


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_trains_saves_and_is_read_back(kind: AdapterKind, material: Path, tmp_path: Path) -> None:
    config = make_config(material, **settings(kind))

    run_training(tmp_path, config)

    path = tmp_path / "model" / "tok.safetensors"
    (check,) = events_of(tmp_path, "reload_check")
    assert not complaints(tmp_path)
    assert (check["missing"], check["unexpected"], check["zero_change"]) == (0, 0, 0.0)
    assert check["unet_change"] > 0
    assert check["text_change"] > 0
    assert path.stat().st_size == lora_bytes(config, TINY_SD1)
    assert {key.partition(".")[2] for key in load_file(path)} == {*SUFFIXES[kind], "alpha"}
    found = identify(path)
    assert (found.kind, found.adapter, found.rank, found.alpha) == ("lora", kind, 4, 2.0)


@pytest.mark.parametrize("kind", ["dora", "loha", "lokr"])
def test_every_kind_goes_on_as_if_it_had_never_stopped(kind: AdapterKind, material: Path, tmp_path: Path) -> None:
    whole = make_config(material, **settings(kind) | EMA | {"schedule__max_steps": 5})
    half = make_config(material, **settings(kind) | EMA | {"schedule__max_steps": 2})
    run_training(tmp_path / "whole", whole)

    run_training(tmp_path / "halves", half)
    run_training(tmp_path / "halves", whole, resume=True)

    one, other = (load_file(tmp_path / run / "model" / "tok.safetensors") for run in ("whole", "halves"))
    assert one.keys() == other.keys()
    assert all(torch.equal(one[key], other[key]) for key in one)


@pytest.mark.parametrize("kind", KINDS)
def test_a_file_has_the_planned_tensors_in_their_order(kind: AdapterKind, base: BaseModel) -> None:
    network = attach(base, kind)
    config = NetworkConfig(kind=kind, rank=4, alpha=2.0, conv_rank=2)

    state = network.lora_state(torch.float16)

    wanted: dict[str, tuple[int, ...]] = {}
    for plan in adapter_plans("sd1", TINY_SD1, config, text_encoder=True):
        wanted[f"{plan.target.name}.alpha"] = ()
        wanted |= {f"{plan.target.name}.{suffix}": shape for suffix, shape in plan.shapes.items()}
    assert {key: tuple(tensor.shape) for key, tensor in state.items()} == wanted
    assert list(state) == list(wanted)
    for key, tensor in state.items():
        assert tensor.dtype == (torch.float32 if key.endswith("dora_scale") else torch.float16)


@pytest.mark.parametrize("kind", KINDS)
def test_what_was_saved_is_loaded(kind: AdapterKind, base: BaseModel) -> None:
    saved = randomized(attach(base, kind)).lora_state(torch.float32)
    network = attach(base, kind)

    network.load_lora_state(saved)

    state = network.lora_state(torch.float32)
    assert all(torch.equal(state[key], saved[key]) for key in saved)
    assert not [key for key, tensor in saved.items() if not bool(tensor.any())]


@pytest.mark.parametrize("kind", KINDS)
def test_going_on_with_another_alpha_keeps_what_was_learned(kind: AdapterKind, base: BaseModel, tmp_path: Path) -> None:
    first = randomized(attach(base, kind))
    save_file(first.lora_state(torch.float32), tmp_path / "first.safetensors")
    wanted = _changes(first)
    config = NetworkConfig(kind=kind, rank=4, alpha=1.0, conv_rank=2, start_from=str(tmp_path / "first.safetensors"))

    network = Network.attach(base, config, text_encoder=True)

    for found, change in zip(_changes(network), wanted, strict=True):
        torch.testing.assert_close(found, change)


def _changes(network: Network) -> list[Tensor]:
    """What each layer gives for the same input."""
    outputs = []
    for adapter in network.layers.values():
        weight = adapter.layer.weight
        shape = (1, weight.shape[1], 4, 4) if weight.ndim == 4 else (1, weight.shape[1])
        outputs.append(adapter(torch.randn(shape, generator=torch.Generator().manual_seed(1))).detach())
    return outputs


def test_a_lora_is_no_start_for_a_loha(base: BaseModel) -> None:
    state = attach(base, "locon").lora_state(torch.float32)

    with pytest.raises(ModelError, match="hada_w1_a"):
        attach(base, "loha").load_lora_state(state)


@pytest.mark.parametrize("kind", ["lora", "loha", "lokr", "dora"])
def test_another_rank_names_the_setting(kind: AdapterKind, base: BaseModel) -> None:
    config = NetworkConfig(kind=kind, rank=2, alpha=2.0)
    state = Network.attach(base, config, text_encoder=True).lora_state(torch.float32)
    config = config.model_copy(update={"rank": 3})

    with pytest.raises(ModelError, match=r"set network\.rank to 2"):
        Network.attach(base, config, text_encoder=True).load_lora_state(state)


def test_alpha_counts_for_nothing_where_a_lokr_is_whole(base: BaseModel) -> None:
    config = NetworkConfig(kind="lokr", rank=64, alpha=8.0)
    network = randomized(Network.attach(base, config, text_encoder=False))
    name = "lora_unet_down_blocks_0_attentions_0_proj_in"

    state = network.lora_state(torch.float32)

    assert state[f"{name}.alpha"] == 64
    small, large = state[f"{name}.lokr_w1"], state[f"{name}.lokr_w2"]
    wanted = torch.kron(small[:, :, None, None], large)
    adapter = network.layers[name]
    eye = torch.eye(32).view(32, 32, 1, 1)
    found = (adapter(eye) - adapter.layer_alone(eye)).view(32, 32).t()
    torch.testing.assert_close(found, wanted.view(32, 32), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("kind", KINDS)
def test_the_check_after_saving_tells_a_lost_tensor_and_a_strange_one(
    kind: AdapterKind, base: BaseModel, tmp_path: Path
) -> None:
    network = randomized(attach(base, kind))
    state = network.lora_state(torch.float32)
    name = "lora_unet_mid_block_attentions_0_proj_in"
    lost = next(key for key in state if key.startswith(name) and not key.endswith("alpha"))
    del state[lost]
    save_file({**state, "lora_unet_none.alpha": torch.ones(())}, tmp_path / "bad.safetensors")

    check = check_saved(tmp_path / "bad.safetensors", base, network, "a cat", clip_skip=1)
    network.detach()

    assert (check.missing, check.unexpected) == (1, 1)
    assert check.difference > check.tolerance


@pytest.mark.parametrize("kind", KINDS)
def test_the_check_after_saving_tells_a_weight_that_was_changed(
    kind: AdapterKind, base: BaseModel, tmp_path: Path
) -> None:
    network = randomized(attach(base, kind))
    state = network.lora_state(torch.float32)
    path = tmp_path / "lora.safetensors"
    save_file(state, path)
    good = check_saved(path, base, network, "a cat", clip_skip=1)
    key = next(key for key in state if key.startswith("lora_unet_mid_block_attentions") and not key.endswith("alpha"))
    save_file({**state, key: state[key] * 1.5}, path)

    bad = check_saved(path, base, network, "a cat", clip_skip=1)
    network.detach()

    assert good.complaints(unet=True, text_encoder=True) == ()
    assert bad.difference > bad.tolerance


def test_block_ranks_shape_the_file_and_a_block_without_rank_is_not_missed(material: Path, tmp_path: Path) -> None:
    ranks = [2, 2, 2, 3, 3, 3, 3, 3, 0, *[5] * 8]
    config = make_config(material, network__block_ranks=ranks, schedule__max_steps=2)

    run_training(tmp_path, config)

    state = load_file(tmp_path / "model" / "tok.safetensors")
    down = "proj_in.lora_down.weight"
    assert state[f"lora_unet_down_blocks_0_attentions_0_{down}"].shape[0] == 2
    assert state[f"lora_unet_down_blocks_1_attentions_0_{down}"].shape[0] == 3
    assert state[f"lora_unet_up_blocks_1_attentions_0_{down}"].shape[0] == 5
    assert state["lora_te_text_model_encoder_layers_0_mlp_fc1.lora_down.weight"].shape[0] == 4
    assert not [key for key in state if "mid_block" in key]
    assert not complaints(tmp_path)
    assert (tmp_path / "model" / "tok.safetensors").stat().st_size == lora_bytes(config, TINY_SD1)


def test_a_block_with_rate_0_is_not_trained_and_the_others_are(material: Path, tmp_path: Path) -> None:
    rates = [0.0] * 8 + [1.0] + [0.5] * 8
    config = make_config(material, optimizer__block_learning_rates=rates, schedule__max_steps=2)

    run_training(tmp_path, config)

    state = load_file(tmp_path / "model" / "tok.safetensors")
    moved = {key for key, tensor in state.items() if key.endswith("lora_up.weight") and bool(tensor.any())}
    assert not [key for key in moved if "_down_blocks_" in key]
    assert [key for key in moved if "_mid_block_" in key]
    assert [key for key in moved if "_up_blocks_" in key]
    assert {event["unet_learning_rate"] for event in events_of(tmp_path, "step")} == {1e-3, 0.5e-3}


def test_a_list_of_rates_that_fits_no_model_is_refused(material: Path, tmp_path: Path) -> None:
    config = make_config(material, optimizer__block_learning_rates=[1.0, 1.0])

    with pytest.raises(ConfigError, match="17 factors"):
        run_training(tmp_path, config)


def test_max_norm_caps_every_adapter(material: Path, tmp_path: Path) -> None:
    free = make_config(material, schedule__max_steps=3)
    capped = make_config(material, network__max_norm=0.01, schedule__max_steps=3)
    run_training(tmp_path / "free", free)
    run_training(tmp_path / "capped", capped)

    assert max(_norms(tmp_path / "free")) > 0.02
    assert 0.0095 < max(_norms(tmp_path / "capped")) < 0.0101


def _norms(run: Path) -> list[float]:
    """Of up x down x alpha / rank, by the file alone."""
    state = load_file(run / "model" / "tok.safetensors")
    names = {key.partition(".")[0] for key in state}
    norms = []
    for name in names:
        down, up = (state[f"{name}.lora_{side}.weight"].float().flatten(1) for side in ("down", "up"))
        norms.append(float((up @ down).norm() * state[f"{name}.alpha"].float() / down.shape[0]))
    return norms


@pytest.mark.parametrize("kind", ["dora", "loha", "lokr"])
def test_dropout_that_a_kind_has_not_is_refused(kind: AdapterKind, material: Path, tmp_path: Path) -> None:
    config = make_config(material, network__kind=kind, network__dropout=0.1)

    with pytest.raises(ConfigErrors, match=r"network\.dropout"):
        run_training(tmp_path, config)


@pytest.mark.parametrize("kind", ["dora", "loha", "lokr"])
def test_dropouts_of_ranks_and_adapters_train(kind: AdapterKind, material: Path, tmp_path: Path) -> None:
    config = make_config(
        material, network__kind=kind, network__rank_dropout=0.2, network__module_dropout=0.2, schedule__max_steps=2
    )

    run_training(tmp_path, config)

    assert not complaints(tmp_path)


def test_a_locon_answers_in_diffusers_as_it_does_here(base: BaseModel) -> None:
    from diffusers import DDIMScheduler, StableDiffusionPipeline

    network = randomized(attach(base, "locon"))
    noisy, times = torch.ones(1, 4, 16, 16), torch.tensor([500])
    ids = base.tokenizers[0](["a cat"])
    with torch.no_grad():
        ours = base.family.predict(base, noisy, times, base.family.encode_text(base, (ids,)))
        network.multiplier = 0.0
        plain = base.family.predict(base, noisy, times, base.family.encode_text(base, (ids,)))
    state = network.lora_state(torch.float32)
    network.detach()
    fresh = tiny_sd1()
    pipeline = StableDiffusionPipeline(
        vae=fresh.vae, text_encoder=fresh.text_encoders[0], tokenizer=None, unet=fresh.denoiser,
        scheduler=DDIMScheduler(steps_offset=1, clip_sample=False),
        safety_checker=None, feature_extractor=None, requires_safety_checker=False,
    )  # fmt: skip

    pipeline.load_lora_weights(state)

    with torch.no_grad():
        theirs = pipeline.unet(noisy, times, pipeline.text_encoder(ids[:, 0]).last_hidden_state).sample
    assert float((ours - plain).norm() / plain.norm()) > 0.01
    assert float((theirs - ours).norm() / ours.norm()) < 1e-5
