"""Files in the user's data folder: the answers of an unfinished interview, and the folders chosen last time."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from advisor.data_folder import data_folder
from advisor.files import read_bounded, write_atomically

SESSION_NAME = "session.json"
PLACES_NAME = "places.json"
MOST_BYTES = 1024 * 1024
"""Larger files are not read: Loracle writes none."""


@dataclass(frozen=True)
class SavedAnswers:
    """The answers of an unfinished interview."""

    answers: dict[str, str] = field(default_factory=dict)
    """By the question's key."""
    settings: dict[str, str] = field(default_factory=dict)
    """Settings chosen by name, as typed."""

    def __bool__(self) -> bool:
        return bool(self.answers)


class Session:
    """Reads and writes session.json; a damaged file counts as none."""

    def __init__(self, folder: Path | None = None) -> None:
        """Use the file in `folder`; None: in the user's data folder."""
        self._path = (folder or data_folder()) / SESSION_NAME

    def load(self) -> SavedAnswers:
        """The saved answers; empty where there are none."""
        tree = _read(self._path)
        return SavedAnswers(_texts(tree.get("answers")), _texts(tree.get("settings")))

    def save(self, saved: SavedAnswers) -> None:
        """Replace the file.

        Raises:
            RunError: it cannot be written.
        """
        tree = {"answers": saved.answers, "settings": saved.settings}
        write_atomically(self._path, json.dumps(tree, indent=1) + "\n")

    def delete(self) -> None:
        """Delete the file; a failure is ignored."""
        try:
            self._path.unlink(missing_ok=True)
        except OSError:
            return


def remembered(key: str, folder: Path | None = None) -> str | None:
    """The value that `remember` last stored under this key."""
    return _texts(_read((folder or data_folder()) / PLACES_NAME)).get(key)


def remember(key: str, value: str, folder: Path | None = None) -> None:
    """Store a value under a key in places.json.

    Raises:
        RunError: it cannot be written.
    """
    path = (folder or data_folder()) / PLACES_NAME
    write_atomically(path, json.dumps({**_texts(_read(path)), key: value}, indent=1) + "\n")


def _read(path: Path) -> dict[str, object]:
    try:
        tree = json.loads(read_bounded(path, MOST_BYTES))
    except (OSError, ValueError, RecursionError):
        return {}
    return tree if isinstance(tree, dict) else {}


def _texts(tree: object) -> dict[str, str]:
    if not isinstance(tree, Mapping):
        return {}
    return {key: value for key, value in tree.items() if isinstance(key, str) and isinstance(value, str)}
