"""The JSON files of a diffusers folder, each value checked where it is read."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

from advisor.errors import ModelError

MAX_JSON_BYTES = 10_000_000
MAX_MEASURE = 1_000_000
"""No width, count or size of a network is larger."""


@dataclass(frozen=True)
class ModelJson:
    """One of the files, and what is in it."""

    path: Path
    table: dict[str, object]

    def integer(self, key: str, default: int) -> int:
        """A whole number from 1; `default` where the file has none or null."""
        return _whole(self, key, self._or(key, default))

    def integers(self, key: str, default: tuple[int, ...]) -> tuple[int, ...]:
        """A list of whole numbers from 1."""
        found = self._or(key, list(default))
        if not isinstance(found, list) or not 1 <= len(found) <= 64:
            raise self.wrong(key, found, "a list of whole numbers")
        return tuple(_whole(self, key, value) for value in found)

    def per_level(self, key: str, default: int, levels: int) -> tuple[int, ...]:
        """A number for each level: one for all, or a list."""
        found = self._or(key, default)
        if not isinstance(found, list):
            return (_whole(self, key, found),) * levels
        if len(found) != levels:
            raise self.wrong(key, found, f"one number or a list of {levels}")
        return tuple(_whole(self, key, value) for value in found)

    def number(self, key: str, default: float) -> float:
        """A number above 0."""
        found = self._or(key, default)
        if isinstance(found, bool) or not isinstance(found, int | float) or not 0 < found < MAX_MEASURE:
            raise self.wrong(key, found, "a number above 0")
        return float(found)

    def flag(self, key: str, default: bool) -> bool:
        """True or false."""
        found = self._or(key, default)
        if not isinstance(found, bool):
            raise self.wrong(key, found, "true or false")
        return found

    def text(self, key: str, default: str) -> str:
        """A string."""
        found = self._or(key, default)
        if not isinstance(found, str):
            raise self.wrong(key, found, "text")
        return found

    def texts(self, key: str, default: tuple[str, ...]) -> tuple[str, ...]:
        """A list of strings."""
        found = self._or(key, list(default))
        if not isinstance(found, list) or not all(isinstance(value, str) for value in found):
            raise self.wrong(key, found, "a list of names")
        return tuple(found)

    def wrong(self, key: str, found: object, wanted: str) -> ModelError:
        """The error of a value that cannot be."""
        return ModelError(f"{self.path}: {key} is {found!r} and should be {wanted}; download the folder again")

    def _or(self, key: str, default: object) -> object:
        found = self.table.get(key)
        return default if found is None else found


def read_model_json(path: Path) -> ModelJson | None:
    """The file's table; None if there is no such file.

    Raises:
        ModelError: it cannot be read or holds no table.
    """
    try:
        if not path.is_file():
            return None
        if path.stat().st_size > MAX_JSON_BYTES:
            raise ModelError(
                f"{path} has {path.stat().st_size:,} bytes, too many for a configuration: download it again"
            )
        table = json.loads(path.read_text(encoding="utf-8-sig"))
    except OSError as error:
        raise ModelError(
            f"{path} cannot be read: {error.strerror or error}; give yourself the right to read it"
        ) from error
    except (ValueError, RecursionError) as error:
        raise ModelError(f"{path} is not JSON ({error}): download the folder again") from error
    if not isinstance(table, dict):
        raise ModelError(f"{path} holds a {type(table).__name__} and not a table: download the folder again")
    return ModelJson(path, table)


def _whole(file: ModelJson, key: str, found: object) -> int:
    if isinstance(found, bool) or not isinstance(found, int) or not 1 <= found <= MAX_MEASURE:
        raise file.wrong(key, found, "a whole number from 1")
    return found
