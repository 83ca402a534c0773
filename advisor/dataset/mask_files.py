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
LEAST_MASKED = 0.5
"""Of the files in a folder `masks`: where so large a share are called as pictures around it, all of them are masks; a
picture may be gone, or still to come."""


def mask_file_of(image: Path) -> Path | None:
    """The mask file of a picture; None where there is none."""
    beside = image.with_name(f"{image.stem}{MASK_SUFFIX}{MASK_EXTENSION}")
    below = image.parent / MASK_FOLDER / f"{image.stem}{MASK_EXTENSION}"
    return next((path for path in (beside, below) if is_file(path)), None)


def without_masks(images: Iterable[str]) -> list[str]:
    """The file names of a folder that are no masks, by their ending."""
    return [name for name in images if not is_mask(name)]


def lone_masks(names: Iterable[str]) -> list[str]:
    """Those of a folder's file names that are masks of pictures that are not there."""
    names = list(names)
    stems = {Path(name).stem for name in names}
    ending = len(MASK_SUFFIX + MASK_EXTENSION)
    return [name for name in names if is_mask(name) and name[:-ending] not in stems]


def is_mask(name: str) -> bool:
    """Whether a file is called as a mask beside its picture is."""
    return name.endswith(MASK_SUFFIX + MASK_EXTENSION)


def masked_share(names: Iterable[str], images: Iterable[str]) -> float:
    """Which share of the files in a folder `masks` are called as the pictures in the folder around it."""
    inside = {Path(name).stem for name in names}
    return len(inside & {Path(image).stem for image in images}) / len(inside) if inside else 0.0
