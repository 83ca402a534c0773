"""kohya's picture folders, `N_name` each: which picture goes where, without touching any file."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from advisor.dataset.buckets import nearest_repeats
from advisor.dataset.report import DatasetReport, ImageFile

KOHYA_FOLDER = re.compile(r"^(\d+)_(.+)$", re.DOTALL)
"""Repeats and what is shown."""

COUNTED_EXTENSIONS = (".png", ".jpg", ".jpeg", ".webp")
"""The pictures that the GUI counts when it works out the steps; sd-scripts trains on .bmp (and some others) too."""

LONGEST_NAME = 100
"""Characters of a folder's name after its number: paths stay short enough for Windows."""

_NOT_IN_NAMES = re.compile('[\x00-\x1f/\\\\:*?"<>|\ud800-\udfff]')


@dataclass(frozen=True)
class PlacedPicture:
    """A picture under the name that it gets."""

    source: Path
    name: str
    """File name in its new folder; no other picture there has the same before the point."""
    caption: str | None
    """Text for the file beside it; None: there is none."""

    @property
    def stem(self) -> str:
        """What its caption is called, too."""
        return PurePosixPath(self.name).stem


@dataclass(frozen=True)
class PlacedFolder:
    """One `N_name` folder."""

    repeats: int
    concept: str
    pictures: tuple[PlacedPicture, ...]

    @property
    def name(self) -> str:
        """As kohya reads it."""
        return f"{self.repeats}_{self.concept}"

    @property
    def counted_exposures(self) -> int:
        """Pictures times repeats, as the GUI counts them."""
        counted = sum(1 for p in self.pictures if p.name.endswith(COUNTED_EXTENSIONS))
        return counted * self.repeats


def placed_folders(
    report: DatasetReport, repeats_of: dict[str, int], *, repeats: int, concept: str, taken: Iterable[str] = ()
) -> tuple[PlacedFolder, ...]:
    """Every picture of `report` in the folder for its repeats and concept.

    Args:
        report: what the scan found.
        repeats_of: repeats by folder, for it and what is below it.
        repeats: for all others.
        concept: the folders' name, where the source folder is not called `N_name` itself.
        taken: `folder/stem` of files that are already there and stay.
    """
    root = Path(report.root)
    occupied = {_key(item) for item in taken}
    folders: dict[tuple[int, str], list[PlacedPicture]] = {}
    for picture in report.image_files:
        source = PurePosixPath(report.folders[picture.folder].path)
        place = (nearest_repeats(source, repeats_of, repeats), _concept(source, concept))
        name = _free_name(picture, f"{place[0]}_{place[1]}", occupied)
        folders.setdefault(place, []).append(PlacedPicture(root / picture.path, name, picture.caption))
    return tuple(PlacedFolder(n, concept, tuple(pictures)) for (n, concept), pictures in folders.items())


def folder_name(text: str) -> str:
    """`text` as every system can have it in a folder's name; empty where nothing of it can be."""
    return _NOT_IN_NAMES.sub("_", text).strip()[:LONGEST_NAME].rstrip(" .")


def _concept(folder: PurePosixPath, rest: str) -> str:
    """The name that kohya shows the model where a picture has no caption."""
    for path in (folder, *folder.parents):
        if match := KOHYA_FOLDER.match(path.name):
            return folder_name(match.group(2)) or rest
    return rest


def _free_name(picture: ImageFile, folder: str, occupied: set[str]) -> str:
    """The picture's own name, numbered where another's differs in nothing but its ending or case."""
    path = PurePosixPath(picture.path.replace("\\", "/"))
    for stem in _stems(_NOT_IN_NAMES.sub("_", path.stem)):
        key = _key(f"{folder}/{stem}")
        if key not in occupied:
            occupied.add(key)
            return stem + path.suffix.lower()
    raise AssertionError("numbers never end")


def _stems(stem: str) -> Iterator[str]:
    yield stem
    number = 2
    while True:
        yield f"{stem}-{number}"
        number += 1


def _key(name: str) -> str:
    return unicodedata.normalize("NFC", name).casefold()
