"""Which files are masks, by names alone.

The mask of `NAME.jpg` is `NAME-masklabel.png` (as OneTrainer has it) or `masks/NAME.png`, in the picture's folder.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from advisor.files import is_file

MASK_SUFFIX = "-masklabel"
"""Stands behind the picture's name, before the extension."""
MASK_FOLDER = "masks"
"""A folder beside the pictures whose files are called as they are."""
MASK_EXTENSION = ".png"
"""Masks in JPEG would have grey edges."""


def mask_file_of(image: Path) -> Path | None:
    """The mask file of a picture; None where there is none."""
    beside = image.with_name(f"{image.stem}{MASK_SUFFIX}{MASK_EXTENSION}")
    below = image.parent / MASK_FOLDER / f"{image.stem}{MASK_EXTENSION}"
    return next((path for path in (beside, below) if is_file(path)), None)


def without_masks(images: Iterable[str]) -> list[str]:
    """The file names of a folder that are no masks of others in it."""
    names = list(images)
    masks = {f"{Path(name).stem}{MASK_SUFFIX}{MASK_EXTENSION}" for name in names}
    return [name for name in names if name not in masks]


def are_masks(names: Iterable[str], images: Iterable[str]) -> bool:
    """Whether all the files in a folder `masks` are called as the pictures in the folder around it."""
    inside = {Path(name).stem for name in names}
    return bool(inside) and inside <= {Path(image).stem for image in images}
