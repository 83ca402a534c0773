"""The folders below a given one, by names alone: which files are pictures, captions, masks or none of these."""

from __future__ import annotations

import os
import re
import unicodedata
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path, PurePosixPath

from advisor.dataset.image_size import IMAGE_EXTENSIONS
from advisor.dataset.mask_files import LEAST_MASKED, MASK_FOLDER, lone_masks, masked_share, without_masks
from advisor.dataset.report import CAPTION_EXTENSIONS, Problem
from advisor.files import is_folder
from advisor.settings.config import NamedFolder
from advisor.settings.file_names import CONFIG_NAME

OTHER_IMAGES = (".gif", ".tif", ".tiff", ".heic", ".heif", ".jxl", ".jfif", ".psd", ".tga", ".jp2", ".svg")
"""Extensions of pictures that trainers do not read."""

NOT_THE_USERS = frozenset({"__MACOSX", "@eaDir", "$RECYCLE.BIN", "System Volume Information"})
"""Folders that systems leave behind; like those whose name begins with a point they are passed over."""

KOHYA_IMAGES = "img"
KOHYA_OTHERS = frozenset({"log", "model", "reg"})
"""In a kohya project the pictures lie under `img`; `model` may hold samples and `reg` holds other people's."""

NUMBERED = re.compile("([0-9]+)_(.*)", re.DOTALL)
"""A folder's name as kohya reads it: repeats and concept."""
DIGITS = re.compile("([0-9]+)")

MOST_NAMED_REPEATS = 1000
"""A larger number at the front of a folder's name is a date or a count, not repeats."""

NaturalKey = tuple[tuple[str | int, ...], str]


@dataclass(frozen=True)
class FoundFolder:
    """One folder that holds pictures itself."""

    path: Path
    relative: str
    """With forward slashes; `.` is the folder that was asked for."""
    images: tuple[str, ...]
    """Names, in natural order."""
    captions: dict[tuple[str, str], str]
    """Names of caption files by stem and extension in lower case."""
    repeats: int | None = None
    concept: str = ""

    def below(self, name: str) -> str:
        """The path of a file in it, as a report has it."""
        return name if self.relative == "." else f"{self.relative}/{name}"

    def caption_extension(self, stem: str, wanted: str) -> str | None:
        """The extension of the caption that is read for a picture; None where there is none.

        Args:
            wanted: taken where there are several.
        """
        there = [extension for extension in CAPTION_EXTENSIONS if (stem, extension) in self.captions]
        return None if not there else wanted if wanted in there else there[0]


@dataclass
class FoundFiles:
    """All that the names tell; filled while walking."""

    folders: list[FoundFolder] = field(default_factory=list)
    others: Counter[str] = field(default_factory=Counter)
    """Files that are no pictures, by extension."""
    problems: list[Problem] = field(default_factory=list)


@dataclass(frozen=True)
class _Place:
    """A folder still to be looked into, with what its name and its parents' names say."""

    path: Path
    relative: str
    repeats: int | None = None
    concept: str = ""
    is_given: bool = True
    """The caller named it; False: it was found below such a one."""
    is_named: bool = False
    """Its configuration names it, or a folder around it, and says there what names say otherwise."""
    subfolders: bool = True
    """Whether those below it are looked into."""

    def below(self, name: str) -> str:
        return name if self.relative == "." else f"{self.relative}/{name}"


def find_files(root: Path) -> FoundFiles:
    """What the folder `root` and all below it hold: each folder once, however links lead to it; in natural order.

    Raises:
        OSError: `root` itself cannot be read.
    """
    found = FoundFiles()
    return _walk([_named(_Place(root, "."), root.name, found)], found)


def find_named_files(root: Path, folders: Iterable[NamedFolder]) -> FoundFiles:
    """What these folders hold and no others do; one that is not there is a problem."""
    found, places = FoundFiles(), list[_Place]()
    for folder in folders:
        key = named_path(folder.path)
        place = _Place(root / key, key, folder.repeats, folder.caption, is_named=True, subfolders=folder.subfolders)
        if is_folder(place.path):
            places.append(place)
        else:
            message = "the folder is not there: its pictures are missing here"
            found.problems.append(Problem(printable(key), "missing_folder", message))
    return _walk(places[::-1], found)


def named_path(path: str) -> str:
    """The path of a folder in a configuration, as a report has it."""
    return PurePosixPath(path.replace("\\", "/")).as_posix()


def _walk(places: list[_Place], found: FoundFiles) -> FoundFiles:
    seen: set[tuple[int, int]] = set()
    named = {place.relative for place in places if place.is_named}
    while places:
        place = places.pop()
        try:
            status = place.path.stat()
            if (status.st_dev, status.st_ino) in seen:
                continue
            seen.add((status.st_dev, status.st_ino))
            with os.scandir(place.path) as entries:
                names = sorted((entry for entry in entries if not _is_hidden(entry.name)), key=_key)
        except OSError as error:
            if place.relative == "." and not place.is_named:
                raise
            message = f"the folder cannot be read ({error.strerror or error}): its pictures are missing here"
            found.problems.append(Problem(place.relative, "unreadable_folder", message))
            continue
        subfolders = _look_into(place, names, found)
        places.extend(sub for sub in reversed(subfolders) if not (sub.is_named and sub.relative in named))
    return found


def natural_key(name: str) -> NaturalKey:
    """Sorts `2.png` before `10.png`, `a.png` before `a1.png` and `B` beside `b`, alike on every system."""
    stem, _, extension = unicodedata.normalize("NFC", name).casefold().rpartition(".")
    parts = DIGITS.split(stem or extension)
    return tuple(int(part) if index % 2 else part for index, part in enumerate(parts)), name


def stem_of(name: str) -> str:
    """A file's name up to its last point, as `Path.stem` has it in a tenth of the time."""
    before, _, extension = name.rpartition(".")
    return before if before and extension else name


def _key(entry: os.DirEntry[str]) -> NaturalKey:
    return natural_key(entry.name)


def _look_into(place: _Place, entries: list[os.DirEntry[str]], found: FoundFiles) -> list[_Place]:
    """Put a folder's files into `found`; its subfolders are returned."""
    names = {entry.name for entry in entries}
    if CONFIG_NAME in names and not place.is_given:
        message = "this is a run folder of Loracle: its pictures are results and are left out"
        found.problems.append(Problem(place.relative, "left_out_folder", message))
        return []
    images: list[str] = []
    captions: dict[tuple[str, str], str] = {}
    subfolders = []
    for entry in entries:
        if _is_folder(entry):
            if place.subfolders:
                below = replace(place, path=Path(entry.path), relative=place.below(entry.name), is_given=False)
                subfolders.append(_named(below, entry.name, found))
            continue
        stem = stem_of(entry.name)
        extension = entry.name[len(stem) :].lower()
        if extension in IMAGE_EXTENSIONS:
            problem = _problem_of_name(entry)
            if problem is None:
                images.append(entry.name)
            else:
                found.problems.append(Problem(printable(place.below(entry.name)), *problem))
            continue
        found.others[extension] += 1
        if extension in CAPTION_EXTENSIONS and _is_file(entry):
            captions[stem, extension] = entry.name
        elif extension in OTHER_IMAGES:
            message = f"trainers do not read {extension} pictures: save it as .png or .jpg, or leave it out"
            found.problems.append(Problem(printable(place.below(entry.name)), "unsupported_picture", message))
    for name in lone_masks(images):
        found.problems.append(_lone_mask(place.below(name)))
    images = without_masks(images)
    if images:
        _add(FoundFolder(place.path, place.relative, tuple(images), captions, place.repeats, place.concept), found)
        subfolders = [sub for sub in subfolders if not _holds_masks(sub, images, found)]
    return list(_wanted(place, subfolders, found))


def _add(folder: FoundFolder, found: FoundFiles) -> None:
    if folder.repeats == 0:
        message = (
            f"the 0 before the name means no repeats, so its {len(folder.images)} pictures are left out:"
            " rename the folder to train them"
        )
        found.problems.append(Problem(folder.relative, "zero_repeats", message))
        return
    found.folders.append(folder)


def _named(place: _Place, name: str, found: FoundFiles) -> _Place:
    """The place with what its own name says of repeats and concept, if anything."""
    match = NUMBERED.fullmatch(name)
    if match is None or place.is_named:
        return place
    number = int(match[1][:9])
    if number > MOST_NAMED_REPEATS:
        message = f"the number before the name is taken for a date or a count, not for {match[1]} repeats"
        found.problems.append(Problem(printable(place.relative), "strange_repeats", message))
        return place
    return replace(place, repeats=number, concept=match[2].strip())


def _wanted(place: _Place, subfolders: list[_Place], found: FoundFiles) -> Iterator[_Place]:
    """The subfolders to look into: of a kohya project's, those that hold pictures to train."""
    is_project = (
        place.relative == "."
        and not place.is_named
        and any(sub.relative == KOHYA_IMAGES and _holds_numbered_folders(sub.path) for sub in subfolders)
    )
    for sub in subfolders:
        if is_project and sub.relative in KOHYA_OTHERS:
            message = f"this is a kohya project: pictures are taken from {KOHYA_IMAGES}, and {sub.relative} is left out"
            found.problems.append(Problem(sub.relative, "left_out_folder", message))
        else:
            yield sub


def _lone_mask(path: str) -> Problem:
    message = "the picture of this mask is not there: it is not trained itself"
    return Problem(printable(path), "lone_mask", message)


def _holds_masks(place: _Place, images: list[str], found: FoundFiles) -> bool:
    """Whether a folder holds masks of the pictures around it; one that cannot be read is told of later."""
    if place.path.name != MASK_FOLDER:
        return False
    try:
        with os.scandir(place.path) as entries:
            names = [entry.name for entry in entries if Path(entry.name).suffix.lower() in IMAGE_EXTENSIONS]
    except OSError:
        return False
    if masked_share(names, images) < LEAST_MASKED:
        return False
    stems = {stem_of(image) for image in images}
    found.problems += [_lone_mask(place.below(name)) for name in sorted(names) if stem_of(name) not in stems]
    return True


def _holds_numbered_folders(path: Path) -> bool:
    try:
        with os.scandir(path) as entries:
            return any(NUMBERED.fullmatch(entry.name) and _is_folder(entry) for entry in entries)
    except OSError:
        return False


def _problem_of_name(entry: os.DirEntry[str]) -> tuple[str, str] | None:
    """What keeps a file from being a picture before it is even opened, as code and message."""
    try:
        entry.name.encode("utf-8")
    except UnicodeEncodeError:
        return "name_encoding", "the file's name is not UTF-8: rename it"
    if _is_file(entry):
        return None
    if entry.is_symlink():
        return "unreadable_picture", "the link leads nowhere: mend or delete it"
    return "unreadable_picture", "this is no ordinary file: leave it out"


def printable(name: str) -> str:
    """A name that can be shown and written as UTF-8, whatever bytes the file system holds."""
    return name.encode("utf-8", "backslashreplace").decode("utf-8")


def _is_hidden(name: str) -> bool:
    return name.startswith(".") or name in NOT_THE_USERS


def _is_folder(entry: os.DirEntry[str]) -> bool:
    try:
        return entry.is_dir()
    except OSError:  # a link that leads to itself
        return False


def _is_file(entry: os.DirEntry[str]) -> bool:
    try:
        return entry.is_file()
    except OSError:
        return False
