"""What the base model's own denoiser sees in a picture, part by part.

The outputs of one block of a denoiser, for a picture with a little noise, find the same parts in different pictures
without any training for it: DIFT, Tang et al. 2023, section 4: arxiv.org/abs/2306.03881. They are at hand wherever a
LoRA is, and know drawings as well as the base model does.

Letters: h and w height and width in pixels, P parts, D width of the block's output.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from functools import cached_property
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.functional import adaptive_avg_pool2d

from advisor.settings.config import TrainingConfig
from trainer.data.image_files import normalised
from trainer.device.offload import moved
from trainer.diffusion.process import Process
from trainer.diffusion.processes import process_of
from trainer.evaluate.colours import grid_of
from trainer.evaluate.shared_parts import Parts
from trainer.models.families.family import BaseModel, Conditioning

TIMESTEP = 261
"""So much noise that coarse things count more than single strokes; DIFT's choice for finding the same parts."""
SEED = 261
"""Of the noise, which is the same for all pictures of a size."""
CELLS = 8
"""Parts along the shorter side of a picture."""


class FeatureReader:
    """Reads the features of pictures with a base model that has no adapter attached."""

    def __init__(self, base: BaseModel, config: TrainingConfig) -> None:
        """`config` says how the empty prompt is read and which noise schedule the base has."""
        self._base, self._config = base, config

    @torch.no_grad()
    def parts(self, pixels: Tensor) -> Parts:
        """The features [P, D] of a picture [3, h, w] in 0..255 whose sides the denoiser can halve."""
        base = self._base
        with moved((base.vae,), base.device):
            latents = base.family.encode_images(base, normalised(pixels)[None], None).to("cpu", torch.float32)
        noise = torch.randn(latents.shape, generator=torch.Generator("cpu").manual_seed(SEED))
        times, levels = self._process.at(TIMESTEP)
        noisy = self._process.noisy(latents, noise, levels)
        with _output_of(base.family.feature_block(base)) as outputs:
            base.family.predict(base, noisy.to(base.device, base.dtype), times.to(base.device), self._no_prompt)
        (output,) = outputs
        found = output.to("cpu", torch.float32)
        cells = grid_of(pixels.shape[-2], pixels.shape[-1], CELLS)
        return adaptive_avg_pool2d(found, cells)[0].flatten(1).T.contiguous()

    @cached_property
    def _process(self) -> Process:
        return process_of(self._config)

    @cached_property
    def _no_prompt(self) -> Conditioning:
        with moved(self._base.text_encoders, self._base.device):
            return self._base.encoded("", clip_skip=self._config.model.clip_skip)


@contextmanager
def _output_of(block: nn.Module) -> Iterator[list[Tensor]]:
    """Within, the block's outputs are added to the list."""
    outputs = list[Tensor]()

    def keep(_: nn.Module, __: Any, output: Any) -> None:
        outputs.append(output[0] if isinstance(output, tuple) else output)

    handle = block.register_forward_hook(keep)
    try:
        yield outputs
    finally:
        handle.remove()
