from __future__ import annotations

from pathlib import Path
from typing import Any, get_args

import numpy as np
import pytest
import torch

from advisor.settings.config import SamplerName, TrainingConfig
from tests.support.runs import make_config
from tests.support.tiny import TINY_SD1, tiny_sd1
from trainer.diffusion.sampling import Request, draw, draw_batch
from trainer.models.families.family import BaseModel, Conditioning
from trainer.runtime.interrupts import Interrupted


@pytest.fixture(scope="module")
def base() -> BaseModel:
    return tiny_sd1()


@pytest.fixture(scope="module")
def config(tmp_path_factory: pytest.TempPathFactory) -> TrainingConfig:
    return make_config(tmp_path_factory.mktemp("material"))


def request(**fields: Any) -> Request:
    values: dict[str, Any] = {
        "prompt": "tok",
        "negative": "",
        "seed": 1,
        "width_px": 128,
        "height_px": 64,
        "steps": 3,
        "guidance": 3.0,
    }
    return Request(**(values | fields))


@pytest.mark.parametrize("sampler", get_args(SamplerName))
def test_every_sampler_draws_a_picture_of_the_wanted_size(
    base: BaseModel, config: TrainingConfig, sampler: str
) -> None:
    image = draw(base, request(sampler=sampler), config)

    assert image.size == (128, 64)
    assert np.asarray(image).std() > 0


def test_the_seed_decides_the_picture(base: BaseModel, config: TrainingConfig) -> None:
    first, again, other = (np.asarray(draw(base, request(seed=seed), config)) for seed in (1, 1, 2))

    assert (first == again).all()
    assert (first != other).any()


def test_prompt_negative_and_guidance_count(base: BaseModel, config: TrainingConfig) -> None:
    changes: list[dict[str, Any]] = [
        {},
        {"prompt": "a house"},
        {"negative": "a house"},
        {"guidance": 9.0},
        {"guidance": 1.0},
    ]

    pictures = {draw(base, request(**change), config).tobytes() for change in changes}

    assert len(pictures) == 5


def test_weights_in_a_prompt_count_and_a_weight_of_one_does_not(base: BaseModel, config: TrainingConfig) -> None:
    plain, one, more, less, escaped = (
        draw(base, request(prompt=prompt), config).tobytes()
        for prompt in ("tok, hat", "(tok:1), hat", "(tok:1.5), hat", "[tok], hat", r"\(tok\), hat")
    )

    assert plain == one
    assert len({plain, more, less, escaped}) == 4


def test_a_prompts_states_are_multiplied_by_its_weights(
    base: BaseModel, config: TrainingConfig, monkeypatch: pytest.MonkeyPatch
) -> None:
    heard = list[torch.Tensor]()

    def answer(base: BaseModel, noisy: torch.Tensor, times: torch.Tensor, text: Conditioning) -> torch.Tensor:
        heard.append(text["states"])
        return noisy

    monkeypatch.setattr(type(base.family), "predict", staticmethod(answer))
    for prompt in ("tok, hat", "tok, (hat:1.5)"):
        draw(base, request(prompt=prompt, guidance=1.0, steps=1), config)

    plain, weighted = heard
    ratio = (weighted / plain)[0].median(dim=-1).values
    assert ratio[:5].tolist() == pytest.approx([1, 1, 1, 1.5, 1], abs=1e-3)


@pytest.mark.parametrize("sampler", get_args(SamplerName))
@pytest.mark.parametrize("guidance", [1.0, 3.0])
def test_an_image_of_a_batch_is_the_one_that_is_drawn_alone(
    base: BaseModel, config: TrainingConfig, sampler: str, guidance: float
) -> None:
    shared: dict[str, Any] = {"sampler": sampler, "guidance": guidance, "steps": 5}
    requests = [
        request(**shared), request(prompt="a house", seed=2, **shared),
        request(prompt="(tok:1.3), hat", negative="a house", seed=3, **shared),
    ]  # fmt: skip

    together = draw_batch(base, requests, config)
    alone = [draw(base, one, config) for one in requests]

    for one, other in zip(together, alone, strict=True):
        difference = np.asarray(one, dtype=np.int16) - np.asarray(other, dtype=np.int16)
        assert abs(difference).max() <= 1
    assert len({image.tobytes() for image in together}) == 3


def test_each_prompt_of_a_batch_is_encoded_once(
    base: BaseModel, config: TrainingConfig, monkeypatch: pytest.MonkeyPatch
) -> None:
    encoded = list[object]()
    encode = type(base.family).encode_text

    def counting(*arguments: Any, **named: Any) -> Conditioning:
        encoded.append(arguments)
        return encode(*arguments, **named)

    monkeypatch.setattr(type(base.family), "encode_text", counting)
    draw_batch(base, [request(seed=seed) for seed in range(3)], config)

    assert len(encoded) == 2


def test_what_the_base_model_predicts_is_honoured(config: TrainingConfig, monkeypatch: pytest.MonkeyPatch) -> None:
    """A model that always gives the right answer for one clean picture arrives at that picture."""
    from trainer.diffusion.noise import add_noise, noise_schedule

    base, clean = tiny_sd1(), 0.5 * torch.ones(1, 4, 8, 16)
    alphas = noise_schedule().alphas_cumprod
    decoded = list[torch.Tensor]()

    def right_answer(base: BaseModel, noisy: torch.Tensor, times: torch.Tensor, text: object) -> torch.Tensor:
        abar = alphas[times][:, None, None, None]
        noise = (noisy - abar.sqrt() * clean) / (1 - abar).sqrt()
        assert torch.allclose(add_noise(clean, noise, alphas[times]), noisy, atol=1e-4)
        return noise if prediction == "epsilon" else abar.sqrt() * noise - (1 - abar).sqrt() * clean

    def decode(base: BaseModel, latents: torch.Tensor) -> torch.Tensor:
        decoded.append(latents)
        return torch.zeros(1, 3, 64, 128)

    monkeypatch.setattr(type(base.family), "predict", staticmethod(right_answer))
    monkeypatch.setattr(type(base.family), "decode_latents", staticmethod(decode))
    for prediction in ("epsilon", "v_prediction"):
        model = config.model.model_copy(update={"prediction": prediction})
        draw(base, request(steps=20, sampler="dpmpp_2m"), config.model_copy(update={"model": model}))

    for latents in decoded:
        torch.testing.assert_close(latents, clean, atol=1e-3, rtol=0)


def test_drawing_can_be_broken_off_between_steps(base: BaseModel, config: TrainingConfig) -> None:
    def stop() -> None:
        raise Interrupted

    with pytest.raises(Interrupted):
        draw(base, request(), config, stop)


def test_each_prompt_has_a_seed_of_its_own(tmp_path: Path) -> None:
    config = make_config(tmp_path, sampling__prompts=("a", "b"), sampling__seed=7, sampling__negative="bad")

    requests = Request.all_of(config)

    assert [(one.prompt, one.negative, one.seed, one.width_px) for one in requests] == [
        ("a", "bad", 7, 128),
        ("b", "bad", 8, 128),
    ]
    assert TINY_SD1.vae.factor == 8
