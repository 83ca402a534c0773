"""Paths as they may leave this machine, in a LoRA's metadata or to a service: none tells whose machine it is."""

from __future__ import annotations

from pathlib import PureWindowsPath

ABOVE = ".."


def last_name(path: str) -> str:
    """What a file or folder is called, of whatever system its path is."""
    whole = PureWindowsPath(path)
    return next((part for part in reversed(whole.parts) if part not in (ABOVE, whole.anchor)), "")


def shared_folder(path: str) -> str:
    """A folder of pictures: as it lies below their own folder, or of one elsewhere its name alone."""
    whole = PureWindowsPath(path)
    is_elsewhere = bool(whole.anchor) or ABOVE in whole.parts
    return last_name(path) if is_elsewhere else path
