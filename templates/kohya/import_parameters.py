"""Import of the GUI's field of additional parameters, which is handed on to sd-scripts as it is."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


def command_line(tree: Mapping[str, Any]) -> dict[str, Any]:
    """What stands in the field of additional parameters, as keys of its own with two dashes."""
    given = tree.get("additional_parameters")
    found: dict[str, Any] = {}
    name = ""
    for word in given.replace('"', "").replace("'", "").split()[:200] if isinstance(given, str) else ():
        if word.startswith("--") and len(word) > 2:
            name, sign, value = word.partition("=")
            found[name] = value if sign else True
        elif name:
            found[name] = word if found[name] is True else f"{found[name]} {word}"
    return found
