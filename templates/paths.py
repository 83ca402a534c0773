"""Absolute paths."""

from __future__ import annotations

import os
from pathlib import Path


def absolute(path: Path) -> Path:
    """From the root, without `..`; links stay links, which `Path.resolve` would follow."""
    return Path(os.path.abspath(path))  # noqa: PTH100
