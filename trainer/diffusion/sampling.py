"""Images drawn while training, to see what the LoRA has learned.

Letters: B images in a batch, C latent channels; h and w height and width in pixels.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import torch
from PIL import Image
from torch import Tensor

from advisor.errors import ModelError
from advisor.settings.config import SamplerName, SamplingConfig, TrainingConfig
from trainer.device.offload import moved
from trainer.diffusion.processes import process_of
from trainer.models.families.family import BaseModel, Conditioning


@dataclass(frozen=True)
class Request:
    """One image to draw."""

    prompt: str
    negative: str
    seed: int
    width_px: int
    height_px: int
    steps: int
    guidance: float
    sampler: SamplerName = "ddim"

    @property
    def shape(self) -> Request:
        """What the images of a batch have in common."""
        return replace(self, prompt="", negative="", seed=0)

    @classmethod
    def all_of(cls, config: TrainingConfig) -> tuple[Request, ...]:
        """The images that a configuration asks for, each prompt with a seed of its own."""
        return tuple(
            cls.of(config.sampling, prompt, seed=config.sampling.seed + number, side_px=config.dataset.resolution_px)
            for number, prompt in enumerate(config.sampling.prompts)
        )

    @classmethod
    def of(cls, sampling: SamplingConfig, prompt: str, *, seed: int, side_px: int) -> Request:
        """A square image as the configuration has them."""
        return cls(
            prompt=prompt,
            negative=sampling.negative,
            seed=seed,
            width_px=side_px,
            height_px=side_px,
            steps=sampling.steps,
            guidance=sampling.guidance,
            sampler=sampling.sampler,
        )


def draw(
    base: BaseModel, request: Request, config: TrainingConfig, check: Callable[[], None] = lambda: None
) -> Image.Image:
    """The image that the base model, with whatever is attached to it, makes of a prompt.

    Args:
        check: called before each denoising step; raises to break off.

    Raises:
        ModelError: it is no image, for numbers grew beyond what the dtype holds.
    """
    return draw_batch(base, (request,), config, check)[0]


@torch.no_grad()
def draw_batch(
    base: BaseModel, requests: Sequence[Request], config: TrainingConfig, check: Callable[[], None] = lambda: None
) -> tuple[Image.Image, ...]:
    """The same of several prompts at once; each image is, but for rounding, what it would be alone.

    Args:
        requests: at least one; they differ in nothing but prompt, negative prompt and seed.
        check: called before each denoising step; raises to break off.

    Raises:
        ModelError: one of them is no image, for numbers grew beyond what the dtype holds.
    """
    first = requests[0]
    assert all(request.shape == first.shape for request in requests)
    rngs = [torch.Generator("cpu").manual_seed(request.seed) for request in requests]
    negatives = [request.negative for request in requests] if first.guidance > 1 else []
    text = _text(base, [*negatives, *(request.prompt for request in requests)], config)
    latents = torch.cat([_first_noise(base, request, rng) for request, rng in zip(requests, rngs, strict=True)])
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # diffusers' samplers convert to numpy in a way that numpy 2 dislikes
        solver = process_of(config).solver(first.sampler, first.steps, rngs, latents)
        latents = latents * solver.first_scale
        for time in solver.times:
            check()
            scaled = solver.model_input(latents, time)
            predicted = _predicted(base, scaled, solver.model_time(time), text, first.guidance)
            latents = solver.step(predicted, time, latents)
    with moved((base.vae,), base.device):
        # One after the other: decoding takes more memory than denoising.
        decoded = [base.family.decode_latents(base, one[None].to(base.device))[0].cpu() for one in latents]
    return tuple(_as_image(pixels, request) for pixels, request in zip(decoded, requests, strict=True))


def _predicted(base: BaseModel, scaled: Tensor, time: Tensor, text: Conditioning, guidance: float) -> Tensor:
    """The denoiser's output in float32 on the CPU, with classifier-free guidance if there are negative prompts."""
    number, texts = scaled.shape[0], text.count
    noisy = scaled.to(base.device, base.dtype).repeat(texts // number, *[1] * (scaled.ndim - 1))
    times = time.to(base.device).expand(texts)
    predicted = base.family.predict(base, noisy, times, text).to("cpu", torch.float32)
    if texts == number:
        return predicted
    # Classifier-free guidance, Ho and Salimans 2022, eq. 6: arxiv.org/abs/2207.12598.
    away, towards = predicted.chunk(2)
    return away + guidance * (towards - away)


def _text(base: BaseModel, prompts: Sequence[str], config: TrainingConfig) -> Conditioning:
    """The prompts' text states with (tag:1.2) and [tag] weighed, as user interfaces do whatever the captions were.

    One after the other, so that a prompt's do not depend on its neighbours.
    """
    states = dict[str, Conditioning]()
    with moved(base.text_encoders, base.device):
        for prompt in dict.fromkeys(prompts):
            states[prompt] = base.encoded(
                prompt, chunks=config.dataset.chunks, clip_skip=config.model.clip_skip, weighted=True
            )
    return Conditioning.joined([states[prompt] for prompt in prompts])


def _first_noise(base: BaseModel, request: Request, rng: torch.Generator) -> Tensor:
    """[1, C, ...]."""
    shape = base.family.latent_shape(base.structure, request.width_px, request.height_px)
    return torch.randn(1, *shape, generator=rng)


def _as_image(pixels: Tensor, request: Request) -> Image.Image:
    """The image of pixels [3, h, w] in -1..1."""
    if not bool(torch.isfinite(pixels).all()):
        raise ModelError(
            f"{request.prompt!r} gives no finite numbers, which would be a black picture: memory.compute_dtype float32 "
            "or another VAE (model.vae_path) may help"
        )
    values = ((pixels.to("cpu", torch.float32) / 2 + 0.5).clamp(0, 1) * 255).round().to(torch.uint8)
    return Image.fromarray(values.permute(1, 2, 0).numpy())
