"""Files in the user's data folder: the answers of an unfinished interview, and the folders chosen last time."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from advisor.data_folder import data_folder, numbered
from advisor.files import read_bounded
from advisor.run_folder.keep import delete_own, write_own

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

    def __init__(self, folder: Path | None = None, number: int = 1) -> None:
        """Use the file in `folder`; None: in the user's data folder.

        Args:
            number: of several conversations at the same moment.
        """
        self._path = (folder or data_folder()) / numbered(SESSION_NAME, number)

    def load(self) -> SavedAnswers:
        """The saved answers; empty where there are none."""
        tree = _read(self._path)
        return SavedAnswers(_texts(tree.get("answers")), _texts(tree.get("settings")))

    def save(self, saved: SavedAnswers) -> None:
        """Replace the file; one that is not ours is kept beside it.

        Raises:
            RunError: it cannot be written.
        """
        tree = {"answers": saved.answers, "settings": saved.settings}
        write_own(self._path, json.dumps(tree, indent=1) + "\n", _is_session)

    def delete(self) -> None:
        """Delete the file, if it is ours; a failure is ignored."""
        delete_own(self._path, _is_session)


def remembered(key: str, folder: Path | None = None) -> str | None:
    """The value that `remember` last stored under this key."""
    return _texts(_read((folder or data_folder()) / PLACES_NAME)).get(key)


def remember(key: str, value: str, folder: Path | None = None) -> None:
    """Store a value under a key in places.json; a file of that name that is not ours is kept beside it.

    Raises:
        RunError: it cannot be written.
    """
    path = (folder or data_folder()) / PLACES_NAME
    write_own(path, json.dumps({**_texts(_read(path)), key: value}, indent=1) + "\n", _is_places)


def _read(path: Path) -> dict[str, object]:
    try:
        return _tree(read_bounded(path, MOST_BYTES))
    except OSError:
        return {}


def _tree(content: bytes) -> dict[str, object]:
    """The JSON object; empty where it is none."""
    try:
        tree = json.loads(content)
    except (ValueError, RecursionError):
        return {}
    return tree if isinstance(tree, dict) else {}


def _is_session(content: bytes) -> bool:
    return _tree(content).keys() == {"answers", "settings"}


def _is_places(content: bytes) -> bool:
    tree = _tree(content)
    return bool(tree) and _texts(tree) == tree


def _texts(tree: object) -> dict[str, str]:
    if not isinstance(tree, Mapping):
        return {}
    return {key: value for key, value in tree.items() if isinstance(key, str) and isinstance(value, str)}
