"""What is measured of one picture by decoding it, and how that is written down."""

from __future__ import annotations

import base64
from dataclasses import dataclass, fields
from typing import Any, Literal

from pydantic import ConfigDict, TypeAdapter, with_config

from advisor.dataset.near_duplicates.fingerprint import NUM_BYTES, Fingerprint
from advisor.json_text import parse_json

FACTS_VERSION = 4
"""Goes up when something else is measured: what was kept is then measured anew."""

Decoding = Literal["whole", "truncated", "broken", "gave up"]


@with_config(ConfigDict(revalidate_instances="always"))
@dataclass(frozen=True, slots=True)
class PixelFacts:
    """One picture, decoded."""

    decoding: Decoding
    """truncated: its end is missing; gave up: it took too long, or the decoder crashed."""
    why: str = ""
    """What the decoder said; empty where all is well."""
    sha256: str = ""
    """Of the file's bytes."""
    format: str = ""
    """Pillow's name of what the content is."""
    mode: str = ""
    """Pillow's name of its colours before they are brought into RGB."""
    is_deep: bool = False
    """It has more than 8 bits for each colour."""
    profile: str = ""
    """The name of a colour profile that is not sRGB."""
    is_turned: bool = False
    """A camera's mark says which way is up."""
    width_px: int = 0
    height_px: int = 0
    """Upright."""
    cells: bytes = b""
    """As `Fingerprint` has them."""
    blur: float | None = None
    """As `pixel_measures.blur`, at about the size that it is trained at."""
    blocks: float | None = None
    """As `pixel_measures.jpeg_blocks`; None where it was decoded at less than a half."""
    bars: tuple[int, int, int, int] = (0, 0, 0, 0)
    """As `side_bars.bars`, in pixels of the picture."""
    panels: tuple[float, float] = (0.0, 0.0)
    """As `side_bars.panels`."""
    corners: bytes = b""
    """As `pixel_measures.corner_edges`."""

    @property
    def is_usable(self) -> bool:
        """Whether all of it could be decoded."""
        return self.decoding == "whole"

    @property
    def fingerprint(self) -> Fingerprint:
        """By which it is compared with others."""
        return Fingerprint(self.width_px, self.height_px, self.cells)


ADAPTER = TypeAdapter(PixelFacts)


def as_plain(facts: PixelFacts) -> dict[str, Any]:
    """The facts as JSON has values."""
    values = ((field.name, getattr(facts, field.name)) for field in fields(facts))
    return {
        name: base64.b64encode(value).decode("ascii") if isinstance(value, bytes) else value for name, value in values
    }


def from_text(text: bytes) -> PixelFacts | None:
    """The facts that were written as JSON; None where they are damaged."""
    try:
        tree = parse_json(text)
        if not isinstance(tree, dict):
            return None
        for name in ("cells", "corners"):
            tree[name] = base64.b64decode(tree[name], validate=True)
        facts = ADAPTER.validate_python(
            PixelFacts(**{**tree, "bars": tuple(tree["bars"]), "panels": tuple(tree["panels"])}), strict=True
        )
    except (ValueError, TypeError, KeyError):  # pydantic's errors are ValueErrors
        return None
    is_shown = len(facts.cells) == NUM_BYTES and min(facts.width_px, facts.height_px) > 0
    return facts if is_shown or not facts.is_usable else None
