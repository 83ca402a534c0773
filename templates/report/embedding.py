"""Pictures as they are embedded in a page: shrunk until all of them together stay below a bound."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path

from PIL import Image

from advisor.dataset.picture_file import opened_picture, tells_transparency
from templates.report.pictures import spread

MOST_PAGE_BYTES = 15 * 10**6
"""A page is at most so large, so that it can be sent."""
MOST_BYTES = 10 * 10**6
"""Of all pictures together; base64 makes four bytes of three."""
MOST_PIXELS = 4096 * 4096
"""No family draws larger ones; decoding one takes up to 64 MiB."""
TRIED = 8
"""Pictures by which it is told how far all are to be shrunk."""


@dataclass(frozen=True)
class Shrink:
    """How far pictures are shrunk."""

    longest_px: int
    """Their longer side at most."""
    quality: int
    """JPEG's, 0..95: a WebP of the same quality is a quarter smaller, and takes ten times as long to make."""
    lossless_px: int = 0
    """Pictures up to this size are kept to the pixel, as WebP."""


SHRINKS = (
    Shrink(1024, 88, lossless_px=256), Shrink(768, 85, lossless_px=160), Shrink(640, 80), Shrink(512, 75),
    Shrink(384, 68), Shrink(320, 62), Shrink(256, 60), Shrink(160, 45),
)  # fmt: skip
"""The largest first. 240 pictures of noise, which compress worst, fit the last but one."""


@dataclass(frozen=True)
class Embedded:
    """A picture within a page."""

    url: str
    width_px: int
    height_px: int


@dataclass(frozen=True)
class _File:
    kind: str
    content: bytes
    size: tuple[int, int]

    def embedded(self) -> Embedded:
        text = b64encode(self.content).decode("ascii")
        return Embedded(f"data:{self.kind};base64,{text}", *self.size)


def embedded(paths: Sequence[Path], most_bytes: int = MOST_BYTES) -> Mapping[Path, Embedded]:
    """The pictures as URLs of their own; those that cannot be read are left out, and so are the last where even the
    smallest are too many.
    """
    distinct = tuple(dict.fromkeys(paths))
    for shrink in SHRINKS[_first_shrink(distinct, most_bytes) :]:
        found = dict[Path, Embedded]()
        left = most_bytes
        for path in distinct:
            if (picture := _shrunk(path, shrink)) is None:
                continue
            left -= len(picture.content)
            if left < 0:
                break
            found[path] = picture.embedded()
        if left >= 0 or shrink == SHRINKS[-1]:
            return found
    raise AssertionError("the last shrink returns")


def _first_shrink(paths: Sequence[Path], most_bytes: int) -> int:
    """The number of the first shrink with which all may fit, by a few of them."""
    few = spread(tuple(paths), TRIED)
    for number, shrink in enumerate(SHRINKS[:-1]):
        sizes = [len(found.content) for path in few if (found := _shrunk(path, shrink)) is not None]
        if sum(sizes) * len(paths) <= most_bytes * max(1, len(sizes)):
            return number
    return len(SHRINKS) - 1


def _shrunk(path: Path, shrink: Shrink) -> _File | None:
    """The picture as it is embedded; None: it is none that can be read."""
    try:
        with opened_picture(path) as image:
            if image.width * image.height > MOST_PIXELS:
                return None
            plain = _opaque(image)
    except Exception:  # a broken file can trip Pillow's parsers in any way
        return None
    is_small = max(plain.size) <= shrink.lossless_px
    plain.thumbnail((shrink.longest_px, shrink.longest_px), Image.Resampling.LANCZOS)
    file = BytesIO()
    if is_small:
        plain.save(file, "WEBP", lossless=True, quality=50)
    else:
        plain.save(file, "JPEG", quality=shrink.quality)
    return _File("image/webp" if is_small else "image/jpeg", file.getvalue(), plain.size)


def _opaque(image: Image.Image) -> Image.Image:
    """In RGB, what is transparent on white."""
    if not tells_transparency(image):
        return image.convert("RGB")
    layer = image.convert("RGBA")
    ground = Image.new("RGB", layer.size, "white")
    ground.paste(layer, mask=layer.getchannel("A"))
    return ground
