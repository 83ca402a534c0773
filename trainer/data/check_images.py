"""Decoding every image and mask once before anything heavy is loaded, so that all broken ones are told together.

What was decoded is remembered by its content, so that the next start only reads the files' bytes.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

from advisor.dataset.edits import whole_size
from advisor.dataset.mask_files import mask_file_of
from advisor.dataset.report import DatasetReport
from advisor.errors import DatasetError, RunError
from advisor.files import read_bounded, write_atomically
from advisor.run_folder.layout import RunFolder
from advisor.run_folder.pictures.left_out import LeftOutImage
from advisor.settings.config import TrainingConfig
from trainer.data.image_files import content_digest, upright
from trainer.data.masks import grey_mask
from trainer.runtime.events import ReportProgress

CHECK_VERSION = 1
"""Goes up when what is checked changes."""
MOST_CHECKED_BYTES = 256 * 1024**2
"""Of the file of what was decoded: some million entries."""
ENTRY = re.compile(r"[0-9a-f]{64}")


@dataclass(frozen=True)
class CheckedImage:
    """An image to decode, and its mask."""

    path: Path
    size: tuple[int, int]
    """Width and height by its header, upright."""
    mask: Path | None = None
    """A grey file beside it; None: none is used."""


def images_to_check(reports: Iterable[DatasetReport], config: TrainingConfig) -> tuple[CheckedImage, ...]:
    """All images of a training, each with the mask file that it is trained with."""
    with_masks = config.dataset.masks and config.dataset.mask_source == "files"
    found = list[CheckedImage]()
    for report in reports:
        for image in report.image_files:
            path = Path(report.root) / image.path
            mask = mask_file_of(path) if with_masks else None
            found.append(CheckedImage(path, whole_size(image), mask))
    return tuple(found)


@dataclass(frozen=True)
class Checked:
    """What was found of an image and its mask."""

    good: tuple[str, ...]
    """What is remembered of each of the two, where it is good."""
    content: str | None = None
    """The sha256 of the image's file; None where it cannot be read."""
    mask_content: str | None = None
    why: str | None = None
    """What is wrong."""


@dataclass(frozen=True)
class CheckedImages:
    """What was found of all images of a training."""

    broken: tuple[LeftOutImage, ...]
    """Those that cannot be decoded, or whose mask cannot, in their order."""
    contents: Mapping[str, str]
    """The sha256 of each file, masks' too, by its path with forward slashes, as far as it could be read."""


def check_images(images: Sequence[CheckedImage], run: Path, *, threads: int, progress: ReportProgress) -> CheckedImages:
    """Decode all images and masks that were not decoded before.

    Args:
        progress: called after each image; may raise to break off.
    """
    file = RunFolder(run).checked_images
    known = _read_known(file)
    good, broken, contents = set[str](), list[LeftOutImage](), dict[str, str]()
    try:
        for done, (image, found) in enumerate(_checked(images, known, threads), start=1):
            good.update(found.good)
            if found.content is not None:
                contents[image.path.as_posix()] = found.content
            if image.mask is not None and found.mask_content is not None:
                contents[image.mask.as_posix()] = found.mask_content
            if found.why is not None:
                broken.append(LeftOutImage(path=str(image.path), why=found.why, content=found.content or ""))
            progress(done, len(images))
    finally:
        if not good <= known:
            with suppress(RunError):  # then they are decoded once more at the next start
                write_atomically(file, "\n".join(sorted(known | good)) + "\n")
    return CheckedImages(tuple(broken), contents)


def _checked(
    images: Sequence[CheckedImage], known: frozenset[str], threads: int
) -> Iterator[tuple[CheckedImage, Checked]]:
    """Each with what was found of it; every thread holds one decoded image at a time."""
    pool = ThreadPoolExecutor(threads)
    try:
        waiting: list[Future[Checked]] = [pool.submit(_check, image, known) for image in images]
        for image, result in zip(images, waiting, strict=True):
            yield image, result.result()
    finally:
        pool.shutdown(cancel_futures=True)


def _check(image: CheckedImage, known: frozenset[str]) -> Checked:
    entries, content, of_mask = list[str](), None, None
    try:
        content = content_digest(image.path)
        entry = _entry(content)
        if entry not in known:
            upright(image.path)
        entries.append(entry)
        if image.mask is not None:
            of_mask = content_digest(image.mask)
            entry = _entry(f"mask {of_mask} {image.size}")
            if entry not in known:
                grey_mask(image.mask, image.size)
            entries.append(entry)
    except DatasetError as error:
        return Checked(tuple(entries), content, of_mask, str(error))
    return Checked(tuple(entries), content, of_mask)


def _entry(what: str) -> str:
    """What is remembered of an image, or of a mask for images of a size, that is good."""
    return sha256(f"{CHECK_VERSION} {what}".encode()).hexdigest()


def _read_known(file: Path) -> frozenset[str]:
    with suppress(OSError, ValueError):
        lines = read_bounded(file, MOST_CHECKED_BYTES).decode("ascii").splitlines()
        return frozenset(line for line in lines if ENTRY.fullmatch(line))
    return frozenset()
