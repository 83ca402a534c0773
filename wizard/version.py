"""Which version this is."""

from __future__ import annotations

from importlib.metadata import PackageNotFoundError
from importlib.metadata import version as installed

UNKNOWN = "(not installed)"


def version() -> str:
    """The installed version."""
    try:
        return installed("loracle")
    except PackageNotFoundError:
        return UNKNOWN
