"""The maker of the small flow model: what its training leaves out changes nothing, and its files load."""

from __future__ import annotations

import copy
import random
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from torch import Tensor

from advisor.checkpoints.identify import identify
from advisor.settings.config import ModelConfig
from benchmarks.demo_flow import captions, files, vae
from benchmarks.demo_flow.denoiser import STRUCTURE, new_base, read_briefly
from trainer.demo.assets import TRIGGER
from trainer.models.anima_networks import build_vae
from trainer.models.families.family import BaseModel
from trainer.models.load import load_base_model

CAPTIONS = ("zuvi, long hair, blonde hair, blue background", "", "smile")


@pytest.fixture(scope="module")
def base() -> BaseModel:
    """Untrained, its zeros filled so that every layer matters."""
    base = new_base(0)
    for weight in base.denoiser.parameters():
        if not weight.any():
            torch.nn.init.normal_(weight, std=0.05)
    return base


@pytest.fixture(scope="module")
def codec() -> vae.Codec:
    torch.manual_seed(0)
    return vae.Codec().eval()


def pictures() -> Tensor:
    return torch.rand(2, 3, 64, 64, generator=torch.Generator().manual_seed(0)) * 2 - 1


@torch.no_grad()
def test_zeros_after_a_caption_count_as_if_they_were_computed(base: BaseModel) -> None:
    noisy, times = torch.randn(3, 16, 16, 16), torch.tensor([0.1, 0.5, 0.9])
    text = base.family.encode_text(base, base.family.tokenize(base, CAPTIONS))
    brief = copy.deepcopy(base.denoiser)
    read_briefly(brief)

    shown = base.family.predict(replace(base, denoiser=brief), noisy, times, text)

    torch.testing.assert_close(shown, base.family.predict(base, noisy, times, text), atol=1e-5, rtol=1e-4)


@torch.no_grad()
def test_the_vae_is_the_published_class_with_the_same_weights(codec: vae.Codec) -> None:
    whole = build_vae(vae.STRUCTURE)
    whole.load_state_dict(codec.vae.state_dict())

    means, _ = codec.moments(pictures())

    theirs = whole.encode(pictures()[:, :, None]).latent_dist.mean  # type: ignore[operator]
    torch.testing.assert_close(means, theirs[:, :, 0], atol=1e-5, rtol=1e-4)
    made = whole.decode(theirs).sample[:, :, 0]  # type: ignore[operator]
    torch.testing.assert_close(codec.decoded(means).clamp(-1, 1), made, atol=1e-5, rtol=1e-4)


@torch.no_grad()
def test_the_published_scale_changes_latents_and_no_picture(codec: vae.Codec) -> None:
    scaled = copy.deepcopy(codec)
    before = codec.moments(pictures())[0]

    vae.take_published_scale(scaled, vae.LatentScale.of(before))

    after, config = scaled.moments(pictures())[0], scaled.vae.config
    published = vae.LatentScale(torch.tensor(config.latents_mean), torch.tensor(config.latents_std))
    own = published.normalised(after)
    torch.testing.assert_close(own.mean((0, 2, 3)), torch.zeros(16), atol=1e-4, rtol=0)
    torch.testing.assert_close(own.std((0, 2, 3)), torch.ones(16), atol=1e-4, rtol=0)
    torch.testing.assert_close(scaled.decoded(after), codec.decoded(before), atol=1e-4, rtol=1e-3)


def test_made_up_names_are_never_the_trigger(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(captions, "CONSONANTS", "zv")
    monkeypatch.setattr(captions, "VOWELS", "ui")

    names = {captions.name(random.Random(seed)) for seed in range(200)}

    assert "zuzu" in names
    assert TRIGGER not in names


def test_its_files_are_an_anima_that_loads(base: BaseModel, codec: vae.Codec, tmp_path: Path) -> None:
    path = files.write_files(tmp_path, base, codec)

    found = identify(path)
    model = ModelConfig(
        path=str(path),
        family="anima",
        prediction="flow",
        text_encoder_path=str(tmp_path / files.TEXT_ENCODER),
        vae_path=str(tmp_path / files.VAE),
    )
    cpu = torch.device("cpu")
    loaded = load_base_model(model, dtype=torch.float32, vae_dtype=torch.float32, device=cpu).whole()

    assert found.family == "anima"
    assert loaded.structure.denoiser == STRUCTURE.denoiser
    assert same_in_16_bits(loaded.denoiser.state_dict(), base.denoiser.state_dict())
    assert same_in_16_bits(loaded.vae.state_dict(), codec.vae.state_dict())


def same_in_16_bits(loaded: dict[str, Tensor], written: dict[str, Tensor]) -> bool:
    brief: Callable[[Tensor], Tensor] = lambda one: one.to(torch.bfloat16)  # noqa: E731
    return loaded.keys() == written.keys() and all(
        torch.equal(brief(one), brief(written[name])) for name, one in loaded.items()
    )
