"""Masks that weigh each place of an image in the loss: its alpha channel, or a grey file beside it.

White, or opaque, counts in full; black, or transparent, not at all. A mask is scaled, cropped and mirrored together
with its image, then reduced to the latents' size by averaging over areas. The loss is not divided by the mask's
mean, as in kohya's trainer.

Letters: B images in a batch, H and W latent height and width.
"""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from torch import Tensor
from torch.nn.functional import interpolate

from advisor.dataset.cropped_file import box_in
from advisor.dataset.mask_files import mask_file_of
from advisor.dataset.pixels import as_grey
from advisor.errors import DatasetError
from advisor.run_folder.layout import RunFolder
from advisor.settings.config import TrainingConfig
from trainer.data.crops import Crops
from trainer.data.image_files import Crop, cropped, tells_alpha, upright
from trainer.data.tensor_cache import TensorCache, cache_key
from trainer.data.training_set import Item, SampleRef, TrainingSet
from trainer.runtime.events import ReportProgress

MASKS_VERSION = 1
"""Goes up when the way from a file to a mask changes."""
PROPORTION_TOLERANCE = 0.02
"""A mask file's sides may differ from its image's proportions by so much: sizes are rounded when masks are scaled."""


@dataclass(frozen=True)
class MaskNews:
    """Masks that the user is warned of."""

    missing: tuple[Path, ...]
    """Images without a mask: they count as a whole."""
    empty: tuple[Path, ...]
    """Images whose mask leaves nothing to learn from."""


class Masks:
    """The mask of every sample; cached on disk unless crops are random."""

    def __init__(self, training_set: TrainingSet, config: TrainingConfig, run: Path, *, latent_px: int) -> None:
        """Store the inputs; `prepare` reads the files.

        Args:
            latent_px: pixels along a side of one latent pixel.
        """
        self._items, self._config, self._latent_px = training_set.items, config, latent_px
        self._content_of = training_set.content_of
        self._crops = Crops(training_set.items, config)
        self._cache = None if config.dataset.random_crop else TensorCache(RunFolder(run).cache("masks"))
        self._sources: dict[int, tuple[Path | None, str]] = {}

    def prepare(self, progress: ReportProgress) -> MaskNews:
        """Read every mask, so that a bad one fails before training, and fill the cache.

        Raises:
            DatasetError: a mask cannot be read or is of other proportions than its image.
            RunError: the cache cannot be written.
        """
        missing, empty = list[Path](), list[Path]()
        flips = (False, True) if self._config.dataset.flip and self._cache is not None else (False,)
        wanted = [(item, item.centred(flip=flip)) for item in self._items for flip in flips]
        progress(0, len(wanted))
        with ThreadPoolExecutor(self._config.machine.cpu_threads) as pool:
            self._sources = dict(enumerate(pool.map(self._source, self._items)))
            found = pool.map(lambda one: self._found(*one), wanted)
            for done, ((item, crop), mask) in enumerate(zip(wanted, found, strict=True), start=1):
                self._keep(item, crop, mask)
                if self._sources[item.index][0] is None and not crop.flip and item.use != "regularization":
                    missing.append(item.path)
                if not crop.flip and not bool(mask.any()):
                    empty.append(item.path)
                progress(done, len(wanted))
        return MaskNews(tuple(missing), tuple(empty))

    def of(self, refs: Sequence[SampleRef], epoch: int) -> Tensor:
        """Masks [B, 1, H, W] in 0..1 for samples of one size; `prepare` must have run."""
        return torch.stack([self._found(self._items[ref.item], self._crops.of(ref, epoch)) for ref in refs])

    def _found(self, item: Item, crop: Crop) -> Tensor:
        """A mask [1, H, W] from the cache or from its file."""
        source, _ = self._sources[item.index]
        if source is None:
            return torch.ones(1, *self._size(item))
        entry = None if self._cache is None else self._cache.get(self._key(item, crop))
        return self._read(item, source, crop) if entry is None else entry["mask"]

    def _keep(self, item: Item, crop: Crop, mask: Tensor) -> None:
        key = self._key(item, crop)
        if self._cache is not None and self._sources[item.index][0] is not None and self._cache.get(key) is None:
            self._cache.put(key, {"mask": mask})

    def _key(self, item: Item, crop: Crop) -> str:
        content = self._sources[item.index][1]
        return cache_key(version=MASKS_VERSION, mask=content, framing=crop.key_text, latent_px=self._latent_px)

    def _source(self, item: Item) -> tuple[Path | None, str]:
        """The file that holds an image's mask, and its content's hash."""
        if self._config.dataset.mask_source == "files":
            path = mask_file_of(item.path)
            return path, "" if path is None else self._content_of(path)
        return (item.path, self._content_of(item.path)) if tells_alpha(item.path) else (None, "")

    def _read(self, item: Item, source: Path, crop: Crop) -> Tensor:
        grey = _grey(item, source)
        if item.crop is not None:
            crop = replace(crop, box=box_in(item.crop.box, item.crop.whole, grey.size))
        # Enlarging a mask must not reach beyond 0..1, as Lanczos would.
        image = cropped(grey, crop, enlarging=Image.Resampling.BILINEAR)
        pixels = torch.from_numpy(np.array(image)).to(torch.float32)[None, None] / 255
        return interpolate(pixels, size=self._size(item), mode="area")[0]

    def _size(self, item: Item) -> tuple[int, int]:
        width, height = item.bucket
        return height // self._latent_px, width // self._latent_px


def _grey(item: Item, source: Path) -> Image.Image:
    if source == item.path:
        return upright(source).convert("RGBA").getchannel("A")
    return grey_mask(source, item.whole_size)


def grey_mask(source: Path, size: tuple[int, int]) -> Image.Image:
    """A mask's file as 8-bit grey.

    Args:
        size: its image's width and height.

    Raises:
        DatasetError: it cannot be read, or has other proportions than its image.
    """
    image = upright(source)
    width, height = size
    if abs(image.width / image.height * height / width - 1) > PROPORTION_TOLERANCE:
        raise DatasetError(
            f"{source} is a mask of {image.width} x {image.height} pixels for a picture of {width} x {height}: "
            "make it of the picture's size"
        )
    return as_grey(image)
