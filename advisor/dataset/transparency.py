"""Whether pictures are transparent anywhere: many have an alpha channel that is opaque throughout."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from advisor.dataset.picture_file import opened_picture

MOST_PIXELS_LOOKED_AT = 64_000_000
"""Of one data set: a second or two. The pictures beyond count as opaque; where these are transparent, some of the first
are."""
OPAQUE = 255


@dataclass
class TransparencyCheck:
    """Decodes pictures that have an alpha channel, as many as one scan may."""

    left: int = MOST_PIXELS_LOOKED_AT
    """Pixels that may still be decoded."""

    def look(self, path: Path, num_pixels: int) -> bool:
        """Whether the picture is transparent in places; False where that was not looked at or it cannot be decoded."""
        if num_pixels > self.left:
            return False
        self.left -= num_pixels
        try:
            with opened_picture(path) as picture:
                least = picture.convert("RGBA").getchannel("A").getextrema()[0]
        except Exception:  # a broken file can trip Pillow's parsers in any way, and is told when pictures are checked
            return False
        return isinstance(least, int) and least < OPAQUE
