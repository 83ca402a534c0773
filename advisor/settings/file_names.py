"""Names that become files: valid on every system, and nothing else than the name of one file in one folder.

The rules of Windows: learn.microsoft.com/windows/win32/fileio/naming-a-file.
"""

from __future__ import annotations

import re

from advisor.shown_text import visible_line

CONFIG_NAME = "loracle.toml"
"""The settings of a run, in its folder; a folder of pictures in which it lies is a run."""
MOST_LETTERS = 120
MOST_BYTES = 200
"""In UTF-8; with `-step00000008-diffusers.safetensors` behind it a name has at most 255, as file systems take."""
FORBIDDEN = re.compile(r'[/\\:*?"<>|\x00-\x1f]')
_PORTS = "123456789\u00b9\u00b2\u00b3"
RESERVED = {"con", "prn", "aux", "nul", "conin$", "conout$"} | {
    f"{port}{number}" for port in ("com", "lpt") for number in _PORTS
}
"""Windows reserves these for devices, with any ending."""


def fault(name: str) -> str | None:
    """Why a name cannot be a file's, as the end of a sentence about it; None where it can."""
    if not name.strip():
        return "give it a name, e.g. mira"
    if len(name) > MOST_LETTERS or len(name.encode("utf-8", "surrogatepass")) > MOST_BYTES:
        return f"it is too long for a file name: {MOST_LETTERS} letters and {MOST_BYTES} bytes at most"
    if (bad := FORBIDDEN.search(name)) is not None:
        return f"it becomes a file name, which cannot hold {bad.group()!r}: leave that out"
    if visible_line(name) != name:
        return "it becomes a file name and holds letters that nobody sees: write it anew"
    if name != name.strip() or name.endswith("."):
        return "it becomes a file name, which cannot begin or end with a blank or end with a point: leave them out"
    if name.startswith("-"):
        return "it becomes a file name, which programs take for an option when it begins with -: leave that out"
    if name.split(".", maxsplit=1)[0].rstrip().lower() in RESERVED or not name.strip("."):
        return "not every system takes this as a file name: choose another, e.g. mira"
    return None
