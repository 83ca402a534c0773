"""Reading a TOML file that a person may have edited, or a stranger made."""

from __future__ import annotations

import errno
import re
import tomllib
from pathlib import Path
from typing import Any

from advisor.errors import RunError
from advisor.files import read_bounded
from advisor.json_text import Malformed, check_tree

_LONG_KEY = re.compile(r"""(?<![\w"'-])(?:[\w"'-]++[ \t]*+\.[ \t]*+){64}""")
"""A key of so many parts: the reader's time grows with their square."""


def parse_toml(text: str) -> dict[str, Any]:
    """The tree that a TOML text stands for, in a time that grows with its length alone.

    Raises:
        ValueError: it is no TOML, or has a key of more parts, or a number of more digits, than any honest one.
        RecursionError: it is nested too deeply.
    """
    if _LONG_KEY.search(text):
        raise Malformed("a key in it has too many parts")
    try:
        tree = tomllib.loads(text)
    except tomllib.TOMLDecodeError:
        raise
    except ValueError:
        raise Malformed("it holds a number of thousands of digits") from None
    check_tree(tree)
    return tree


def read_toml(path: Path, *, kind: str, most_bytes: int) -> dict[str, Any]:
    """The tree in a TOML file, with or without a byte order mark.

    Args:
        kind: what it is to be, for messages, e.g. `preset`.
        most_bytes: no honest one is larger.

    Raises:
        RunError: it cannot be read, is too large, or is no TOML.
    """
    try:
        return parse_toml(read_bounded(path, most_bytes).decode("utf-8-sig"))
    except UnicodeDecodeError as error:
        raise RunError(f"{path} is not UTF-8 (byte {error.start}): save it as UTF-8 in your editor") from None
    except ValueError as error:
        raise RunError(f"{path} is not valid TOML: {error}") from None
    except RecursionError:
        raise RunError(f"{path} is nested too deeply to be a {kind}") from None
    except OSError as error:
        if error.errno == errno.EFBIG:
            raise RunError(f"{path} is larger than any {kind}: is it the right file?") from None
        raise RunError(f"the {kind} {path} cannot be read: {error.strerror}: check the path") from None
