"""Z-Image's networks against diffusers' own calls, on random weights of small measures and on the published names."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from diffusers import FlowMatchEulerDiscreteScheduler, ZImagePipeline
from safetensors.torch import load_file
from torch import Tensor, nn
from torch.nn.functional import mse_loss

from advisor.families.z_image import STANDARD, Z_IMAGE
from advisor.families.z_image_structure import ZImageStructure
from tests.support.tiny_z_image import (
    CPU,
    TINY_Z_IMAGE,
    tiny_z_image,
    write_tiny_z_image,
)
from trainer.layers.quantised_layers import layers_to_quantise
from trainer.models.families.family import BaseModel, Conditioning
from trainer.models.families.z_image import ZImage
from trainer.models.language_tokenizers import qwen_tokenizer
from trainer.models.part_files import PartFiles

FAMILY = ZImage()
SHORT, LONG = "a woman", "a photo of a woman on a bridge, in the rain, with a red umbrella, seen from far away " * 3


def loaded(files: PartFiles) -> BaseModel:
    base = FAMILY.load_files(files, dtype=torch.float32, vae_dtype=torch.float32, device=CPU)
    assert base.load_denoiser is not None
    base.load_denoiser()
    return base


def text_of(base: BaseModel, captions: list[str]) -> Conditioning:
    with torch.no_grad():
        return FAMILY.encode_text(base, FAMILY.tokenize(base, captions))


@torch.no_grad()
def velocity(base: BaseModel, captions: list[str], noisy: Tensor, time: float = 0.3) -> Tensor:
    return FAMILY.predict(base, noisy, torch.full((len(captions),), time), text_of(base, captions))


def latents(count: int = 1, height: int = 8, width: int = 6) -> Tensor:
    return torch.randn(count, 16, height, width, generator=torch.Generator().manual_seed(1))


def pipeline(base: BaseModel) -> ZImagePipeline:
    """diffusers' own, with our networks and tokenizer."""
    return ZImagePipeline(
        scheduler=FlowMatchEulerDiscreteScheduler(shift=3.0),
        vae=base.vae,
        text_encoder=base.text_encoders[0],
        tokenizer=None,
        transformer=base.denoiser.transformer,
    )


@pytest.mark.parametrize(("height", "width"), [(8, 6), (16, 16), (10, 14)])
@pytest.mark.parametrize("captions", [[SHORT], [LONG], [SHORT, LONG], [LONG, LONG]])
def test_it_gives_what_diffusers_gives(height: int, width: int, captions: list[str]) -> None:
    base, noisy = tiny_z_image(), latents(len(captions), height, width)
    text = text_of(base, captions)
    states = [one[mask] for one, mask in zip(text["states"], text["states_mask"], strict=True)]
    times = torch.full((len(captions),), 0.3)
    with torch.no_grad():
        theirs = base.denoiser.transformer(list(noisy[:, :, None]), 1 - times, states, return_dict=False)[0]
    expected = -torch.stack([one[:, 0] for one in theirs])

    torch.testing.assert_close(velocity(base, captions, noisy), expected, atol=2e-6, rtol=1e-5)
    assert float(expected.abs().max()) > 0.1


def test_one_step_of_theirs_goes_the_way_of_our_velocity() -> None:
    """The sign and the time: their pipeline's Euler step is noisy - share of time x our velocity."""
    base, noisy = tiny_z_image(), latents()
    states = list(text_of(base, [SHORT])["states"])
    pipe = pipeline(base)
    pipe.set_progress_bar_config(disable=True)
    drawn = pipe(
        prompt_embeds=states, guidance_scale=0.0, num_inference_steps=1, height=64, width=48, latents=noisy,
        output_type="latent",
    ).images  # fmt: skip

    torch.testing.assert_close(drawn, noisy - velocity(base, [SHORT], noisy, time=1.0), atol=1e-5, rtol=1e-5)


def test_pictures_are_decoded_as_their_pipeline_does() -> None:
    base, found = tiny_z_image(), latents(1, 4, 4)
    config = base.vae.config
    raw = found / config.scaling_factor + config.shift_factor
    with torch.no_grad():
        expected = base.vae.decode(raw, return_dict=False)[0].clamp(-1, 1)

    assert (config.scaling_factor, config.shift_factor) == (0.3611, 0.1159)
    torch.testing.assert_close(FAMILY.decode_latents(base, found), expected)
    encoded = FAMILY.encode_images(base, torch.zeros(1, 3, 64, 48), None)
    with torch.no_grad():
        mean = base.vae.encode(torch.zeros(1, 3, 64, 48)).latent_dist.mean
    torch.testing.assert_close(encoded, (mean - 0.1159) * 0.3611)
    assert tuple(encoded.shape[1:]) == FAMILY.latent_shape(TINY_Z_IMAGE, 48, 64)


def test_captions_are_messages_as_their_template_writes_them() -> None:
    base = tiny_z_image()
    ids, mask = FAMILY.tokenize(base, [SHORT, LONG])
    text = qwen_tokenizer().decode(ids[0][mask[0]].tolist(), skip_special_tokens=False)

    assert text == "<|im_start|>user\na woman<|im_end|>\n<|im_start|>assistant\n"
    assert ids[0][:3].tolist() == [151644, 872, 198]
    assert bool(mask[1].all())


def test_states_are_those_before_the_last_layer(tmp_path: Path) -> None:
    """As `hidden_states[-2]` of the whole text encoder."""
    files = write_tiny_z_image(tmp_path)
    base = loaded(files)
    config = base.text_encoders[0].config.to_dict() | {"num_hidden_layers": 3, "layer_types": ["full_attention"] * 3}
    whole = type(base.text_encoders[0])(type(base.text_encoders[0].config).from_dict(config))
    whole.load_state_dict({own.removeprefix("model."): one for own, one in load_file(files.text_encoder).items()})
    ids, mask = FAMILY.tokenize(base, [SHORT, LONG])
    with torch.no_grad():
        expected = whole(input_ids=ids, attention_mask=mask, output_hidden_states=True).hidden_states[-2]
    found = text_of(base, [SHORT, LONG])

    torch.testing.assert_close(found["states"], expected * mask[..., None], atol=1e-6, rtol=1e-5)


def test_a_captions_answer_does_not_depend_on_its_neighbours() -> None:
    base, noisy = tiny_z_image(), latents(2)
    both = velocity(base, [SHORT, LONG], noisy)

    torch.testing.assert_close(both[:1], velocity(base, [SHORT], noisy[:1]), atol=2e-6, rtol=1e-5)


def test_captions_are_cut_after_512_tokens() -> None:
    base = tiny_z_image()
    ids, _ = FAMILY.tokenize(base, ["tag, " * 400])

    assert ids.shape == (1, 512)
    assert FAMILY.num_tokens_too_long(base, "tag, " * 400, chunks=1, weighted=False) > 512
    assert FAMILY.num_tokens_too_long(base, "tag", chunks=1, weighted=False) == 0


def test_gradients_are_those_of_diffusers_call_with_and_without_checkpointing() -> None:
    base, noisy = tiny_z_image(), latents(2)
    text, target = text_of(base, [SHORT, LONG]), torch.randn_like(noisy)
    weight = base.denoiser.transformer.layers[0].attention.to_q.weight.requires_grad_(True)

    def gradient(found: Tensor) -> Tensor:
        weight.grad = None
        mse_loss(found, target).backward()
        found_gradient: Tensor | None = weight.grad
        assert found_gradient is not None
        return found_gradient

    times = torch.tensor([0.3, 0.8])
    states = [one[mask] for one, mask in zip(text["states"], text["states_mask"], strict=True)]
    theirs = base.denoiser.transformer(list(noisy[:, :, None]), 1 - times, states, return_dict=False)[0]
    expected = gradient(-torch.stack([one[:, 0] for one in theirs]))
    plain = gradient(FAMILY.predict(base, noisy, times, text))
    FAMILY.enable_gradient_checkpointing(base, text_encoder=False)
    again = gradient(FAMILY.predict(base, noisy, times, text))

    assert float((plain - expected).norm() / expected.norm()) < 1e-5
    assert float((again - expected).norm() / expected.norm()) < 1e-5


@pytest.mark.parametrize("structure", [STANDARD, TINY_Z_IMAGE])
def test_weights_are_counted_from_measures_alone(structure: ZImageStructure) -> None:
    def weights(network: nn.Module) -> int:
        return sum(one.numel() for one in network.parameters())

    meta, half = torch.device("meta"), torch.bfloat16
    base = FAMILY.build(structure, dtype=half, vae_dtype=half, device=meta)

    assert structure.denoiser_parameters == weights(base.denoiser)
    assert structure.text_parameters == weights(base.text_encoders[0])
    assert structure.vae.parameters == weights(base.vae)
    assert {one.path for one in Z_IMAGE.packed_layers(structure)} == set(layers_to_quantise(base.denoiser))


def test_210_layers_get_an_adapter() -> None:
    targets = Z_IMAGE.lora_targets(STANDARD)

    assert len(targets) == 210
    assert Z_IMAGE.num_blocks(STANDARD) == 30
    assert targets[0].name == "lora_unet_layers_0_attention_to_q"
    assert targets[3].original == "layers.0.attention.to_out.0"
    assert targets[-1].original == "layers.29.feed_forward.w3"


def test_every_target_is_a_layer_of_its_measures() -> None:
    base = tiny_z_image()
    for target in Z_IMAGE.known_layers(TINY_Z_IMAGE):
        layer = base.layer(target)
        assert isinstance(layer, nn.Linear)
        assert (layer.in_features, layer.out_features) == (target.in_features, target.out_features)
        assert target.original == FAMILY.name_in_lora(base, target.path)
    linear = {path for path, module in base.denoiser.named_modules() if isinstance(module, nn.Linear)}
    assert {target.path for target in Z_IMAGE.known_layers(TINY_Z_IMAGE)} == linear
    always = {path for path in linear if FAMILY.adapted_with(path) == "always"}
    assert always == {target.path for target in Z_IMAGE.lora_targets(TINY_Z_IMAGE)}
