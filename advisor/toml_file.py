"""Reading a TOML file that a person may have edited."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Any

from advisor.errors import RunError


def read_toml(path: Path, *, kind: str, most_bytes: int) -> dict[str, Any]:
    """The tree in a TOML file, with or without a byte order mark.

    Args:
        kind: what it is to be, for messages, e.g. `preset`.
        most_bytes: no honest one is larger.

    Raises:
        RunError: it cannot be read, is too large, or is no TOML.
    """
    try:
        if path.stat().st_size > most_bytes:
            raise RunError(f"{path} is larger than any {kind}: is it the right file?")
        return tomllib.loads(path.read_bytes().decode("utf-8-sig"))
    except UnicodeDecodeError as error:
        raise RunError(f"{path} is not UTF-8 (byte {error.start}): save it as UTF-8 in your editor") from None
    except tomllib.TOMLDecodeError as error:
        raise RunError(f"{path} is not valid TOML: {error}") from None
    except RecursionError:
        raise RunError(f"{path} is nested too deeply to be a {kind}") from None
    except OSError as error:
        raise RunError(f"the {kind} {path} cannot be read: {error.strerror}: check the path") from None
