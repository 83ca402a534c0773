"""Loading: single files and folders, whole and damaged."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file
from torch import Tensor

from advisor.checkpoints.identify import identify
from advisor.errors import ModelError
from advisor.settings.config import ModelConfig
from tests.support.tiny import TINY_FOLDER, TINY_SD1, tiny_sd1, tiny_sd1_checkpoint, tiny_sd1_folder
from trainer.models.clip_text import text_root
from trainer.models.families.family import BaseModel
from trainer.models.load import load_base_model

CPU = torch.device("cpu")
UNET, VAE, TEXT = "model.diffusion_model.", "first_stage_model.", "cond_stage_model.transformer.text_model."


def load(path: Path, dtype: torch.dtype = torch.float32, **model: object) -> BaseModel:
    config = ModelConfig.model_validate({"path": str(path), "family": "sd1"} | model)
    return load_base_model(config, dtype=dtype, vae_dtype=torch.float32, device=CPU)


def changed(path: Path, change: Callable[[dict[str, Tensor]], object]) -> Path:
    state = load_file(path)
    change(state)
    save_file({name: tensor.contiguous() for name, tensor in state.items()}, path)
    return path


def states(base: BaseModel) -> dict[str, Tensor]:
    networks = {"unet": base.denoiser, "vae": base.vae, "text": text_root(base.text_encoders[0])}
    return {
        f"{part}.{name}": tensor for part, network in networks.items() for name, tensor in network.state_dict().items()
    }


def assert_same(found: BaseModel, wanted: BaseModel) -> None:
    one, other = states(found), states(wanted)
    assert one.keys() == other.keys()
    assert all(torch.equal(one[name].half(), other[name].half()) for name in one)


def test_a_single_file_has_every_weight_in_its_place(tmp_path: Path) -> None:
    base = load(tiny_sd1_checkpoint(tmp_path, seed=3))

    assert_same(base, tiny_sd1(seed=3))
    assert base.structure == TINY_SD1
    assert base.prediction == "epsilon"
    assert base.notes == ()


def test_a_folder_has_every_weight_in_its_place(tmp_path: Path) -> None:
    base = load(tiny_sd1_folder(tmp_path, seed=3))

    assert_same(base, tiny_sd1(TINY_FOLDER, seed=3))
    assert base.structure == TINY_FOLDER
    assert base.prediction == "v_prediction"
    assert base.tokenizers[0].length == 24


def test_a_folder_gives_what_diffusers_gives(tmp_path: Path) -> None:
    from diffusers import UNet2DConditionModel
    from transformers import CLIPTextModel, CLIPTokenizer

    folder = tiny_sd1_folder(tmp_path)
    base = load(folder)
    unet = UNet2DConditionModel.from_pretrained(folder / "unet", torch_dtype=torch.float32)
    text_encoder = CLIPTextModel.from_pretrained(folder / "text_encoder", dtype=torch.float32)
    ids = CLIPTokenizer.from_pretrained(folder / "tokenizer")(
        ["cat, b"], padding="max_length", max_length=24, return_tensors="pt"
    ).input_ids
    noisy, times = torch.randn(1, 8, 8, 8, generator=torch.Generator().manual_seed(0)), torch.tensor([300])

    with torch.no_grad():
        states = text_encoder(ids).last_hidden_state
        wanted = unet(noisy, times, states).sample
        (own_ids,) = base.family.tokenize(base, ["cat, b"])
        text = base.family.encode_text(base, (own_ids,))
        found = base.family.predict(base, noisy, times, text)

    assert own_ids[0].tolist() == ids.tolist()
    torch.testing.assert_close(text["states"], states)
    torch.testing.assert_close(found, wanted)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_weights_are_frozen_and_in_the_asked_dtype(tmp_path: Path, dtype: torch.dtype) -> None:
    base = load(tiny_sd1_checkpoint(tmp_path), dtype)

    assert base.dtype == dtype
    assert base.device == CPU
    for network in (base.denoiser, *base.text_encoders):
        assert {p.dtype for p in network.parameters()} == {dtype}
    assert {p.dtype for p in base.vae.parameters()} == {torch.float32}
    networks = (base.denoiser, base.vae, *base.text_encoders)
    assert not any(p.requires_grad or p.is_meta for network in networks for p in network.parameters())
    assert not any(b.is_meta for network in networks for b in network.buffers())


def test_the_model_does_not_depend_on_the_file_once_loaded(tmp_path: Path) -> None:
    path = tiny_sd1_checkpoint(tmp_path)
    base = load(path, torch.float16)
    before = {name: tensor.clone() for name, tensor in states(base).items()}

    path.write_bytes(bytes(path.stat().st_size))

    assert all(torch.equal(tensor, before[name]) for name, tensor in states(base).items())


@pytest.mark.parametrize(
    "name",
    [f"{UNET}middle_block.1.proj_in.bias", f"{VAE}decoder.mid.attn_1.q.bias", f"{TEXT}final_layer_norm.weight"],
)
def test_a_missing_weight_is_named(tmp_path: Path, name: str) -> None:
    path = changed(tiny_sd1_checkpoint(tmp_path), lambda state: state.pop(name))

    with pytest.raises(ModelError, match=name.replace(".", r"\.")):
        load(path)


@pytest.mark.parametrize("name", [f"{UNET}middle_block.1.gate.weight", f"{VAE}extra.bias", f"{TEXT}extra.weight"])
def test_an_unexpected_weight_inside_a_network_is_named(tmp_path: Path, name: str) -> None:
    path = changed(tiny_sd1_checkpoint(tmp_path), lambda state: state.update({name: torch.zeros(2)}))

    with pytest.raises(ModelError, match=name.replace(".", r"\.")):
        load(path)


def test_a_weight_of_another_shape_is_named(tmp_path: Path) -> None:
    name = f"{UNET}middle_block.1.norm.bias"
    path = changed(tiny_sd1_checkpoint(tmp_path), lambda state: state.update({name: torch.zeros(63)}))

    with pytest.raises(ModelError, match=r"middle_block\.1\.norm\.bias has the shape \[63\], wanted is \[64\]"):
        load(path)


def test_known_leftovers_of_public_files_are_told_once(tmp_path: Path) -> None:
    leftovers = (
        "model_ema.decay", "alphas_cumprod", "sqrt_one_minus_alphas_cumprod", "posterior_variance", "logvar",
        "cond_stage_model.logit_scale", "cond_stage_model.transformer.text_projection.weight",
        f"{UNET}lora_unet_mid_block.lora_up.weight", "lora_te_text_model.alpha",
    )  # fmt: skip
    path = tiny_sd1_checkpoint(tmp_path)
    changed(path, lambda state: state.update({name: torch.zeros(1) for name in leftovers}))

    base = load(path)

    assert len(base.notes) == 1
    assert "weights that training does not need" in base.notes[0]
    assert "and 4 more" in base.notes[0]


def test_text_names_without_text_model_are_known_too(tmp_path: Path) -> None:
    def shorten(state: dict[str, Tensor]) -> None:
        for name in [name for name in state if name.startswith(TEXT)]:
            state[name.replace("transformer.text_model.", "transformer.")] = state.pop(name)

    assert_same(load(changed(tiny_sd1_checkpoint(tmp_path), shorten)), tiny_sd1())


def test_linear_layers_of_the_vae_may_lie_flat_in_the_file(tmp_path: Path) -> None:
    def flatten(state: dict[str, Tensor]) -> None:
        name = f"{VAE}decoder.mid.attn_1.q.weight"
        state[name] = state[name][:, :, 0, 0]

    assert_same(load(changed(tiny_sd1_checkpoint(tmp_path), flatten)), tiny_sd1())


def test_older_names_in_a_folders_vae_are_known(tmp_path: Path) -> None:
    checkpoint = tiny_sd1(seed=1)
    new = checkpoint.vae.state_dict()
    old = {
        name.replace("to_q", "query")
        .replace("to_k", "key")
        .replace("to_v", "value")
        .replace("to_out.0", "proj_attn"): w
        for name, w in new.items()
    }
    (tmp_path / "vae").mkdir()
    save_file(old, tmp_path / "vae" / "diffusion_pytorch_model.safetensors")

    base = load(tiny_sd1_checkpoint(tmp_path), vae_path=str(tmp_path / "vae"))

    found = base.vae.state_dict()
    assert all(torch.equal(found[name], new[name]) for name in new)


@pytest.mark.parametrize("prefix", ["first_stage_model.", ""])
def test_another_vae_takes_the_place_of_the_checkpoints(tmp_path: Path, prefix: str) -> None:
    other = load_file(tiny_sd1_checkpoint(tmp_path / "other", seed=5))
    vae = {prefix + name.removeprefix(VAE): tensor for name, tensor in other.items() if name.startswith(VAE)}
    save_file(vae, tmp_path / "other.vae.safetensors")

    base = load(tiny_sd1_checkpoint(tmp_path), vae_path=str(tmp_path / "other.vae.safetensors"))

    assert torch.equal(base.vae.decoder.conv_in.weight, tiny_sd1(seed=5).vae.decoder.conv_in.weight.half().float())
    assert torch.equal(base.denoiser.conv_in.weight, tiny_sd1().denoiser.conv_in.weight.half().float())


def test_a_file_without_a_vae_in_its_place_is_refused(tmp_path: Path) -> None:
    save_file({"a": torch.zeros(1)}, tmp_path / "a.safetensors")

    with pytest.raises(ModelError, match="holds no VAE"):
        load(tiny_sd1_checkpoint(tmp_path), vae_path=str(tmp_path / "a.safetensors"))


def without_vae(state: dict[str, Tensor]) -> None:
    for name in [name for name in state if name.startswith(VAE)]:
        del state[name]


def test_a_base_model_without_a_vae_names_the_setting_that_mends_it(tmp_path: Path) -> None:
    checkpoint = changed(tiny_sd1_checkpoint(tmp_path), without_vae)

    with pytest.raises(ModelError, match=r"has no VAE.*: set model\.vae_path to a VAE's file or folder"):
        load(checkpoint)


@pytest.mark.parametrize("lost", [UNET + "input_blocks.1.0.in_layers.2.weight", TEXT])
def test_of_a_damaged_checkpoint_training_says_what_identify_says(tmp_path: Path, lost: str) -> None:
    def damage(state: dict[str, Tensor]) -> None:
        for name in [name for name in state if name.startswith(lost)]:
            del state[name]

    checkpoint = changed(tiny_sd1_checkpoint(tmp_path), damage)
    identity = identify(checkpoint)

    assert not identity.trainable
    assert identity.why_not
    with pytest.raises(ModelError, match=re.escape(identity.why_not)):
        load(checkpoint)


def test_a_missing_vae_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match=r"model\.vae_path"):
        load(tiny_sd1_checkpoint(tmp_path), vae_path=str(tmp_path / "gone.safetensors"))


def test_a_folder_with_pickles_only_is_refused(tmp_path: Path) -> None:
    folder = tiny_sd1_folder(tmp_path)
    (folder / "vae" / "diffusion_pytorch_model.safetensors").rename(folder / "vae" / "diffusion_pytorch_model.bin")

    with pytest.raises(ModelError, match=r"loracle convert"):
        load(folder)


def test_half_precision_files_and_shards_of_a_folder_are_found(tmp_path: Path) -> None:
    folder = tiny_sd1_folder(tmp_path)
    vae = folder / "vae" / "diffusion_pytorch_model.safetensors"
    vae.rename(vae.with_suffix(".fp16.safetensors"))
    unet = folder / "unet" / "diffusion_pytorch_model.safetensors"
    state = load_file(unet)
    names = sorted(state)
    shards = {"one.safetensors": names[::2], "two.safetensors": names[1::2]}
    for shard, members in shards.items():
        save_file({name: state[name] for name in members}, folder / "unet" / shard)
    unet.unlink()
    index = {"weight_map": {name: shard for shard, members in shards.items() for name in members}}
    (folder / "unet" / f"{unet.name}.index.json").write_text(json.dumps(index), encoding="utf-8")

    assert_same(load(folder), tiny_sd1(TINY_FOLDER))


def test_a_lora_is_no_base_model(tmp_path: Path) -> None:
    path = tmp_path / "lora.safetensors"
    name = "lora_unet_mid_block_attentions_0_proj_in"
    save_file(
        {f"{name}.lora_down.weight": torch.zeros(4, 64, 1, 1), f"{name}.lora_up.weight": torch.zeros(64, 4, 1, 1)}, path
    )

    with pytest.raises(ModelError, match="lora"):
        load(path)


def test_a_family_that_is_not_trained_is_named(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match=r"'flux', which cannot be trained here: known are sd1"):
        load(tmp_path, family="flux")
