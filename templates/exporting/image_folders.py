"""Which image goes into which folder of an export: `N_name` for N repeats, as kohya reads it. Touches no file."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from advisor.dataset.cropped_file import CROPPED_EXTENSION
from advisor.dataset.mask_files import MASK_EXTENSION, MASK_SUFFIX
from advisor.dataset.report import DatasetReport, ImageFile, PictureCrop

MOST_NAME_BYTES = 255
"""Of a file's name, as file systems take; NTFS counts letters instead, which are never more."""
LONGEST_NAME = 100
"""Characters of a folder's name after its number: paths stay short enough for Windows."""

LONGEST_CAPTION_ENDING, LONGEST_MASK_ENDING = len(".caption"), len(MASK_SUFFIX + MASK_EXTENSION)
"""Bytes of what stands behind a picture's stem in the names of the files beside it."""

_NOT_IN_NAMES = re.compile('[\x00-\x1f/\\\\:*?"<>|\ud800-\udfff]')


@dataclass(frozen=True)
class PlacedImage:
    """An image of the data set, and the file name that it gets in the export."""

    source: Path
    name: str
    """File name in its new folder; no other image there has the same before the point."""
    caption: str | None
    """Text for the file beside it; None: there is none."""
    crop: PictureCrop | None = None
    """What of it is written, where the user's edits crop it."""
    mask: Path | None = None
    """A mask that is to stand beside it."""

    @property
    def stem(self) -> str:
        """File name without its extension, which its caption file shares."""
        return PurePosixPath(self.name).stem


@dataclass(frozen=True)
class PlacedFolder:
    """One `N_name` folder."""

    repeats: int
    concept: str
    images: tuple[PlacedImage, ...]

    @property
    def name(self) -> str:
        """As kohya reads it."""
        return f"{self.repeats}_{self.concept}"


def placed_folders(
    report: DatasetReport,
    repeats: Sequence[int],
    *,
    concept: str,
    taken: Iterable[str] = (),
    mask_of: Callable[[Path], Path | None] = lambda _: None,
) -> tuple[PlacedFolder, ...]:
    """Every image of `report` in the folder for its repeats and concept.

    Args:
        report: what the scan found.
        repeats: of each of its folders.
        concept: the folders' name, where the source folder has no concept of its own.
        taken: `folder/stem` of files that are already there and stay.
        mask_of: the mask file of an image, where masks are written along.
    """
    root = Path(report.root)
    occupied = {_key(item) for item in taken}
    folders: dict[tuple[int, str], list[PlacedImage]] = {}
    for image in report.image_files:
        place = (repeats[image.folder], folder_name(report.folders[image.folder].concept) or concept)
        source = root / image.path
        mask = mask_of(source)
        longest = max(LONGEST_MASK_ENDING * (mask is not None), LONGEST_CAPTION_ENDING * (image.caption is not None))
        name = _free_name(image, f"{place[0]}_{place[1]}", occupied, longest)
        placed = PlacedImage(source, name, image.caption, image.crop, mask)
        folders.setdefault(place, []).append(placed)
    return tuple(PlacedFolder(n, concept, tuple(images)) for (n, concept), images in folders.items())


def folder_name(text: str) -> str:
    """`text` as every system can have it in a folder's name; empty where nothing of it can be."""
    return _NOT_IN_NAMES.sub("_", text).strip()[:LONGEST_NAME].rstrip(" .")


def _free_name(image: ImageFile, folder: str, occupied: set[str], longest_ending: int) -> str:
    """The image's own name, numbered where another's differs in nothing but its ending or case, or where it would be
    taken for the mask of another.

    Args:
        longest_ending: bytes of what files beside it have behind its stem; a stem that leaves no room is cut.
    """
    path = PurePosixPath(image.path.replace("\\", "/"))
    ending = path.suffix.lower() if image.crop is None else CROPPED_EXTENSION
    most_bytes = MOST_NAME_BYTES - max(longest_ending, len(ending.encode()))
    for stem in _stems(_NOT_IN_NAMES.sub("_", path.stem), most_bytes):
        key = _key(f"{folder}/{stem}")
        looks_like_mask = f"{stem}{ending}".casefold().endswith(MASK_SUFFIX + MASK_EXTENSION)
        if key not in occupied and not looks_like_mask:
            occupied.add(key)
            return stem + ending
    raise AssertionError("numbers never end")


def _stems(stem: str, most_bytes: int) -> Iterator[str]:
    yield _cut(stem, most_bytes)
    number = 2
    while True:
        behind = f"-{number}"
        yield _cut(stem, most_bytes - len(behind)) + behind
        number += 1


def _cut(stem: str, most_bytes: int) -> str:
    """As much of a stem as has so many bytes."""
    return stem.encode()[:most_bytes].decode("utf-8", "ignore")


def _key(name: str) -> str:
    return unicodedata.normalize("NFC", name).casefold()
