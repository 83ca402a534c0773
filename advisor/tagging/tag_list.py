"""`selected_tags.csv`: what the numbers that a tagger gives stand for, in their order."""

from __future__ import annotations

import csv
import io
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from advisor.errors import ModelError
from advisor.files import read_bounded
from advisor.shown_text import short_text, visible_line
from advisor.units import MIB

TagKind = Literal["general", "character", "rating", "other"]
KINDS: dict[str, TagKind] = {"0": "general", "4": "character", "9": "rating"}
"""Danbooru's numbers of categories, and 9, which the makers of these taggers gave to ratings; others are `other`:
artists, series, words about the picture itself."""
NAME, CATEGORY = "name", "category"
MOST_BYTES = 32 * MIB
MOST_TAGS = 500_000
LONGEST_NAME = 300
"""Letters; the longest tag of Danbooru has some 170."""
MEND = "take the selected_tags.csv that came with the model"


@dataclass(frozen=True, slots=True)
class Tag:
    """A tag that a tagger knows."""

    name: str
    """As the file has it, with underscores."""
    kind: TagKind


def read_tag_list(path: Path) -> tuple[Tag, ...]:
    """The tags of a tagger, in the order of its output.

    Raises:
        ModelError: the file cannot be read, or is no such list.
    """
    try:
        content = read_bounded(path, MOST_BYTES)
    except OSError as error:
        raise ModelError(f"{path} cannot be read: {error.strerror or error}: {MEND}") from None
    try:
        return tuple(_tags(content.decode("utf-8-sig")))
    except UnicodeDecodeError:
        why = "it is not UTF-8"
    except (csv.Error, ValueError) as error:
        why = str(error)
    raise ModelError(f"{path} is no list of tags ({why}): {MEND}")


def _tags(text: str) -> list[Tag]:
    rows = csv.reader(io.StringIO(text, newline=""), strict=True)
    header = [cell.strip().lower() for cell in next(rows, [])]
    if NAME not in header or CATEGORY not in header:
        raise ValueError(f"its first line has no {NAME} and {CATEGORY}, but {short_text(','.join(header))!r}")
    name_at, category_at = header.index(NAME), header.index(CATEGORY)
    found = list[Tag]()
    for number, row in enumerate(rows, start=2):
        if not row:
            continue
        if len(row) != len(header):
            raise ValueError(f"line {number} has {len(row)} columns and not {len(header)}")
        name = row[name_at].strip()
        if not name or len(name) > LONGEST_NAME or visible_line(name) != name:
            raise ValueError(f"the tag of line {number} is empty, too long, or has letters that cannot be shown")
        found.append(Tag(name, KINDS.get(row[category_at].strip(), "other")))
        if len(found) > MOST_TAGS:
            raise ValueError(f"it has more than {MOST_TAGS:,} tags")
    if not found:
        raise ValueError("it has no tags")
    return found
