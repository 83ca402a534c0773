"""What is read of a picture once, before any two are compared, and kept on disk by the picture's content."""

from __future__ import annotations

from contextlib import AbstractContextManager
from dataclasses import dataclass, fields
from hashlib import sha256

import torch
from torch import Tensor
from torch.nn.functional import adaptive_avg_pool2d

from advisor.settings.config import TrainingConfig
from trainer.data.tensor_cache import TensorCache, cache_key
from trainer.device.offload import moved
from trainer.evaluate.colours import colour_parts, grid_of
from trainer.evaluate.damage import look_of
from trainer.evaluate.features import CELLS, TIMESTEP, FeatureReader
from trainer.models.families.family import BaseModel

VERSION = 1
"""Goes up when the way from a picture to what is read of it changes."""
SMALL_PX = 128
"""The shorter side at which pictures are compared pixel by pixel."""


@dataclass(frozen=True)
class Seen:
    """One picture, in float32 on the CPU."""

    features: Tensor
    """[P, D]: `trainer.evaluate.features`."""
    colours: Tensor
    """[Q, 6]: `trainer.evaluate.colours`."""
    look: Tensor
    """[4]: `trainer.evaluate.damage`."""
    small: Tensor
    """[3, h, w] in 0..255: its pixels, averaged over areas where it is larger than `SMALL_PX`."""


class Viewer:
    """Reads pictures with a base model that has no adapter attached."""

    def __init__(
        self, base: BaseModel, config: TrainingConfig, *, model_key: str, cache: TensorCache | None = None
    ) -> None:
        """`model_key` tells this base model from all others, in the keys of the cache."""
        self._base, self._features, self._cache = base, FeatureReader(base, config), cache
        self._made_by = {
            "version": VERSION,
            "model": model_key,
            "dtype": base.dtype,
            "base_dtype": config.memory.base_dtype,
            "zero_terminal_snr": config.loss.zero_terminal_snr,
            "clip_skip": config.model.clip_skip,
            "timestep": TIMESTEP,
            "cells": CELLS,
        }

    def ready(self) -> AbstractContextManager[None]:
        """Within, the VAE is where the denoiser is, so that it is not moved for each picture."""
        return moved((self._base.vae,), self._base.device)

    def see(self, pixels: Tensor) -> Seen:
        """What is seen in a picture [3, h, w] in uint8.

        Raises:
            RunError: the cache cannot be written.
        """
        content = sha256(f"{tuple(pixels.shape)} ".encode() + pixels.contiguous().numpy().tobytes()).hexdigest()
        key = cache_key(picture=content, **self._made_by)
        found = None if self._cache is None else self._cache.get(key)
        if found is not None and found.keys() == {field.name for field in fields(Seen)}:
            return Seen(**{name: tensor.to(torch.float32) for name, tensor in found.items()})
        # In half precision, as the cache keeps it, so that a picture is seen alike the first time and later.
        halves = {name: _half(tensor) for name, tensor in vars(self._read(pixels)).items()}
        if self._cache is not None:
            self._cache.put(key, halves)
        return Seen(**{name: tensor.to(torch.float32) for name, tensor in halves.items()})

    def _read(self, pixels: Tensor) -> Seen:
        return Seen(
            features=self._features.parts(pixels),
            colours=colour_parts(pixels),
            look=look_of(pixels),
            small=_small(pixels),
        )


def _half(tensor: Tensor) -> Tensor:
    most = torch.finfo(torch.float16).max
    return tensor.clamp(-most, most).to(torch.float16)


def _small(pixels: Tensor) -> Tensor:
    height, width = pixels.shape[-2:]
    if min(height, width) <= SMALL_PX:
        return pixels.to(torch.float32)
    return adaptive_avg_pool2d(pixels.to(torch.float32)[None], grid_of(height, width, SMALL_PX))[0]
