"""One training step's loss, as a pure function: no autocast, no `.item()`, no Accelerator.

Letters as in `trainer.models.families.family`.
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Any

import torch
from torch import Tensor

from advisor.settings.config import TrainingConfig
from trainer.adapters.network import Network
from trainer.diffusion.objective import elementwise_loss
from trainer.diffusion.processes import process_of
from trainer.models.families.family import BaseModel, Conditioning


@dataclass(frozen=True)
class Batch:
    """The tensors of one forward pass, on the base model's device."""

    latents: Tensor
    """[B, C, H, W], scaled; float32 is best."""
    noise: Tensor
    """[B, C, H, W] in float32, as drawn by the process (`trainer.diffusion.process`)."""
    times: Tensor
    """[B]: what the denoiser is told, int64 timesteps or float32 in 0..1 (`NoiseDraw.times`)."""
    levels: Tensor
    """[B] in float32: how noisy it is then (`NoiseDraw.levels`)."""
    loss_weights: Tensor
    """[B] in float32: 1, or `loss.prior_weight` for regularisation images."""
    token_ids: tuple[Tensor, ...] = ()
    """As the family's `tokenize` gives them; empty where `text` is given."""
    text: Conditioning | None = None
    """Cached conditioning; only where no text encoder is trained."""
    text_weights: Tensor | None = None
    """[B, T] in float32: what the states of `token_ids` are multiplied by, of weighted captions."""
    input_noise: Tensor | None = None
    """[B, C, H, W]: what is added to the noise for the input only."""
    sizes: Tensor | None = None
    """[B, 6] in float32, in pixels: `trainer.data.crops`; only some families look at it."""
    mask: Tensor | None = None
    """[B, 1, H, W] in 0..1, or [B, 1, h, w] in pixels, which is reduced by area."""

    def to(self, device: torch.device) -> Batch:
        """The same batch on another device."""
        moved = {field.name: _moved(getattr(self, field.name), device) for field in fields(self)}
        return Batch(**moved)


def training_loss(base: BaseModel, network: Network, batch: Batch, config: TrainingConfig) -> Tensor:
    """The batch's loss, a float32 scalar whose gradients reach the network's parameters."""
    return sample_losses(base, network, batch, config).mean()


def sample_losses(base: BaseModel, network: Network, batch: Batch, config: TrainingConfig) -> Tensor:
    """The weighted loss of each image, [B] in float32.

    Where a batch is split into micro-batches, its loss is the sum over all of them divided by its number of images.
    """
    process = process_of(config)
    text = batch.text or text_conditioning(
        base, network, batch.token_ids, config.model.clip_skip, weights=batch.text_weights
    )
    noise = batch.noise if batch.input_noise is None else batch.noise + batch.input_noise
    noisy = process.noisy(batch.latents.float(), noise, batch.levels)
    predicted = base.family.predict(base, noisy.to(base.dtype), batch.times, text, batch.sizes)
    wanted = process.target(batch.latents.float(), batch.noise, batch.levels)
    is_plain = config.loss.kind in ("l2", "l1")
    huber_c = None if is_plain else process.huber_c(batch.times, batch.levels)
    difference = elementwise_loss(predicted.float(), wanted, config.loss.kind, huber_c)
    if batch.mask is not None:
        difference = difference * _latent_mask(batch.mask, difference)
    each = difference.mean(dim=tuple(range(1, difference.ndim))) * batch.loss_weights
    return each * process.weights(batch.times, batch.levels)


def text_conditioning(
    base: BaseModel, network: Network, token_ids: tuple[Tensor, ...], clip_skip: int, *, weights: Tensor | None = None
) -> Conditioning:
    """The conditioning; without a graph where the network trains no text encoder."""
    with torch.set_grad_enabled(torch.is_grad_enabled() and network.has_text_encoder):
        return base.family.encode_text(base, token_ids, clip_skip=clip_skip, weights=weights)


def _latent_mask(mask: Tensor, like: Tensor) -> Tensor:
    if mask.shape[-2:] == like.shape[-2:]:
        return mask.float()
    return torch.nn.functional.interpolate(mask.float(), size=like.shape[-2:], mode="area")


def _moved(value: Any, device: torch.device) -> Any:
    if isinstance(value, Tensor):
        # From memory that the system may page out, the processor waits for the copy.
        is_pinned = device.type == "cuda" and value.device.type == "cpu"
        return (value.pin_memory() if is_pinned else value).to(device, non_blocking=True)
    if isinstance(value, tuple):
        return tuple(_moved(item, device) for item in value)
    if isinstance(value, Conditioning):
        return value.to(device)
    return value
