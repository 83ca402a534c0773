"""Pictures of a tiny Anima beside those that diffusers' own networks and scheduler draw."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from diffusers import FlowMatchEulerDiscreteScheduler
from torch import Tensor

from advisor.settings.config import TrainingConfig, blank_config, with_values
from tests.support.tiny_anima import tiny_anima
from trainer.diffusion.sampling import Request, draw
from trainer.models.families.family import BaseModel

REQUEST = Request("tok, 1girl", "blurry", seed=7, width_px=48, height_px=80, steps=4, guidance=4.5, sampler="euler")


def config() -> TrainingConfig:
    blank = blank_config(model="anima.safetensors", family="anima", images=".")
    return with_values(blank, {"model.prediction": "flow", "loss.timestep_shift": 1.0})


@torch.no_grad()
def as_diffusers_draws(base: BaseModel, request: Request) -> Tensor:
    """uint8 [h, w, 3]: guidance and shift as diffusers' blocks for Anima have them."""
    scheduler = FlowMatchEulerDiscreteScheduler(shift=3.0)
    scheduler.set_timesteps(sigmas=np.linspace(1.0, 1 / request.steps, request.steps))
    denoiser = base.denoiser
    contexts = []
    for prompt in (request.prompt, request.negative):
        text = base.family.encode_text(base, base.family.tokenize(base, [prompt]))
        contexts.append(
            denoiser.conditioner(
                text["states"], text["ids"], target_attention_mask=text["ids_mask"],
                source_attention_mask=text["states_mask"],
            )
        )  # fmt: skip
    shape = (1, 16, 1, request.height_px // 8, request.width_px // 8)
    latents = torch.randn(shape, generator=torch.Generator().manual_seed(request.seed))
    mask = torch.zeros(1, 1, *shape[-2:])
    for time in scheduler.timesteps:
        towards, away = (
            denoiser.transformer(latents, (time / 1000)[None], context, padding_mask=mask, return_dict=False)[0]
            for context in contexts
        )
        latents = scheduler.step(away + request.guidance * (towards - away), time, latents, return_dict=False)[0]
    mean, deviation = (
        torch.tensor(values).view(1, -1, 1, 1, 1)
        for values in (base.vae.config.latents_mean, base.vae.config.latents_std)
    )
    pixels = base.vae.decode(latents * deviation + mean, return_dict=False)[0][0, :, 0]
    image: Tensor = ((pixels / 2 + 0.5).clamp(0, 1) * 255).round().to(torch.uint8).permute(1, 2, 0)
    return image


def test_a_picture_is_the_one_that_diffusers_draws() -> None:
    base = tiny_anima()
    ours = torch.from_numpy(np.asarray(draw(base, REQUEST, config())).copy())
    theirs = as_diffusers_draws(base, REQUEST)

    assert ours.shape == theirs.shape == (80, 48, 3)
    assert int((ours.int() - theirs.int()).abs().max()) <= 1
    assert len(ours.unique()) > 20


@pytest.mark.parametrize("trained", [1.0, 5.0])
def test_the_shift_that_is_trained_with_does_not_change_the_picture(trained: float) -> None:
    base = tiny_anima()
    wanted = draw(base, REQUEST, config()).tobytes()

    assert draw(base, REQUEST, with_values(config(), {"loss.timestep_shift": trained})).tobytes() == wanted
