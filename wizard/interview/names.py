"""Names for LoRAs and presets: valid as a file name on every system."""

from __future__ import annotations

import re

from advisor.errors import ConfigError
from advisor.settings.file_names import FORBIDDEN, fault

LONGEST = 120
"""Bytes; with folders and `-000010.safetensors` around it this stays below what every system takes as a path."""
KOHYA_FOLDER = re.compile(r"\d+_(?P<concept>.+)")
EMPTY_WORDS = {
    "img",
    "image",
    "images",
    "picture",
    "pictures",
    "pics",
    "bilder",
    "train",
    "training",
    "dataset",
    "data",
}
"""Folder names that say nothing about the images in them."""


def checked_name(name: str) -> str:
    """`name` without surrounding blanks.

    Raises:
        ConfigError: it is no valid file name.
    """
    plain = name.strip()
    found = fault(plain)
    if found is None and len(plain.encode("utf-8", "replace")) > LONGEST:
        found = f"it is too long for a file name: {LONGEST} bytes at most"
    if found is None and plain.startswith("."):
        found = "a file whose name begins with a point is hidden on many systems: choose another, e.g. mira"
    if found is not None:
        raise ConfigError("name", plain if len(plain) <= LONGEST else plain[:20] + "...", found)
    return plain


def proposed_name(folder: str, concepts: tuple[str, ...] = ()) -> str:
    """A name derived from the image folder's; empty where that is a generic one.

    Args:
        folder: the folder's path, with forward slashes or backslashes.
        concepts: what kohya's `N_name` folders in it are called.
    """
    if len(set(concepts)) == 1 and concepts[0]:
        return _as_name(concepts[0])
    for part in reversed(re.split(r"[/\\]+", folder.rstrip("/\\"))):
        match = KOHYA_FOLDER.fullmatch(part)
        name = _as_name(match["concept"] if match else part)
        if name and name.lower() not in EMPTY_WORDS:
            return name
    return ""


def _as_name(text: str) -> str:
    plain = re.sub(r"\s+", "_", FORBIDDEN.sub("", text).strip(" .-"))
    return plain if len(plain.encode("utf-8", "replace")) <= LONGEST else ""
