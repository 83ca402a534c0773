"""Which image goes into which folder of an export: `N_name` for N repeats, as kohya reads it. Touches no file."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from advisor.dataset.cropped_file import CROPPED_EXTENSION
from advisor.dataset.report import DatasetReport, ImageFile, PictureCrop

LONGEST_NAME = 100
"""Characters of a folder's name after its number: paths stay short enough for Windows."""

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
        name = _free_name(image, f"{place[0]}_{place[1]}", occupied)
        source = root / image.path
        placed = PlacedImage(source, name, image.caption, image.crop, mask_of(source))
        folders.setdefault(place, []).append(placed)
    return tuple(PlacedFolder(n, concept, tuple(images)) for (n, concept), images in folders.items())


def folder_name(text: str) -> str:
    """`text` as every system can have it in a folder's name; empty where nothing of it can be."""
    return _NOT_IN_NAMES.sub("_", text).strip()[:LONGEST_NAME].rstrip(" .")


def _free_name(image: ImageFile, folder: str, occupied: set[str]) -> str:
    """The image's own name, numbered where another's differs in nothing but its ending or case."""
    path = PurePosixPath(image.path.replace("\\", "/"))
    for stem in _stems(_NOT_IN_NAMES.sub("_", path.stem)):
        key = _key(f"{folder}/{stem}")
        if key not in occupied:
            occupied.add(key)
            return stem + (path.suffix.lower() if image.crop is None else CROPPED_EXTENSION)
    raise AssertionError("numbers never end")


def _stems(stem: str) -> Iterator[str]:
    yield stem
    number = 2
    while True:
        yield f"{stem}-{number}"
        number += 1


def _key(name: str) -> str:
    return unicodedata.normalize("NFC", name).casefold()
