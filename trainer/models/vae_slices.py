"""The VAE, called with whole pictures or with slices of them, so that less lies in memory at once.

A slice's normalisations see it alone, so that what is made in slices differs a little from what is made whole.

Letters: B images, C channels, h and w height and width.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from diffusers.models.autoencoders.vae import DiagonalGaussianDistribution
from torch import Tensor

from advisor.estimate.vae_slices import OVERLAP_PX, slice_px


def encoded(vae: Any, images: Tensor, *, slices: int, factor: int) -> DiagonalGaussianDistribution:
    """The distribution of the latents of images [B, 3, ..., h, w], on the VAE's device and in its dtype.

    Args:
        factor: pixels along a side for one of the latents.
    """
    weight = next(vae.parameters())
    images = images.to(weight.device, weight.dtype)
    if slices == 1:
        found: DiagonalGaussianDistribution = vae.encode(images).latent_dist
        return found

    def part(pixels: Tensor) -> Tensor:
        parameters: Tensor = vae.encode(pixels).latent_dist.parameters
        return parameters

    return DiagonalGaussianDistribution(in_slices(part, images, slices, pixel=1, unit=factor))


def decoded(vae: Any, latents: Tensor, *, slices: int, factor: int) -> Tensor:
    """Images [B, 3, ..., h, w] in float32, -1..1, of the VAE's own latents [B, C, ..., h, w]."""
    weight = next(vae.parameters())

    def part(some: Tensor) -> Tensor:
        images: Tensor = vae.decode(some, return_dict=False)[0]
        return images

    latents = latents.to(weight.device, weight.dtype)
    images = part(latents) if slices == 1 else in_slices(part, latents, slices, pixel=factor, unit=1)
    return images.float().clamp(-1, 1)


def in_slices(compute: Callable[[Tensor], Tensor], whole: Tensor, slices: int, *, pixel: int, unit: int) -> Tensor:
    """What `compute` makes of `whole` [..., h, w], of slices across its longer side, each faded into the next.

    Args:
        pixel: pixels of the picture along a side for one number of `whole`.
        unit: slices begin at multiples of so many numbers.
    """
    axis = -2 if whole.shape[-2] >= whole.shape[-1] else -1
    length = whole.shape[axis]
    each = slice_px(length * pixel, slices, unit * pixel) // pixel
    if each == length:
        return compute(whole)
    out = weights = None
    for number in range(slices):
        start = (length - each) * number // (slices - 1) // unit * unit
        part = compute(whole.narrow(axis, start, each))
        made = part.shape[axis]
        if out is None or weights is None:
            out = part.new_zeros([*part.shape[:axis], made * length // each, *part.shape[axis:][1:]])
            weights = out.new_zeros(out.shape[axis])
        place = start * made // each
        ramp = _ramp(part, made, made * OVERLAP_PX // (each * pixel), first=number == 0, last=number == slices - 1)
        out.narrow(axis, place, made).addcmul_(part, ramp if axis == -1 else ramp[:, None])
        weights.narrow(0, place, made).add_(ramp)
    assert out is not None
    assert weights is not None
    return out.div_(weights if axis == -1 else weights[:, None])


def _ramp(like: Tensor, length: int, overlap: int, *, first: bool, last: bool) -> Tensor:
    """How much each place across a slice counts: 1, and less towards a neighbour."""
    place = torch.arange(length, device=like.device, dtype=like.dtype) + 0.5
    from_start, from_end = (place / overlap).clamp(max=1), ((length - place) / overlap).clamp(max=1)
    one = torch.ones_like(place)
    return (one if first else from_start) * (one if last else from_end)
