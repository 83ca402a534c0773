"""The answers of an unfinished interview, kept in the user's data folder; and what is remembered for next time."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

SESSION_NAME = "session.json"
PLACES_NAME = "places.json"
MOST_BYTES = 1024 * 1024
"""No honest file of ours here is larger."""


@dataclass(frozen=True)
class Kept:
    """What somebody has said so far."""

    answers: dict[str, str] = field(default_factory=dict)
    """By the question's key."""
    settings: dict[str, str] = field(default_factory=dict)
    """Settings chosen by name, as typed."""

    def __bool__(self) -> bool:
        return bool(self.answers)


def data_folder() -> Path:
    """Where what is kept between starts lies; `LORACLE_DATA` names another place."""
    if given := os.environ.get("LORACLE_DATA"):
        return Path(given)
    from platformdirs import user_data_path

    return user_data_path("loracle", appauthor=False)


class Session:
    """The file that keeps the answers; a damaged one counts as none."""

    def __init__(self, folder: Path | None = None) -> None:
        """Keep it in `folder`; None: the user's data folder."""
        self._path = (folder or data_folder()) / SESSION_NAME

    def load(self) -> Kept:
        """What was kept."""
        tree = _read(self._path)
        return Kept(_texts(tree.get("answers")), _texts(tree.get("settings")))

    def keep(self, kept: Kept) -> None:
        """Replace what was kept.

        Raises:
            RunError: it cannot be written.
        """
        from advisor.files import write_atomically

        tree = {"answers": kept.answers, "settings": kept.settings}
        write_atomically(self._path, json.dumps(tree, indent=1) + "\n")

    def forget(self) -> None:
        """Keep nothing; the interview came to its end."""
        try:
            self._path.unlink(missing_ok=True)
        except OSError:
            return


def remembered(key: str, folder: Path | None = None) -> str | None:
    """What was last remembered under this key."""
    return _texts(_read((folder or data_folder()) / PLACES_NAME)).get(key)


def remember(key: str, value: str, folder: Path | None = None) -> None:
    """Have `value` at hand next time.

    Raises:
        RunError: it cannot be written.
    """
    from advisor.files import write_atomically

    path = (folder or data_folder()) / PLACES_NAME
    write_atomically(path, json.dumps({**_texts(_read(path)), key: value}, indent=1) + "\n")


def _read(path: Path) -> dict[str, object]:
    try:
        if path.stat().st_size > MOST_BYTES:
            return {}
        tree = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError):
        return {}
    return tree if isinstance(tree, dict) else {}


def _texts(tree: object) -> dict[str, str]:
    if not isinstance(tree, Mapping):
        return {}
    return {key: value for key, value in tree.items() if isinstance(key, str) and isinstance(value, str)}
