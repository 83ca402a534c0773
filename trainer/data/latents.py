"""Latents of the training's images: from a cache on disk, or encoded by the VAE in each step.

Images are encoded one by one, so that a latent does not depend on the batch; the sample from the VAE's distribution
is seeded by the image itself. A cold cache and a warm one thus give the same training.

Letters: C latent channels, H and W latent height and width.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Protocol

import torch
from torch import Tensor

from advisor.errors import DatasetError, TrainingStopped
from advisor.estimate.ram import IMAGES_AHEAD
from advisor.run_folder.layout import RunFolder
from advisor.settings.config import TrainingConfig
from trainer.data.crops import Crops, is_flipped
from trainer.data.image_files import content_digest, normalised, read_image
from trainer.data.tensor_cache import TensorCache, cache_key, module_digest
from trainer.data.training_set import Item, SampleRef, TrainingSet
from trainer.models.families.family import BaseModel
from trainer.runtime.events import ReportProgress
from trainer.seeds import generator

LATENTS_VERSION = 1
"""Goes up when the way from a file to latents changes, so that older entries no longer count."""


class Latents(Protocol):
    """A source of latents."""

    def of(self, refs: Sequence[SampleRef], epoch: int) -> Tensor:
        """Latents [B, C, H, W] in float32 on the CPU for samples of one size."""


class CachedLatents:
    """Latents encoded once for each image, and once more for its mirror image where images are flipped."""

    def __init__(
        self, cache: TensorCache, keys: dict[tuple[int, bool], str], flips: Callable[[SampleRef, int], bool]
    ) -> None:
        """Read latents by `keys`, which `cache_latents` has filled."""
        self._cache, self._keys, self._flips = cache, keys, flips

    def of(self, refs: Sequence[SampleRef], epoch: int) -> Tensor:
        """Latents from the cache.

        Raises:
            TrainingStopped: an entry was taken away while training.
        """
        found = [self._cache.get(self._keys[ref.item, self._flips(ref, epoch)]) for ref in refs]
        if any(entry is None for entry in found):
            raise TrainingStopped("A file in the run's cache folder was removed or damaged while training: start again")
        return torch.stack([entry["latents"] for entry in found if entry is not None])


class FreshLatents:
    """Latents encoded in each step, as random crops need."""

    def __init__(self, base: BaseModel, training_set: TrainingSet, config: TrainingConfig) -> None:
        """Encode with the base model's VAE, which must stay on its device."""
        self._base, self._items, self._config = base, training_set.items, config
        self._crops = Crops(training_set.items, config)

    def of(self, refs: Sequence[SampleRef], epoch: int) -> Tensor:
        """Latents of this epoch's crops."""
        with ThreadPoolExecutor(self._config.machine.cpu_threads) as pool:
            pixels = list(pool.map(lambda ref: self._read(ref, epoch), refs))
        return torch.stack([self._encoded(ref, image, epoch) for ref, image in zip(refs, pixels, strict=True)])

    def _read(self, ref: SampleRef, epoch: int) -> Tensor:
        return read_image(self._items[ref.item].path, self._crops.of(ref, epoch))

    def _encoded(self, ref: SampleRef, pixels: Tensor, epoch: int) -> Tensor:
        rng = generator(self._config.run.seed, "vae", epoch, ref.item, ref.repeat)
        return encoded(self._base, pixels, rng, self._items[ref.item].path)


def cache_latents(
    base: BaseModel, training_set: TrainingSet, config: TrainingConfig, *, run: Path, progress: ReportProgress
) -> CachedLatents:
    """Encode every image whose latents the run's cache lacks, and read all of them from it from then on.

    Raises:
        DatasetError: an image cannot be read, or the VAE gives no finite numbers for it.
        RunError: the cache cannot be written.
    """
    cache = TensorCache(RunFolder(run).cache("latents"))
    vae = f"{module_digest(base.vae)} {next(base.vae.parameters()).dtype} {base.structure.vae.scale_text}"
    if base.encode_slices > 1:
        vae += f" in {base.encode_slices} slices"
    wanted = [
        (item, flip) for item in training_set.items for flip in ((False, True) if config.dataset.flip else (False,))
    ]
    keys = dict[tuple[int, bool], str]()
    missing = list[tuple[Item, bool]]()
    for item, flip in wanted:
        keys[item.index, flip] = _key(item, training_set.content_of(item.path), vae, flip=flip)
        if not cache.has(keys[item.index, flip]):
            missing.append((item, flip))
    done = len(wanted) - len(missing)
    progress(done, len(wanted))
    for (item, flip), (content, pixels) in _read_ahead(missing, config.machine.cpu_threads):
        # The file may be another by now than when it was first read.
        key = keys[item.index, flip] = _key(item, content, vae, flip=flip)
        rng = torch.Generator("cpu").manual_seed(int(key[:15], 16))
        cache.put(key, {"latents": encoded(base, pixels, rng, item.path)})
        done += 1
        progress(done, len(wanted))
    cache.remember()
    seed = config.run.seed
    return CachedLatents(cache, keys, lambda ref, epoch: config.dataset.flip and is_flipped(seed, ref, epoch))


@torch.no_grad()
def encoded(base: BaseModel, pixels: Tensor, rng: torch.Generator, path: Path) -> Tensor:
    """Latents [C, H, W] in float32 on the CPU of pixels [3, h, w].

    Raises:
        DatasetError: they are not finite.
    """
    weights = next(base.vae.parameters())
    image = normalised(pixels)[None].to(weights.device, weights.dtype)
    latents = base.family.encode_images(base, image, rng)[0].to("cpu", torch.float32)
    if not bool(torch.isfinite(latents).all()):
        raise DatasetError(
            f"The base model's VAE gives no finite numbers for {path}: look at that picture, or choose another VAE "
            "(model.vae_path)"
        )
    return latents


def _key(item: Item, content: str, vae: str, *, flip: bool) -> str:
    return cache_key(version=LATENTS_VERSION, picture=content, vae=vae, framing=item.centred(flip=flip).key_text)


def _read_ahead(
    missing: Iterable[tuple[Item, bool]], threads: int
) -> Iterator[tuple[tuple[Item, bool], tuple[str, Tensor]]]:
    """Each with its file's sha256 and its pixels, decoded a little ahead by other threads."""
    waiting = list[tuple[tuple[Item, bool], Future[tuple[str, Tensor]]]]()
    pool = ThreadPoolExecutor(threads)
    try:
        for item, flip in missing:
            waiting.append(((item, flip), pool.submit(_read, item, flip=flip)))
            if len(waiting) > IMAGES_AHEAD * threads:
                first, pixels = waiting.pop(0)
                yield first, pixels.result()
        for last, pixels in waiting:
            yield last, pixels.result()
    finally:
        pool.shutdown(cancel_futures=True)


def _read(item: Item, *, flip: bool) -> tuple[str, Tensor]:
    return content_digest(item.path), read_image(item.path, item.centred(flip=flip))
