"""Anima in the forms that its users have it in: 8-bit floats, diffusers folders, files named one by one."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from diffusers import AnimaTextConditioner, CosmosTransformer3DModel
from safetensors.torch import load_file, save_file
from torch import Tensor

from advisor.checkpoints.identify import identify
from advisor.errors import ModelError
from advisor.settings.config import ModelConfig
from tests.support.tiny_anima import CPU, TINY_ANIMA, tiny_anima, write_tiny_anima
from trainer.models.anima_files import structure_of_files
from trainer.models.families.anima import Anima
from trainer.models.families.family import BaseModel
from trainer.models.part_files import PartFiles, files_of

FAMILY = Anima()


def loaded(files: PartFiles) -> BaseModel:
    base = FAMILY.load_files(files, dtype=torch.float32, vae_dtype=torch.float32, device=CPU)
    assert base.load_denoiser is not None
    base.load_denoiser()
    return base


@torch.no_grad()
def velocity(base: BaseModel) -> Tensor:
    noisy = torch.randn(1, 16, 8, 6, generator=torch.Generator().manual_seed(1))
    return FAMILY.predict(
        base, noisy, torch.tensor([0.3]), FAMILY.encode_text(base, FAMILY.tokenize(base, ["1girl, smile"]))
    )


def model_at(path: Path, **settings: Any) -> ModelConfig:
    return ModelConfig(path=str(path), family="anima", prediction="flow", **settings)


def in_float8(path: Path, scale: str, *, note: bool) -> dict[str, Tensor]:
    """The file rewritten as ComfyUI's scaled ones, and what its weights are worth."""
    worth, packed = dict[str, Tensor](), dict[str, Tensor]()
    for name, one in load_file(path).items():
        is_scaled = one.ndim == 2 and name.endswith("_proj.weight")
        factor = one.abs().max() / 448 if is_scaled else torch.tensor(1.0)
        stored = (one / factor).to(torch.float8_e4m3fn) if is_scaled else one
        worth[name], packed[name] = stored.float() * factor, stored
        if is_scaled:
            stem = name.removesuffix("weight")
            packed[stem + scale] = factor
            if note:
                marks = list(json.dumps({"format": "float8_e4m3fn"}).encode())
                packed |= {
                    f"{stem}comfy_quant": torch.tensor(marks, dtype=torch.uint8),
                    f"{stem}input_scale": factor.clone(),
                }
    if not note:
        packed["scaled_fp8"] = torch.zeros(2, dtype=torch.float8_e4m3fn)
    save_file(packed, path)
    return worth


@pytest.mark.parametrize(("scale", "note"), [("scale_weight", False), ("weight_scale", True)])
def test_scaled_float8_is_brought_back(tmp_path: Path, scale: str, note: bool) -> None:
    files = write_tiny_anima(tmp_path / "scaled")
    plain = write_tiny_anima(tmp_path / "plain")
    save_file(in_float8(files.denoiser, scale, note=note), plain.denoiser)
    save_file(in_float8(files.text_encoder, scale, note=note), plain.text_encoder)

    assert torch.equal(velocity(loaded(files)), velocity(loaded(plain)))
    assert not torch.equal(velocity(loaded(files)), velocity(tiny_anima()))


def test_plain_float8_is_widened(tmp_path: Path) -> None:
    files = write_tiny_anima(tmp_path)
    tensors = {name: one.to(torch.float8_e4m3fn) for name, one in load_file(files.denoiser).items()}
    save_file(tensors, files.denoiser)

    weight = loaded(files).denoiser.state_dict()["transformer.proj_out.weight"]
    assert torch.equal(weight, tensors["net.final_layer.linear.weight"].float())


@pytest.mark.parametrize("part", ["denoiser", "text_encoder", "vae"])
def test_packed_weights_are_refused_with_the_reason(tmp_path: Path, part: str) -> None:
    files = write_tiny_anima(tmp_path)
    path: Path = getattr(files, part)
    tensors = load_file(path)
    name = next(name for name in tensors if name.endswith(".weight"))
    save_file(tensors | {f"{name}.quant_state.bitsandbytes__nf4": torch.zeros(9, dtype=torch.uint8)}, path)

    with pytest.raises(ModelError, match=r"its weights are packed \(nf4\); choose the same model in 16 bits"):
        structure_of_files(files)


def test_a_gguf_file_is_refused_with_the_reason(tmp_path: Path) -> None:
    files = write_tiny_anima(tmp_path)
    gguf = tmp_path / "qwen.gguf"
    gguf.write_bytes(b"GGUF\x03" + bytes(60))
    found = files_of(model_at(files.denoiser, text_encoder_path=str(gguf)), identify(files.denoiser))

    with pytest.raises(
        ModelError, match=r"a GGUF file, whose weights are quantised.*safetensors file it was made from"
    ):
        structure_of_files(found)


def test_a_packed_file_is_not_taken_for_a_part(tmp_path: Path) -> None:
    files = write_tiny_anima(tmp_path)
    packed = tmp_path / "a.safetensors"
    save_file(
        load_file(files.vae) | {"x.absmax": torch.zeros(1), "x.quant_state.bitsandbytes__nf4": torch.zeros(1)}, packed
    )

    assert files_of(model_at(files.denoiser), identify(files.denoiser)).vae == files.vae


def test_files_that_are_named_are_taken_instead_of_those_found(tmp_path: Path) -> None:
    files = write_tiny_anima(tmp_path / "beside")
    other = write_tiny_anima(tmp_path / "other", tiny_anima(5))
    model = model_at(files.denoiser, text_encoder_path=str(other.text_encoder), vae_path=str(other.vae))

    assert files_of(model, identify(files.denoiser)) == PartFiles(files.denoiser, other.text_encoder, other.vae)


def folder_of(base: BaseModel, folder: Path) -> Path:
    """A diffusers folder as Anima's has its networks; the denoiser in shards, as large ones are."""
    transformer, conditioner = base.denoiser.transformer, base.denoiser.conditioner
    assert isinstance(transformer, CosmosTransformer3DModel)
    assert isinstance(conditioner, AnimaTextConditioner)
    transformer.save_pretrained(folder / "transformer", max_shard_size="100KB")
    conditioner.save_pretrained(folder / "text_conditioner")
    base.text_encoders[0].save_pretrained(folder / "text_encoder")
    base.vae.save_pretrained(folder / "vae")
    return folder


def test_a_diffusers_folder_gives_the_same_model(tmp_path: Path) -> None:
    made = tiny_anima()
    folder = folder_of(made, tmp_path / "Anima")
    found = identify(folder)
    files = files_of(model_at(folder), found)

    assert (found.trainable, found.structure) == (True, TINY_ANIMA)
    assert (found.family, found.parts) == ("anima", ("denoiser", "vae", "text_encoder"))
    assert files == PartFiles(folder, folder / "text_encoder", folder / "vae")
    assert structure_of_files(files) == TINY_ANIMA
    assert torch.equal(velocity(loaded(files)), velocity(made))
    picture = torch.rand(1, 3, 32, 48, generator=torch.Generator().manual_seed(2)) * 2 - 1
    assert torch.equal(FAMILY.encode_images(loaded(files), picture, None), FAMILY.encode_images(made, picture, None))


def test_the_same_transformer_without_the_adapter_is_cosmos(tmp_path: Path) -> None:
    folder = folder_of(tiny_anima(), tmp_path / "Cosmos")
    (folder / "text_conditioner" / "config.json").unlink()

    assert identify(folder).family == "cosmos2"


def test_a_folder_without_a_part_says_which_is_missing(tmp_path: Path) -> None:
    folder = folder_of(tiny_anima(), tmp_path / "Anima")
    (folder / "vae" / "diffusion_pytorch_model.safetensors").unlink()

    with pytest.raises(ModelError, match=r"no VAE of its own.*get qwen_image_vae\.safetensors.*model\.vae_path"):
        files_of(model_at(folder), identify(folder))
