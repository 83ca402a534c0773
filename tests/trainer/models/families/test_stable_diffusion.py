from __future__ import annotations

from importlib import import_module
from types import ModuleType

import pytest
import torch

from advisor.families import family
from tests.support.tiny import TINY_FOLDER, tiny_sd1
from trainer.models import families
from trainer.models.families import TRAINER_FAMILIES
from trainer.models.families.family import BaseModel
from trainer.models.families.stable_diffusion import Sd1

SD1 = Sd1()


@pytest.fixture(scope="module")
def base() -> BaseModel:
    return tiny_sd1()


def pictures(base: BaseModel, count: int = 2) -> torch.Tensor:
    side = base.structure.native_px // 8
    return torch.rand(count, 3, side, side * 2, generator=torch.Generator().manual_seed(0)) * 2 - 1


def seeded(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def test_every_family_that_is_trained_has_facts_that_say_so() -> None:
    assert all(family(name).trainable and trained.name == name for name, trained in TRAINER_FAMILIES.items())


@pytest.mark.parametrize("clip_skip", [1, 2, 3])
def test_text_states_are_those_of_transformers_own_forward(base: BaseModel, clip_skip: int) -> None:
    (ids,) = SD1.tokenize(base, ["a photo of a cat", ""])
    encoder = base.text_encoders[0]

    with torch.no_grad():
        hidden = encoder(ids[:, 0], output_hidden_states=True).hidden_states[-clip_skip]
        wanted = encoder.final_layer_norm(hidden)
        found = SD1.encode_text(base, (ids,), clip_skip=clip_skip)

    torch.testing.assert_close(found["states"], wanted)


def test_chunks_are_joined_with_one_start_and_one_end(base: BaseModel) -> None:
    (ids,) = SD1.tokenize(base, ["tag, " * 60], chunks=3)
    with torch.no_grad():
        joined = SD1.encode_text(base, (ids,))["states"]
        chunks = [SD1.encode_text(base, (ids[:, index : index + 1],))["states"] for index in range(3)]

    assert joined.shape == (1, 227, 32)
    torch.testing.assert_close(joined[:, 0], chunks[0][:, 0])
    torch.testing.assert_close(joined[:, 1:76], chunks[0][:, 1:76])
    torch.testing.assert_close(joined[:, 76:151], chunks[1][:, 1:76])
    torch.testing.assert_close(joined[:, 151:], chunks[2][:, 1:])


@pytest.mark.parametrize("tiny", [tiny_sd1(), tiny_sd1(TINY_FOLDER)], ids=["sd15", "other_numbers"])
def test_pictures_become_scaled_latents_and_come_back(tiny: BaseModel) -> None:
    vae = tiny.structure.vae
    images = pictures(tiny)

    latents = SD1.encode_images(tiny, images, None)
    decoded = SD1.decode_latents(tiny, latents)

    height, width = images.shape[2] // vae.factor, images.shape[3] // vae.factor
    assert latents.shape == (2, vae.latent_channels, height, width)
    assert latents.dtype == decoded.dtype == torch.float32
    with torch.no_grad():
        torch.testing.assert_close(latents, tiny.vae.encode(images).latent_dist.mean * vae.scaling_factor)
    assert decoded.shape == images.shape
    assert float(decoded.abs().max()) <= 1


def test_latents_are_drawn_with_the_generator(base: BaseModel) -> None:
    images = pictures(base)
    one, again, other = (SD1.encode_images(base, images, seeded(seed)) for seed in (1, 1, 2))

    with torch.no_grad():
        spread = base.vae.encode(images).latent_dist
    noise = torch.randn(spread.mean.shape, generator=seeded(1))
    torch.testing.assert_close(one, (spread.mean + spread.std * noise) * 0.18215)
    assert torch.equal(one, again)
    assert not torch.equal(one, other)


def test_a_half_precision_vae_takes_pictures_and_gives_float32() -> None:
    base = tiny_sd1(vae_dtype=torch.bfloat16)

    latents = SD1.encode_images(base, pictures(base), seeded())

    assert latents.dtype == SD1.decode_latents(base, latents).dtype == torch.float32


def test_a_family_is_imported_when_it_is_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    asked = list[str]()

    def imported(module: str) -> ModuleType:
        asked.append(module)
        return import_module(module)

    monkeypatch.setattr(families, "import_module", imported)
    monkeypatch.setattr(TRAINER_FAMILIES, "_made", {})

    assert "anima" in TRAINER_FAMILIES
    assert list(TRAINER_FAMILIES) == ["sd1", "sd2", "sdxl", "anima", "z_image"]
    assert TRAINER_FAMILIES["sd1"].name == "sd1"
    assert asked == ["trainer.models.families.stable_diffusion"]
