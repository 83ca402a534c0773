from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from diffusers.loaders.single_file_utils import (
    convert_cosmos_transformer_checkpoint_to_diffusers,
    convert_wan_vae_to_diffusers,
)
from safetensors.torch import load_file, save_file
from torch import nn

from advisor.checkpoints.identify import identify
from advisor.errors import ModelError
from advisor.families.anima import ANIMA, STANDARD, read_structure
from advisor.families.anima_structure import AnimaStructure
from advisor.families.part_files import qwen_structure, video_vae_structure
from advisor.settings.config import ModelConfig
from advisor.tensor_files.header import TensorInfo, read_header
from tests.support.tiny_anima import CPU, TINY_ANIMA, tiny_anima, write_tiny_anima
from trainer.layers.quantised_layers import layers_to_quantise
from trainer.models.anima_files import structure_of_files
from trainer.models.anima_keys import denoiser_key, video_vae_key
from trainer.models.anima_networks import AnimaDenoiser, build_vae
from trainer.models.families.anima import Anima
from trainer.models.families.family import BaseModel
from trainer.models.language_model import build_text_encoder
from trainer.models.part_files import PartFiles, files_of

FAMILY = Anima()


def loaded(files: PartFiles) -> BaseModel:
    base = FAMILY.load_files(files, dtype=torch.float32, vae_dtype=torch.float32, device=CPU)
    assert base.load_denoiser is not None
    base.load_denoiser()
    return base


@torch.no_grad()
def velocity(base: BaseModel, captions: list[str], noisy: torch.Tensor) -> torch.Tensor:
    text = FAMILY.encode_text(base, FAMILY.tokenize(base, captions))
    return FAMILY.predict(base, noisy, torch.full((len(captions),), 0.3), text)


def latents(count: int = 1) -> torch.Tensor:
    return torch.randn(count, 16, 8, 6, generator=torch.Generator().manual_seed(1))


@pytest.mark.parametrize("prefix", ["net.", "", "model.", "model.diffusion_model."])
def test_files_under_every_known_prefix_give_the_same_model(tmp_path: Path, prefix: str) -> None:
    made = tiny_anima()
    base = loaded(write_tiny_anima(tmp_path, made, prefix=prefix))

    assert base.structure == TINY_ANIMA
    assert torch.equal(velocity(base, ["1girl"], latents()), velocity(made, ["1girl"], latents()))
    picture = torch.rand(1, 3, 32, 48, generator=torch.Generator().manual_seed(2)) * 2 - 1
    assert torch.equal(FAMILY.encode_images(base, picture, None), FAMILY.encode_images(made, picture, None))


def test_the_denoiser_waits_until_it_is_loaded(tmp_path: Path) -> None:
    base = FAMILY.load_files(write_tiny_anima(tmp_path), dtype=torch.float32, vae_dtype=torch.float32, device=CPU)
    text = FAMILY.encode_text(base, FAMILY.tokenize(base, ["1girl"]))

    assert base.device.type == "meta"
    assert bool(text["states"].isfinite().all())
    assert base.load_denoiser is not None
    base.load_denoiser()
    assert base.device.type == "cpu"
    assert not any(one.requires_grad for one in base.denoiser.parameters())


def model_at(path: Path) -> ModelConfig:
    return ModelConfig(path=str(path), family="anima", prediction="flow")


def test_text_encoder_and_vae_are_found_beside_the_base_model(tmp_path: Path) -> None:
    files = write_tiny_anima(tmp_path)

    assert files_of(model_at(files.denoiser), identify(files.denoiser)) == files


def test_a_bundle_holds_all_three(tmp_path: Path) -> None:
    made = tiny_anima()
    files = write_tiny_anima(tmp_path / "apart", made, prefix="model.diffusion_model.")
    text = {f"text_encoders.qwen3_06b.transformer.{name}": one for name, one in load_file(files.text_encoder).items()}
    vae = {f"vae.{name}": one for name, one in load_file(files.vae).items()}
    bundle = tmp_path / "bundle.safetensors"
    save_file(load_file(files.denoiser) | text | vae, bundle)
    found = files_of(model_at(bundle), identify(bundle))

    assert found == PartFiles(bundle, bundle, bundle)
    assert torch.equal(velocity(loaded(found), ["1girl"], latents()), velocity(made, ["1girl"], latents()))


def test_a_part_that_is_not_found_is_named_with_its_size(tmp_path: Path) -> None:
    files = write_tiny_anima(tmp_path)
    files.text_encoder.unlink()

    with pytest.raises(ModelError, match=r"no text encoder of its own.*get qwen_3_06b_base\.safetensors \(1\.1 GiB\)"):
        files_of(model_at(files.denoiser), identify(files.denoiser))


def test_numberings_of_the_original_code_are_passed_over(tmp_path: Path) -> None:
    files = write_tiny_anima(
        tmp_path, more={"net.pos_embedder.seq": torch.zeros(3), "net._extra_state": torch.zeros(1)}
    )

    assert loaded(files).structure == TINY_ANIMA


def test_an_unknown_weight_within_the_denoiser_is_refused_by_name(tmp_path: Path) -> None:
    files = write_tiny_anima(tmp_path, more={"net.blocks.0.third_attn.q_proj.weight": torch.zeros(3)})

    with pytest.raises(ModelError, match=r"blocks\.0\.third_attn\.q_proj"):
        loaded(files)


def test_a_missing_weight_of_the_adapter_is_named(tmp_path: Path) -> None:
    files = write_tiny_anima(tmp_path)
    tensors = load_file(files.denoiser)
    del tensors["net.llm_adapter.out_proj.bias"]
    save_file(tensors, files.denoiser)

    with pytest.raises(ModelError, match=r"lacks net\.llm_adapter\.out_proj\.bias"):
        loaded(files)


def test_a_text_encoder_of_another_width_is_refused(tmp_path: Path) -> None:
    files = write_tiny_anima(tmp_path)
    tensors = {name: torch.zeros(one.shape) for name, one in load_file(files.text_encoder).items()}
    tensors["model.embed_tokens.weight"] = torch.zeros(100, 64)
    save_file(tensors, files.text_encoder)

    with pytest.raises(ModelError, match=r"a Qwen3 of width 64.*width 24"):
        structure_of_files(files)


def test_a_file_in_the_place_of_another_is_named_with_its_setting(tmp_path: Path) -> None:
    files = write_tiny_anima(tmp_path)

    with pytest.raises(ModelError, match=r"model\.vae_path.*no Qwen-Image VAE"):
        structure_of_files(PartFiles(files.denoiser, files.text_encoder, files.text_encoder))
    with pytest.raises(ModelError, match=r"model\.text_encoder_path.*no Qwen3"):
        structure_of_files(PartFiles(files.denoiser, files.vae, files.vae))


def test_a_captions_answer_does_not_depend_on_its_neighbours() -> None:
    base, noisy = tiny_anima(), latents(2)
    both = velocity(base, ["1girl", "a far longer caption, of a cat on a roof"], noisy)

    torch.testing.assert_close(both[:1], velocity(base, ["1girl"], noisy[:1]), atol=2e-6, rtol=1e-5)


def test_the_empty_caption_has_one_state_of_zeros() -> None:
    base = tiny_anima()
    text = FAMILY.encode_text(base, FAMILY.tokenize(base, [""]))

    assert (text["states"].shape, float(text["states"].abs().sum())) == ((1, 1, 24), 0)
    assert text["ids"].tolist() == [[1]]
    assert bool(velocity(base, [""], latents()).isfinite().all())


def test_captions_are_cut_after_512_tokens_and_keep_their_end() -> None:
    base = tiny_anima()
    caption = ", ".join(["tag"] * 400)
    texts, _, ids, _ = FAMILY.tokenize(base, [caption])

    assert (texts.shape, ids.shape, int(ids[0, -1])) == ((1, 512), (1, 512), 1)
    assert FAMILY.num_tokens_too_long(base, caption, chunks=1, weighted=False) > 512
    assert FAMILY.num_tokens_too_long(base, "tag", chunks=1, weighted=False) == 0


def test_a_picture_comes_back_in_its_size() -> None:
    base = tiny_anima()
    found = FAMILY.encode_images(base, torch.zeros(1, 3, 64, 48), None)

    assert tuple(found.shape[1:]) == FAMILY.latent_shape(TINY_ANIMA, 48, 64)
    assert FAMILY.decode_latents(base, found).shape == (1, 3, 64, 48)


def header(network: nn.Module, name: Callable[[str], str], prefix: str = "") -> dict[str, TensorInfo]:
    return {prefix + name(own): TensorInfo("BF16", tuple(one.shape), 0, 0) for own, one in network.state_dict().items()}


def test_the_published_model_has_its_keys_and_measures() -> None:
    with torch.device("meta"):
        denoiser, text, vae = AnimaDenoiser(STANDARD), build_text_encoder(STANDARD.text[0]), build_vae(STANDARD.vae)
    names = header(denoiser, denoiser_key, "net.")

    assert len(names) == 685
    assert sum(name.startswith("net.llm_adapter.") for name in names) == 118
    assert sum(one.size for one in names.values()) == 2_091_068_928
    assert read_structure(names) == STANDARD
    assert qwen_structure(header(text, str)) == ("", STANDARD.text[0])
    wan = header(vae, video_vae_key)
    assert len(wan) == 194
    assert {"conv1.weight", "encoder.middle.0.residual.0.gamma", "decoder.upsamples.3.resample.1.weight"} <= set(wan)
    assert video_vae_structure(wan) == ("", STANDARD.vae)


@pytest.mark.parametrize("structure", [STANDARD, TINY_ANIMA])
def test_weights_are_counted_from_measures_alone(structure: AnimaStructure) -> None:
    def weights(network: nn.Module) -> int:
        return sum(one.numel() for one in network.parameters())

    meta, half = torch.device("meta"), torch.bfloat16
    base = Anima().build(structure, dtype=half, vae_dtype=half, device=meta)

    assert structure.denoiser_parameters == weights(base.denoiser)
    assert structure.text_parameters == weights(base.text_encoders[0])
    assert structure.vae.parameters == weights(base.vae)
    assert {one.path for one in ANIMA.packed_layers(structure)} == set(layers_to_quantise(base.denoiser))


def test_names_in_files_are_those_that_diffusers_reads() -> None:
    base = tiny_anima()
    transformer, vae = base.denoiser.transformer.state_dict(), base.vae.state_dict()
    in_file = {f"net.{denoiser_key(f'transformer.{own}')}": one for own, one in transformer.items()}

    assert convert_cosmos_transformer_checkpoint_to_diffusers(in_file).keys() == transformer.keys()
    assert convert_wan_vae_to_diffusers({video_vae_key(own): one for own, one in vae.items()}).keys() == vae.keys()


def test_280_layers_get_an_adapter() -> None:
    targets = ANIMA.lora_targets(STANDARD)

    assert len(targets) == 280
    assert len(ANIMA.lora_targets(STANDARD, text_adapter=True)) == 280 + 60
    assert ANIMA.num_blocks(STANDARD) == 28
    assert targets[0].name == "lora_unet_blocks_0_self_attn_q_proj"
    assert targets[-1].name == "lora_unet_blocks_27_mlp_layer2"


def test_every_target_is_a_layer_of_its_measures(tmp_path: Path) -> None:
    base = tiny_anima()
    names = read_header(write_tiny_anima(tmp_path, base, prefix="").denoiser).tensors

    for target in ANIMA.known_layers(TINY_ANIMA):
        layer = base.layer(target)
        assert isinstance(layer, nn.Linear)
        assert (layer.in_features, layer.out_features) == (target.in_features, target.out_features)
        assert f"{FAMILY.name_in_lora(base, target.path)}.weight" in names
        assert target.original == FAMILY.name_in_lora(base, target.path)
        assert target.name == "lora_unet_" + target.original.replace(".", "_")


def test_the_layers_that_are_always_adapted_are_the_targets() -> None:
    base = tiny_anima()
    linear = [path for path, module in base.denoiser.named_modules() if isinstance(module, nn.Linear)]
    always, wide = ([path for path in linear if FAMILY.adapted_with(path) == kind] for kind in ("always", "wide"))

    assert set(always) == {target.path for target in ANIMA.lora_targets(TINY_ANIMA)}
    assert set(always + wide) == {target.path for target in ANIMA.all_targets(TINY_ANIMA)}


def test_every_linear_layer_is_known_by_its_names() -> None:
    base = tiny_anima()
    linear = {path for path, module in base.denoiser.named_modules() if isinstance(module, nn.Linear)}

    assert {target.path for target in ANIMA.known_layers(TINY_ANIMA)} == linear


def test_sides_are_multiples_of_a_patch() -> None:
    assert (STANDARD.side_unit_px, STANDARD.halving_unit_px) == (16, 16)
