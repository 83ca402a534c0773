"""Checks before a training whether the disk has room for what the plan will write."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

from advisor.run_folder.layout import RunFolder
from advisor.units import MIB, size

MARGIN_BYTES = 256 * MIB
"""Must stay free beside what the run writes."""


def disk_warning(run: RunFolder) -> str | None:
    """A warning where the disk lacks room for the rest of the run; None where it has, or nothing is known."""
    plan = run.known_plan()
    if plan is None or plan.fields.estimate is None or plan.fields.estimate.disk_bytes is None:
        return None
    try:
        free = shutil.disk_usage(run.path).free
    except OSError:
        return None
    needed = plan.fields.estimate.disk_bytes - _written(run.path)
    if needed + MARGIN_BYTES <= free:
        return None
    return (
        f"The disk of {run.path} has {size(free)} free, and about {size(max(0, needed))} will be written. If it fills "
        "up, training waits until there is room: free some now, or keep fewer epochs (saving.keep_last)"
    )


def _written(run: Path) -> int:
    """Bytes of all files in a run folder."""
    found = 0
    for folder, _, names in os.walk(run):
        for name in names:
            try:
                found += (Path(folder) / name).lstat().st_size
            except OSError:
                continue
    return found
