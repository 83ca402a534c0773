"""Where the user's runs are: a small file each in the user's data folder, so that two runs never write the same one."""

from __future__ import annotations

import json
import os
import re
from contextlib import suppress
from hashlib import sha256
from pathlib import Path

from advisor.data_folder import data_folder
from advisor.errors import LoraError
from advisor.files import read_bounded, write_atomically

FOLDER_NAME = "runs"
MOST_RUNS = 200
"""Of these those used last are kept."""
OUR_NAME = re.compile(r"[0-9a-f]{16}\.json")
MOST_BYTES = 64 * 1024
"""Larger files are not read: Loracle writes none."""


class RunStore:
    """Remembers run folders by their paths."""

    def __init__(self, folder: Path | None = None) -> None:
        """Use the folder `runs` in `folder`; None: in the user's data folder."""
        self._folder = (folder or data_folder()) / FOLDER_NAME

    def remember(self, run: Path) -> None:
        """Note that this run was used now; what cannot be noted is left out, since nothing depends on it."""
        path = os.path.abspath(run)  # noqa: PTH100  (without following links)
        name = sha256(path.encode("utf-8", "surrogatepass")).hexdigest()[:16]
        with suppress(LoraError, OSError):
            write_atomically(self._folder / f"{name}.json", json.dumps({"path": path}) + "\n")
            for old in self._files()[MOST_RUNS:]:
                old.unlink(missing_ok=True)

    def paths(self) -> tuple[Path, ...]:
        """The runs, those used last first; they may be gone by now."""
        return tuple(path for file in self._files() if (path := _path_in(file)) is not None)

    def _files(self) -> list[Path]:
        """The newest first; files that are not named as `remember` names them are nobody's here."""
        found = list[tuple[float, Path]]()
        with suppress(OSError):
            for path in self._folder.iterdir():
                if OUR_NAME.fullmatch(path.name):
                    found.append((path.lstat().st_mtime, path))
        return [path for _, path in sorted(found, reverse=True)]


def _path_in(file: Path) -> Path | None:
    with suppress(OSError, ValueError, RecursionError):
        tree = json.loads(read_bounded(file, MOST_BYTES))
        path = tree.get("path") if isinstance(tree, dict) else None
        if isinstance(path, str) and b"\0" not in os.fsencode(path):  # raises where no file system takes the letters
            return Path(path)
    return None
