"""How large a picture is, and whether it has an alpha channel or several frames, from the first bytes of its file: no
pixel is decoded.
"""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from PIL import Image, UnidentifiedImageError

from advisor.dataset.picture_file import identified, refuse_too_many, tells_transparency
from advisor.dataset.picture_limits import UnsafePicture, refuse_large
from advisor.files import open_regular

IMAGE_EXTENSIONS = (".png", ".jpg", ".jpeg", ".webp", ".bmp", ".avif")
"""What is taken for a picture, in lower case: what both our trainer and kohya's read."""

ORIENTATION = 274
"""The EXIF tag with the way a camera was held (EXIF 2.32, 4.6.4): 5 to 8 lie on their side."""

PNG_TAIL_BYTES = 4096
"""How far from its end a PNG is searched for EXIF data: some programs write it after the pixels."""

HEAD_BYTES = 30
"""As much of a WebP file as holds its size in each of its three kinds."""


class UnusablePicture(Exception):
    """A file that is no usable picture; `code` is the problem's code in a report."""

    def __init__(self, code: str, message: str) -> None:
        """Keep the code beside the sentence for the user."""
        self.code = code
        super().__init__(message)


@dataclass(frozen=True, slots=True)
class PictureHead:
    """What a picture's file says before its pixels."""

    width_px: int
    height_px: int
    """As the picture is shown: a camera's orientation mark is taken into account."""
    has_alpha: bool = False
    is_animated: bool = False


def picture_head(path: Path) -> PictureHead:
    """Size, alpha channel and frames of a picture.

    Raises:
        UnusablePicture: the file cannot be read or is no picture.
    """
    try:
        with open_regular(path) as file:
            refuse_large(file)
            head = _webp_head(file) or _head_by_pillow(file)
        refuse_too_many((head.width_px, head.height_px))
        return head
    except UnusablePicture:
        raise
    except UnsafePicture as error:
        raise UnusablePicture("huge_picture", str(error)) from error
    except OSError as error:
        raise _unreadable(error, path) from error
    except Exception as error:  # a broken file can trip Pillow's parsers in any way
        raise UnusablePicture("unreadable_picture", _broken(str(error))) from error


def _head_by_pillow(file: BinaryIO) -> PictureHead:
    with identified(file) as picture:
        width, height = picture.size
        # Not picture.getexif(): for a PNG that decodes the pixels first.
        orientation = Image.Image.getexif(picture).get(ORIENTATION, 1)
        if orientation == 1 and picture.format == "PNG":
            orientation = _orientation_after_the_pixels(file)
        has_alpha, is_animated = tells_transparency(picture), bool(getattr(picture, "is_animated", False))
    if width < 1 or height < 1:
        raise UnusablePicture("unreadable_picture", _broken(f"its size is {width} x {height}"))
    width, height = (height, width) if orientation in (5, 6, 7, 8) else (width, height)
    return PictureHead(width, height, has_alpha, is_animated)


def _orientation_after_the_pixels(file: BinaryIO) -> int:
    """The mark in a PNG's last bytes; 1, upright, where there is none."""
    end = file.seek(0, os.SEEK_END)
    file.seek(max(0, end - PNG_TAIL_BYTES))
    tail = file.read()
    start = tail.rfind(b"eXIf")
    if start < 4:
        return 1
    length = int.from_bytes(tail[start - 4 : start], "big")
    exif = Image.Exif()
    exif.load(tail[start + 4 : start + 4 + length])
    orientation = exif.get(ORIENTATION, 1)
    return orientation if isinstance(orientation, int) else 1


def _webp_head(file: BinaryIO) -> PictureHead | None:
    """Of a WebP file without metadata; None for all others.

    Pillow reads a WebP file to its end and makes its canvas, which takes a minute too long for 100,000 of them.
    The three kinds of header: developers.google.com/speed/webp/docs/riff_container.
    """
    head = file.read(HEAD_BYTES)
    file.seek(0)
    if len(head) < HEAD_BYTES or head[:4] != b"RIFF" or head[8:12] != b"WEBP":
        return None
    kind = head[12:16]
    if kind == b"VP8 " and head[23:26] == b"\x9d\x01\x2a":
        width, height = (int.from_bytes(head[at : at + 2], "little") & 0x3FFF for at in (26, 28))
        return PictureHead(width, height)
    if kind == b"VP8L" and head[20] == 0x2F:
        bits = int.from_bytes(head[21:25], "little")
        return PictureHead((bits & 0x3FFF) + 1, (bits >> 14 & 0x3FFF) + 1, has_alpha=bool(bits >> 28 & 1))
    has_exif_or_xmp = head[20] & 0x0C
    if kind == b"VP8X" and not has_exif_or_xmp:
        width, height = (int.from_bytes(head[at : at + 3], "little") + 1 for at in (24, 27))
        return PictureHead(width, height, has_alpha=bool(head[20] & 0x10), is_animated=bool(head[20] & 0x02))
    return None


def _unreadable(error: OSError, path: Path) -> UnusablePicture:
    if not isinstance(error, UnidentifiedImageError) and error.errno is not None:
        return UnusablePicture("unreadable_picture", f"the file cannot be read: {error.strerror or error}")
    start = _first_bytes(path)
    if not start:
        return UnusablePicture("empty_picture", "the file holds nothing (0 bytes): copy or download it again")
    if re.match(rb"\s*<(!doctype|html|head|\?xml|svg)", start, re.IGNORECASE):
        return UnusablePicture("unreadable_picture", _broken("it holds a web page or a drawing in text"))
    if start[:4] == b"GIF8":
        return UnusablePicture("unreadable_picture", "the file is a GIF by its content: save it as .png")
    if start[:4] in (b"II*\0", b"MM\0*"):
        return UnusablePicture("unreadable_picture", "the file is a TIFF by its content: save it as .png")
    if start[4:12] in (b"ftypheic", b"ftypheix", b"ftypmif1", b"ftyphevc"):
        return UnusablePicture("unreadable_picture", "the file is a HEIC photo by its content: save it as .jpg or .png")
    return UnusablePicture("unreadable_picture", _broken("its first bytes are no picture's or are cut off"))


def _broken(found: str) -> str:
    return f"the file is no picture or a broken one ({found}): copy or download it again, or leave it out"


def _first_bytes(path: Path) -> bytes:
    try:
        with open_regular(path) as file:
            return file.read(64)
    except OSError:
        return b""
