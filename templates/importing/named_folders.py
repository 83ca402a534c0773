"""Folders as another trainer's file names them: these and nothing else, with repeats and captions of their own."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import PurePosixPath, PureWindowsPath
from typing import Any

from advisor.shown_text import seen_line
from templates.importing.ledger import Ledger

TOGETHER = "with the folders of the others"


@dataclass(frozen=True)
class ForeignFolder:
    """One folder of pictures in a file of another trainer."""

    key: str
    """The ledger's key of its path."""
    path: str
    """As the file has it."""
    repeats: int
    caption: str = ""
    """What its pictures without a caption file show."""
    subfolders: bool = False
    """Whether that trainer looks into the folders below it."""

    @property
    def place(self) -> PurePosixPath:
        """The path with forward slashes."""
        return place_of(self.path)


def place_of(path: str) -> PurePosixPath:
    """A path with forward slashes, whatever system it was written on."""
    is_windows = PureWindowsPath(path).drive or "\\" in path
    return PurePosixPath(PureWindowsPath(path).as_posix() if is_windows else path)


def settle_images(ledger: Ledger, folders: Sequence[ForeignFolder], *, root: PurePosixPath | None = None) -> None:
    """The folders that are trained, and no others.

    Args:
        root: the folder that the file names, where it names one around them.
    """
    folders = _without_copies(ledger, folders)
    if not folders:
        return
    _settle(ledger, folders, "dataset.images", "dataset.folders", root)
    ledger.imply("dataset.only_folders", True)
    repeats = {folder.repeats for folder in folders}
    ledger.imply("dataset.repeats", repeats.pop() if len(repeats) == 1 else 1)


def settle_class_images(ledger: Ledger, folders: Sequence[ForeignFolder], *, root: PurePosixPath | None = None) -> None:
    """The folders with pictures of the class, and no others; `root` as in `settle_images`."""
    if folders := _without_copies(ledger, folders):
        _settle(ledger, folders, "dataset.regularization_images", "dataset.regularization_folders", root)


def _without_copies(ledger: Ledger, folders: Sequence[ForeignFolder]) -> list[ForeignFolder]:
    """Each folder once: one that is named again adds its repeats."""
    found = dict[PurePosixPath, ForeignFolder]()
    for folder in folders:
        first = found.get(folder.place)
        if first is None:
            found[folder.place] = folder
            continue
        found[folder.place] = replace(first, repeats=first.repeats + folder.repeats)
        if folder.caption == first.caption:
            ledger.translate(folder.key, "the same folder again: its repeats are added")
        else:
            ledger.contradict(
                folder.key, "the same folder again with another caption: its repeats are added to the first"
            )
    return list(found.values())


def _settle(
    ledger: Ledger, folders: Sequence[ForeignFolder], images: str, named: str, root: PurePosixPath | None
) -> None:
    first = folders[0]
    root = root or common_folder([folder.place for folder in folders])
    note = "these folders and no others" if len(folders) > 1 else "this folder and no other"
    ledger.settle(first.key, images, first.path if root == first.place else str(root), note)
    for other in folders[1:]:
        if other.key != first.key:
            ledger.translate(other.key, TOGETHER)
    ledger.imply(named, [_named(folder, root) for folder in folders])


def _named(folder: ForeignFolder, root: PurePosixPath) -> dict[str, Any]:
    path = folder.place.relative_to(root) if folder.place.is_relative_to(root) else folder.place
    return {
        "path": path.as_posix(), "repeats": folder.repeats, "subfolders": folder.subfolders,
        "caption": seen_line(folder.caption),
    }  # fmt: skip


def common_folder(places: Sequence[PurePosixPath]) -> PurePosixPath:
    """The folder that all are in, be it one of them; the first of them where there is none but a disk's root."""
    first = places[0]
    is_whole = first.is_absolute() or first.parts[0].endswith(":")
    candidates = (folder for folder in (first, *first.parents) if not (is_whole and _is_root(folder)))
    return next((folder for folder in candidates if all(place.is_relative_to(folder) for place in places)), first)


def _is_root(folder: PurePosixPath) -> bool:
    return folder.as_posix() in ("/", ".") or folder.name.endswith(":")


def first_word(captions: Sequence[str]) -> str:
    """The word that captions such as `mira girl` begin with, where all begin with the same; else nothing.

    Who trains for kohya writes the trigger first and the class after it.
    """
    words = {caption.split()[0] if caption.strip() else "" for caption in captions}
    return words.pop() if len(words) == 1 else ""
