"""Findings that the user keeps as they are, in the user's data folder: by the folder of pictures that they are of."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

from advisor.data_folder import data_folder
from advisor.dataset.doctor.examine import Waiver
from advisor.files import read_bounded, write_atomically
from advisor.json_text import Malformed, parse_json

WAIVERS_NAME = "waivers.json"
MOST_BYTES = 16 * 1024**2


def read_waivers(root: str) -> tuple[Waiver, ...]:
    """The waivers for a folder; none where the file is not there or damaged."""
    return tuple(
        Waiver(one["code"], one["file"], one["reason"])
        for one in _all().get(root, [])
        if isinstance(one, dict) and all(isinstance(one.get(name), str) for name in ("code", "file", "reason"))
    )


def add_waivers(root: str, waivers: tuple[Waiver, ...]) -> None:
    """Keep more of them; one of the same code and file is replaced.

    Raises:
        RunError: the file cannot be written.
    """
    kept = {(one.code, one.file): one for one in (*read_waivers(root), *waivers)}
    tree = _all() | {root: [asdict(one) for one in kept.values()]}
    write_atomically(_path(), json.dumps(tree, indent=1) + "\n")


def _all() -> dict[str, list[Any]]:
    try:
        tree = parse_json(read_bounded(_path(), MOST_BYTES))
    except (OSError, Malformed):
        return {}
    if not isinstance(tree, dict):
        return {}
    return {root: found for root, found in tree.items() if isinstance(root, str) and isinstance(found, list)}


def _path() -> Path:
    return data_folder() / WAIVERS_NAME
