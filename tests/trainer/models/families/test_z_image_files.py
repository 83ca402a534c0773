"""Z-Image's files: in every layout that its users have, and against diffusers' converter."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import torch
from diffusers.loaders.single_file_utils import (
    convert_z_image_transformer_checkpoint_to_diffusers,
)
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from advisor.checkpoints.identify import identify
from advisor.errors import ModelError
from advisor.families.z_image import STANDARD, read_structure, text_structure, vae_structure
from advisor.settings.config import ModelConfig
from advisor.tensor_files.header import TensorInfo, read_header
from tests.support.tiny_z_image import (
    CPU,
    TINY_Z_IMAGE,
    in_single_file,
    single_file,
    tiny_z_image,
    write_empty_z_image,
    write_tiny_z_image,
)
from trainer.data.tensor_cache import module_digest
from trainer.layers.quantised_layers import QuantisedLinear
from trainer.models.families.family import BaseModel
from trainer.models.families.z_image import ZImage
from trainer.models.part_files import PartFiles, files_of
from trainer.models.z_image_files import structure_of_files

FAMILY = ZImage()


def loaded(files: PartFiles) -> BaseModel:
    base = FAMILY.load_files(files, dtype=torch.float32, vae_dtype=torch.float32, device=CPU)
    assert base.load_denoiser is not None
    base.load_denoiser()
    return base


@torch.no_grad()
def velocity(base: BaseModel) -> Tensor:
    noisy = torch.randn(1, 16, 8, 6, generator=torch.Generator().manual_seed(1))
    return FAMILY.predict(
        base, noisy, torch.tensor([0.3]), FAMILY.encode_text(base, FAMILY.tokenize(base, ["a woman"]))
    )


@pytest.mark.parametrize("prefix", ["net.", "", "model.", "model.diffusion_model."])
def test_files_under_every_known_prefix_give_the_same_model(tmp_path: Path, prefix: str) -> None:
    made = tiny_z_image()
    base = loaded(write_tiny_z_image(tmp_path, made, prefix=prefix))

    assert base.structure == TINY_Z_IMAGE
    assert torch.equal(velocity(base), velocity(made))
    picture = torch.rand(1, 3, 32, 48, generator=torch.Generator().manual_seed(2)) * 2 - 1
    assert torch.equal(FAMILY.encode_images(base, picture, None), FAMILY.encode_images(made, picture, None))


def test_a_single_file_in_diffusers_names_gives_the_same_model(tmp_path: Path) -> None:
    made = tiny_z_image()
    files = write_tiny_z_image(tmp_path, made)
    save_file({own: one.contiguous() for own, one in made.denoiser.transformer.state_dict().items()}, files.denoiser)

    assert identify(files.denoiser).family == "z_image"
    assert torch.equal(velocity(loaded(files)), velocity(made))


def test_a_bundle_holds_all_three(tmp_path: Path) -> None:
    made = tiny_z_image()
    files = write_tiny_z_image(tmp_path / "apart", made, prefix="model.diffusion_model.")
    text = {f"text_encoders.qwen3_4b.transformer.{name}": one for name, one in load_file(files.text_encoder).items()}
    vae = {f"vae.{name}": one for name, one in load_file(files.vae).items()}
    bundle = tmp_path / "bundle.safetensors"
    save_file(load_file(files.denoiser) | text | vae, bundle)
    found = files_of(model_at(bundle), identify(bundle))

    assert found == PartFiles(bundle, bundle, bundle)
    assert torch.equal(velocity(loaded(found)), velocity(made))


def folder_of(base: BaseModel, folder: Path) -> Path:
    """A diffusers folder; the denoiser in shards, as large ones are."""
    base.denoiser.transformer.save_pretrained(folder / "transformer", max_shard_size="100KB")
    base.text_encoders[0].save_pretrained(folder / "text_encoder")
    base.vae.save_pretrained(folder / "vae")
    return folder


def model_at(path: Path) -> ModelConfig:
    return ModelConfig(path=str(path), family="z_image", prediction="flow")


def test_a_diffusers_folder_gives_the_same_denoiser(tmp_path: Path) -> None:
    made = tiny_z_image()
    folder = folder_of(made, tmp_path / "Z-Image")
    files = write_tiny_z_image(tmp_path / "files", made)
    found = identify(folder)

    assert (found.family, found.parts) == ("z_image", ("denoiser", "vae", "text_encoder"))
    assert files_of(model_at(folder), found) == PartFiles(folder, folder / "text_encoder", folder / "vae")
    mixed = PartFiles(folder, files.text_encoder, folder / "vae")
    assert structure_of_files(mixed) == TINY_Z_IMAGE
    assert torch.equal(velocity(loaded(mixed)), velocity(made))


def test_a_norm_that_no_layer_uses_is_passed_over_and_other_names_are_refused(tmp_path: Path) -> None:
    spare = write_tiny_z_image(tmp_path / "spare", more={"norm_final.weight": torch.zeros(64)})
    odd = write_tiny_z_image(tmp_path / "odd", more={"layers.0.attention.third": torch.zeros(3)})

    assert loaded(spare).structure == TINY_Z_IMAGE
    with pytest.raises(ModelError, match=r"layers\.0\.attention\.third"):
        loaded(odd)


def test_a_missing_weight_is_named(tmp_path: Path) -> None:
    files = write_tiny_z_image(tmp_path)
    tensors = load_file(files.denoiser)
    del tensors["context_refiner.0.attention.qkv.weight"]
    save_file(tensors, files.denoiser)

    with pytest.raises(ModelError, match=r"lacks context_refiner\.0\.attention\.qkv\.weight"):
        loaded(files)


def test_a_file_in_the_place_of_another_is_named_with_its_setting(tmp_path: Path) -> None:
    files = write_tiny_z_image(tmp_path)

    with pytest.raises(ModelError, match=r"model\.vae_path.*no VAE of FLUX\.1"):
        structure_of_files(PartFiles(files.denoiser, files.text_encoder, files.text_encoder))
    with pytest.raises(ModelError, match=r"model\.text_encoder_path.*no Qwen3"):
        structure_of_files(PartFiles(files.denoiser, files.vae, files.vae))


def test_on_a_quantised_base_the_text_encoder_is_kept_in_int8(tmp_path: Path) -> None:
    files = write_tiny_z_image(tmp_path / "one")
    other = write_tiny_z_image(tmp_path / "other", tiny_z_image(5))

    def encoder(text_file: Path) -> nn.Module:
        found = PartFiles(files.denoiser, text_file, files.vae)
        base = FAMILY.load_files(
            found, dtype=torch.float32, vae_dtype=torch.float32, device=CPU, quantised="nf4"
        ).text_encoders[0]
        assert isinstance(base, nn.Module)
        return base

    packed, plain = encoder(files.text_encoder), loaded(files).text_encoders[0]
    layer = packed.get_submodule("layers.1.mlp.up_proj")
    assert isinstance(layer, QuantisedLinear)
    assert layer.frozen_weight.tensors[0].dtype == torch.int8
    difference = layer.weight - plain.get_submodule("layers.1.mlp.up_proj").weight
    assert 0 < float(difference.abs().max()) < 1e-2
    # Captions that were cached are those of one encoder, whichever of its weights are packed.
    assert len({module_digest(one) for one in (packed, plain, encoder(other.text_encoder))}) == 3
    assert module_digest(packed) == module_digest(encoder(files.text_encoder))


def test_the_published_model_has_its_keys_and_measures(tmp_path: Path) -> None:
    files = write_empty_z_image(tmp_path, STANDARD)
    denoiser, text, vae = (read_header(path).tensors for path in (files.denoiser, files.text_encoder, files.vae))

    assert len(denoiser) == 453
    assert sum(one.size for one in denoiser.values()) == 6_154_908_736
    assert denoiser["layers.29.attention.qkv.weight"].shape == (11520, 3840)
    assert {
        "x_embedder.weight",
        "final_layer.adaLN_modulation.1.bias",
        "cap_pad_token",
        "t_embedder.mlp.2.bias",
    } <= set(denoiser)
    assert read_structure(denoiser) == STANDARD
    assert sum(one.size for one in text.values()) == 4_022_468_096
    assert text_structure(text) == ("model.", STANDARD.text[0])
    assert (len(vae), sum(one.size for one in vae.values())) == (244, 83_819_683)
    assert vae_structure(vae) == ("", STANDARD.vae)
    found = identify(files.denoiser)
    assert (found.family, found.structure, found.num_parameters) == ("z_image", STANDARD, 6_154_908_736)
    assert [part.path for part in found.part_files] == [str(files.text_encoder), str(files.vae)]


def test_names_in_files_are_those_that_diffusers_reads() -> None:
    base = tiny_z_image()
    transformer = base.denoiser.transformer.state_dict()
    converted = convert_z_image_transformer_checkpoint_to_diffusers(single_file(base.denoiser))

    assert converted.keys() == transformer.keys()
    assert all(torch.equal(converted[name], one) for name, one in transformer.items())
    with torch.device("meta"):
        published = FAMILY.build(STANDARD, dtype=torch.bfloat16, vae_dtype=torch.bfloat16, device=torch.device("meta"))
    shapes = {own: tuple(one.shape) for own, one in published.denoiser.state_dict().items()}
    assert len(in_single_file(shapes)) == 453


def test_a_header_alone_tells_the_measures() -> None:
    shapes = {own: tuple(one.shape) for own, one in tiny_z_image().denoiser.state_dict().items()}
    tensors = {name: TensorInfo("BF16", shape, 0, 0) for name, shape in in_single_file(shapes).items()}

    assert read_structure(tensors) == replace(STANDARD, denoiser=TINY_Z_IMAGE.denoiser)
    del tensors["layers.0.attention.q_norm.weight"]
    assert read_structure(tensors) is None
