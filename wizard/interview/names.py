"""Names for LoRAs and presets: valid as a file name on every system."""

from __future__ import annotations

import re

from advisor.errors import ConfigError

LONGEST = 120
"""Characters; with folders and `-000010.safetensors` around it this stays below what file systems take."""
FORBIDDEN = re.compile(r'[/\\:*?"<>|\x00-\x1f]')
RESERVED = {"con", "prn", "aux", "nul"} | {f"{port}{number}" for port in ("com", "lpt") for number in range(1, 10)}
"""Windows reserves these for devices."""
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
    if not plain:
        raise ConfigError("name", name, "give it a name, e.g. mira")
    if len(plain.encode("utf-8", "replace")) > LONGEST:
        raise ConfigError("name", plain[:20] + "...", f"it is too long for a file name: {LONGEST} bytes at most")
    if (bad := FORBIDDEN.search(plain)) is not None:
        raise ConfigError("name", plain, f"it becomes a file name, which cannot hold {bad.group()!r}: leave that out")
    if plain.split(".")[0].lower() in RESERVED or plain.endswith(".") or plain.startswith((".", "-")):
        raise ConfigError("name", plain, "not every system takes this as a file name: choose another, e.g. mira")
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
