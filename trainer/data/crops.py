"""How each sample is cropped and flipped, and SDXL's size conditioning for it.

Letters: B images in a batch.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from advisor.settings.config import TrainingConfig
from trainer.data.image_files import Crop
from trainer.data.training_set import Item, SampleRef
from trainer.seeds import generator, seed_of


class Crops:
    """The crop of every sample, a function of seed, epoch and sample alone."""

    def __init__(self, items: Sequence[Item], config: TrainingConfig) -> None:
        """Crop these images as the configuration says."""
        self._items, self._dataset, self._seed = items, config.dataset, config.run.seed

    def of(self, ref: SampleRef, epoch: int) -> Crop:
        """Scale, offset and flip of one sample."""
        item = self._items[ref.item]
        flip = self._dataset.flip and is_flipped(self._seed, ref, epoch)
        if not self._dataset.random_crop:
            return item.centred(flip=flip)
        rng = generator(self._seed, "crop", epoch, ref.item, ref.repeat)
        return Crop.at_random(item.placement, rng, flip=flip, box=item.box)

    def sizes(self, refs: Sequence[SampleRef], epoch: int) -> Tensor:
        """The size conditioning of a batch, [B, 6] in float32 and in pixels: original height and width, crop top and
        left of the scaled image, target height and width (SDXL, Podell et al. 2023, section 2.2:
        arxiv.org/abs/2307.01952). Of an image that the user cropped, the crop is the original.
        """
        return torch.tensor([self._sizes(ref, epoch) for ref in refs], dtype=torch.float32)

    def _sizes(self, ref: SampleRef, epoch: int) -> tuple[int, ...]:
        item, crop = self._items[ref.item], self.of(ref, epoch)
        (width, height), (bucket_width, bucket_height) = item.size, item.bucket
        left = crop.left
        if crop.flip:
            left = item.placement.scaled[0] - bucket_width - left
        return height, width, crop.top, left, bucket_height, bucket_width


def is_flipped(seed: int, ref: SampleRef, epoch: int) -> bool:
    """Whether this sample is flipped, where flips are on; true for half of all samples."""
    return seed_of(seed, "flip", epoch, ref.item, ref.repeat) % 2 == 1
