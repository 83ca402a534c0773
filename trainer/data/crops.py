"""How each showing of a picture is cropped and mirrored, and what a denoiser is told of that.

Letters: B pictures in a batch.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from advisor.settings.config import TrainingConfig
from trainer.data.image_files import Framing
from trainer.data.training_set import Item, View
from trainer.seeds import generator, seed_of


class Framings:
    """The framing of every showing; the same showing of the same epoch always has the same one."""

    def __init__(self, items: Sequence[Item], config: TrainingConfig) -> None:
        """Frame these pictures as the configuration says."""
        self._items, self._dataset, self._seed = items, config.dataset, config.run.seed

    def of(self, view: View, epoch: int) -> Framing:
        """How one showing is brought to its training size."""
        placement = self._items[view.item].placement
        flip = self._dataset.flip and is_flipped(self._seed, view, epoch)
        if not self._dataset.random_crop:
            return Framing.centred(placement, flip=flip)
        return Framing.at_random(placement, generator(self._seed, "crop", epoch, view.item, view.repeat), flip=flip)

    def sizes(self, views: Sequence[View], epoch: int) -> Tensor:
        """What is told of a batch, [B, 6] in float32: for each picture, in pixels, its own height and width, what was
        cropped off above and at the left of the scaled picture, the height and width it is trained at.
        """
        return torch.tensor([self._sizes(view, epoch) for view in views], dtype=torch.float32)

    def _sizes(self, view: View, epoch: int) -> tuple[int, ...]:
        item, framing = self._items[view.item], self.of(view, epoch)
        (width, height), (bucket_width, bucket_height) = item.size, item.bucket
        left = framing.left
        if framing.flip:
            left = item.placement.scaled[0] - bucket_width - left
        return height, width, framing.top, left, bucket_height, bucket_width


def is_flipped(seed: int, view: View, epoch: int) -> bool:
    """Whether this showing is mirrored, where showings are: one in two."""
    return seed_of(seed, "flip", epoch, view.item, view.repeat) % 2 == 1
