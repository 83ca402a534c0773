"""Whether a planned run has room on its disk, asked once more when it begins."""

from __future__ import annotations

import os
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from advisor.units import MIB, size

MARGIN_BYTES = 256 * MIB
"""Beside what the run will write."""


def short_of_room(run: Path, record: Mapping[str, Any] | None) -> str | None:
    """What to say where the disk has not the room that the plan needs; None where it has, or nothing is known.

    Args:
        record: the run's plan.json.
    """
    estimate = (record or {}).get("estimate")
    planned = estimate.get("disk_bytes") if isinstance(estimate, Mapping) else None
    if not isinstance(planned, int):
        return None
    try:
        free = shutil.disk_usage(run).free
    except OSError:
        return None
    needed = planned - _written(run)
    if needed + MARGIN_BYTES <= free:
        return None
    return (
        f"The disk of {run} has {size(free)} free, and about {size(max(0, needed))} will be written. If it fills up, "
        "training waits until there is room: free some now, or keep fewer epochs (saving.keep_last)"
    )


def _written(run: Path) -> int:
    """Bytes that lie in a run folder already."""
    found = 0
    for folder, _, names in os.walk(run):
        for name in names:
            try:
                found += (Path(folder) / name).lstat().st_size
            except OSError:
                continue
    return found
