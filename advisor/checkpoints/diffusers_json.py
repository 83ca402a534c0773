"""The JSON files of a diffusers folder, each value checked where it is read."""

from __future__ import annotations

import errno
from dataclasses import dataclass
from pathlib import Path

from advisor.errors import ModelError
from advisor.files import UnfitFile, read_bounded
from advisor.json_text import Malformed, parse_json
from advisor.shown_text import short

MAX_JSON_BYTES = 10_000_000
MAX_MEASURE = 1_000_000
"""No width or size of a network is larger."""
MAX_LEVELS = 16
MAX_LAYERS = 100
"""No network of the families that we train has so many layers in a row; each is built, so a number may cost hours."""


@dataclass(frozen=True)
class ModelJson:
    """One of the files, and what is in it."""

    path: Path
    table: dict[str, object]

    def integer(self, key: str, default: int, most: int = MAX_MEASURE) -> int:
        """A whole number from 1 to `most`; `default` where the file has none or null."""
        return _whole(self, key, self._or(key, default), most)

    def integers(self, key: str, default: tuple[int, ...]) -> tuple[int, ...]:
        """A list of whole numbers from 1."""
        found = self._or(key, list(default))
        if not isinstance(found, list) or not 1 <= len(found) <= MAX_LEVELS:
            raise self.wrong(key, found, f"a list of 1 to {MAX_LEVELS} whole numbers")
        return tuple(_whole(self, key, value, MAX_MEASURE) for value in found)

    def per_level(self, key: str, default: int, levels: int, most: int = MAX_MEASURE) -> tuple[int, ...]:
        """A number for each level: one for all, or a list."""
        found = self._or(key, default)
        if not isinstance(found, list):
            return (_whole(self, key, found, most),) * levels
        if len(found) != levels:
            raise self.wrong(key, found, f"one number or a list of {levels}")
        return tuple(_whole(self, key, value, most) for value in found)

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
        return ModelError(f"{self.path}: {key} is {short(found)} and should be {wanted}; download the folder again")

    def _or(self, key: str, default: object) -> object:
        found = self.table.get(key)
        return default if found is None else found


def read_model_json(path: Path) -> ModelJson | None:
    """The file's table; None if there is no such file.

    Raises:
        ModelError: it cannot be read, is no regular file or too large, or holds no table.
    """
    try:
        table = parse_json(read_bounded(path, MAX_JSON_BYTES))
    except (FileNotFoundError, NotADirectoryError):
        return None
    except OSError as error:
        if error.errno == errno.EFBIG:
            raise ModelError(
                f"{path} has more than {MAX_JSON_BYTES:,} bytes, too many for a configuration: download it again"
            ) from error
        raise ModelError(f"{path} cannot be read: {error.strerror or error}; {_mend(error)}") from error
    except Malformed as flaw:
        raise ModelError(f"{path} is not JSON ({flaw}): download the folder again") from flaw
    if not isinstance(table, dict):
        raise ModelError(f"{path} holds a {type(table).__name__} and not a table: download the folder again")
    return ModelJson(path, table)


def _mend(error: OSError) -> str:
    return "download the folder again" if isinstance(error, UnfitFile) else "give yourself the right to read it"


def _whole(file: ModelJson, key: str, found: object, most: int) -> int:
    if isinstance(found, bool) or not isinstance(found, int) or not 1 <= found <= most:
        raise file.wrong(key, found, "a whole number from 1" + (f" to {most}" if most < MAX_MEASURE else ""))
    return found
