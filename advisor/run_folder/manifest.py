"""`images/manifest.jsonl` read again: the images that were trained, as the training saw them."""

from __future__ import annotations

from pathlib import Path

from pydantic import ValidationError

from advisor.files import read_bounded
from advisor.json_text import Malformed
from advisor.run_folder.record import Count, Record, Text, parse_record
from advisor.units import MIB

MOST_MANIFEST_BYTES = 64 * MIB
"""No honest one is larger: an image takes a few hundred bytes."""


class ManifestLine(Record):
    """An image of the training."""

    path: Text
    size: tuple[Count, Count] = (0, 0)
    bucket: tuple[Count, Count] = (0, 0)
    repeats: Count = 1
    caption: Text | None = None
    use: Text = "training"


def read_manifest_lines(path: Path) -> tuple[ManifestLine, ...]:
    """The images in a manifest; none where it is not there or cannot be read, and damaged lines are passed over."""
    try:
        content = read_bounded(path, MOST_MANIFEST_BYTES)
    except OSError:
        return ()
    found = list[ManifestLine]()
    for line in content.splitlines():
        try:
            found.append(parse_record(line, ManifestLine))
        except (Malformed, ValidationError):
            continue
    return tuple(found)
