"""Wan 2.1's VAE, which Qwen-Image, Anima and Krea 2 share, by its measures."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

WIDER = (1, 2, 4, 4)
"""Channels of its levels as multiples of the finest one's."""
IN_TIME = (False, True, True)
"""Between which levels, from the finest on, frames are halved as well as sides."""
BLOCKS = 2
"""Residual blocks in each level of the encoder; the decoder has one more."""


@dataclass(frozen=True)
class VideoVaeStructure:
    """An `AutoencoderKLQwenImage`; a picture is a film of one frame."""

    width: int
    """Channels of its finest level; the others have 2, 4 and 4 times as many."""
    latent_channels: int

    @property
    def factor(self) -> int:
        """Pixels of a picture along one side for one of the latents."""
        return 8

    @property
    def scale_text(self) -> str:
        """How latents are scaled, as caches of them know it: each channel by its own mean and deviation."""
        return "by channel"

    @property
    def finest_channels(self) -> int:
        """Channels at a picture's own size."""
        return self.width

    @property
    def parameters(self) -> int:
        """Its weights; 126,892,531 for the published one."""
        latents, widest = self.latent_channels, WIDER[-1] * self.width
        ends = _conv(3, self.width) + _conv(widest, 2 * latents) + _conv(latents, widest) + _conv(self.width, 3)
        ends += _pointwise(2 * latents, 2 * latents) + _pointwise(latents, latents) + widest + self.width
        middles = 2 * (
            2 * _resnet(widest, widest) + widest + _pointwise(widest, 3 * widest) + _pointwise(widest, widest)
        )
        return ends + middles + self._encoder() + self._decoder()

    def _encoder(self) -> int:
        """Its levels."""
        widths = [self.width, *(factor * self.width for factor in WIDER)]
        total = 0
        for level, (coming, width) in enumerate(pairwise(widths)):
            total += _resnet(coming, width) + (BLOCKS - 1) * _resnet(width, width)
            if level < len(IN_TIME):
                total += _flat(width, width) + IN_TIME[level] * _in_time(width, width)
        return total

    def _decoder(self) -> int:
        """Its levels, from the coarsest on; what doubles a side halves the channels."""
        widths = [WIDER[-1] * self.width, *(factor * self.width for factor in reversed(WIDER))]
        total = 0
        for level, (before, width) in enumerate(pairwise(widths)):
            coming = before // 2 if level else before
            total += _resnet(coming, width) + BLOCKS * _resnet(width, width)
            if level < len(IN_TIME):
                total += _flat(width, width // 2) + IN_TIME[-1 - level] * _in_time(width, 2 * width)
        return total


def _resnet(coming: int, width: int) -> int:
    total = coming + _conv(coming, width) + width + _conv(width, width)
    return total + (_pointwise(coming, width) if coming != width else 0)


def _conv(coming: int, width: int) -> int:
    return 27 * coming * width + width


def _flat(coming: int, width: int) -> int:
    return 9 * coming * width + width


def _in_time(coming: int, width: int) -> int:
    return 3 * coming * width + width


def _pointwise(coming: int, width: int) -> int:
    return coming * width + width
