"""Which pictures of a run are trained, and what of each: leaving out, taking in again, cropping."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from advisor.dataset.edits import LEAST_CROP_PX, Edits, PictureEdit, fits
from advisor.dataset.report import Box, DatasetReport, ImageFile
from advisor.errors import DatasetError

WHOLE: Box = (0, 0, 0, 0)
"""Stands for the whole picture, whatever its size."""


def leave_out(files: DatasetReport, edits: Edits, images: Sequence[ImageFile], reason: str) -> tuple[PictureEdit, ...]:
    """Edits that leave pictures out, of those that are not left out for this reason already.

    Raises:
        DatasetError: then no picture is left.
    """
    named = (PictureEdit(files.path_of(image), excluded=reason) for image in images)
    made = tuple(edit for edit in named if edits.get(edit.path).excluded != reason)
    if not edits.with_more(made).applied(files).image_files:
        raise DatasetError("then no picture would be left to train: leave fewer of them out")
    return made


def take_in(files: DatasetReport, edits: Edits, images: Sequence[ImageFile]) -> tuple[PictureEdit, ...]:
    """Edits that take pictures in again, of those that are left out."""
    paths = (files.path_of(image) for image in images)
    return tuple(PictureEdit(path, excluded="") for path in paths if edits.get(path).excluded)


def crop(files: DatasetReport, edits: Edits, images: Sequence[ImageFile], box: Box) -> tuple[PictureEdit, ...]:
    """Edits that crop pictures, of those that are not cropped so already.

    Args:
        box: `WHOLE` takes crops back.

    Raises:
        DatasetError: it does not lie in one of them, or is too small to be trained.
    """
    if wrong := [image for image in images if box != WHOLE and not fits(box, image)]:
        first = wrong[0]
        found = f"{first.path} is {first.width_px} x {first.height_px} pixels, and {','.join(map(str, box))}"
        mend = f"give LEFT,TOP,RIGHT,BOTTOM within it, {LEAST_CROP_PX} pixels wide and high at least"
        raise DatasetError(f"{found} is no crop of it: {mend}")
    return tuple(_cropped(files, edits, images, box))


def _cropped(files: DatasetReport, edits: Edits, images: Sequence[ImageFile], box: Box) -> Iterator[PictureEdit]:
    for image in images:
        path, whole = files.path_of(image), (0, 0, image.width_px, image.height_px)
        wanted = whole if box == WHOLE else box
        if (edits.get(path).crop or whole) != wanted:
            yield PictureEdit(path, crop=wanted)
