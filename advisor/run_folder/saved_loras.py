"""The LoRAs of one training in the order in which it saved them, by what their metadata tell.

A file's time is no guide: clocks are set, and copying a run makes all of its files new.
"""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

from advisor.errors import ModelError
from advisor.tensor_files.header import read_header

STEPS_KEY = "ss_steps"
"""In a LoRA's metadata, kohya's: the optimizer steps that it was saved after."""


def oldest_first(loras: Iterable[Path]) -> list[Path]:
    """These in the order of their steps; where one of them does not tell, all in the order of their files' times.

    Raises:
        OSError: a file is not there any more.
    """
    steps = {path: _steps(path) for path in loras}
    if None in steps.values():
        return sorted(steps, key=lambda path: (path.stat().st_mtime_ns, path.name))
    return sorted(steps, key=lambda path: (steps[path] or 0, path.stat().st_mtime_ns, path.name))


def _steps(path: Path) -> int | None:
    with suppress(ModelError, OSError, ValueError, KeyError):
        return int(read_header(path).metadata[STEPS_KEY])
    return None
