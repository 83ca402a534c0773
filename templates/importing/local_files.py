"""What a configuration points to on this machine: folders of images, files of prompts. All of it may be elsewhere."""

from __future__ import annotations

import itertools
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from advisor.errors import RunError
from advisor.files import is_file, is_folder
from advisor.same_place import resolved
from templates.importing.document import read_text

NUMBERED_FOLDER = re.compile(r"^(\d{1,6})(?:_(.*))?$", re.DOTALL)
"""kohya's `N_name`: repeats, and what pictures without a caption show."""

IMAGE_EXTENSIONS = (".png", ".jpg", ".jpeg", ".webp", ".bmp")
MOST_FOLDERS = 1000
MOST_PROMPT_BYTES = 64 * 1024


class LocalFiles(Protocol):
    """What an importer may read besides the file itself."""

    def numbered_folders(self, folder: str) -> Mapping[str, int] | None:
        """Images in each `N_name` folder of `folder`; None where it is not on this machine."""

    def num_images(self, folder: str, *, subfolders: bool) -> int | None:
        """Images in a folder, and in those below it; None where it is not on this machine."""

    def text(self, file: str) -> str | None:
        """A small text file; None where there is none."""


@dataclass(frozen=True)
class DiskFiles:
    """The files of this machine."""

    home: Path
    """The folder of the file that is imported; relative paths begin here."""
    outside: bool = False
    """Read texts outside of it too: what the configuration names there may be anything that the user may read."""
    left: list[str] = field(default_factory=list)
    """Texts outside that are there and were not read."""

    def numbered_folders(self, folder: str) -> Mapping[str, int] | None:
        """Images in each `N_name` folder of `folder`; None where it is not on this machine."""
        root = self._local(folder)
        if root is None:
            return None
        try:
            names = sorted(entry.name for entry in os.scandir(root))
        except (OSError, ValueError):
            return None
        numbered = [name for name in names if NUMBERED_FOLDER.match(name)][:MOST_FOLDERS]
        return {name: _num_images(root / name) for name in numbered if is_folder(root / name)}

    def num_images(self, folder: str, *, subfolders: bool) -> int | None:
        """Images in a folder, and in those below it; None where it is not on this machine."""
        root = self._local(folder)
        try:
            if root is None or not is_folder(root):
                return None
        except (OSError, ValueError):
            return None
        places = (Path(place) for place, _, _ in os.walk(root)) if subfolders else iter([root])
        return sum(map(_num_images, itertools.islice(places, MOST_FOLDERS)))

    def text(self, file: str) -> str | None:
        """A small text file; None where there is none, or where it may not be read."""
        path = self._local(file)
        try:
            if path is None or not is_file(path):
                return None
            if not (self.outside or resolved(path).is_relative_to(resolved(self.home))):
                self.left.append(file)
                return None
            return read_text(path, MOST_PROMPT_BYTES)[0]
        except (RunError, OSError, ValueError, RuntimeError):
            return None

    def _local(self, given: str) -> Path | None:
        """A path of the file, unless it leads to another computer."""
        if not given.strip() or "\0" in given or leads_elsewhere(given):
            return None
        return self.home / given


def leads_elsewhere(path: str) -> bool:
    """Whether Windows would ask another computer for that path, and send it this user's name and password's digest."""
    return path[:2].replace("\\", "/") == "//"


def _num_images(folder: Path) -> int:
    try:
        return sum(entry.name.lower().endswith(IMAGE_EXTENSIONS) for entry in os.scandir(folder))
    except OSError:
        return 0
