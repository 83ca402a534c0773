"""Picture files that are small and yet take a decoder hours, or all memory: told by how they are built.

A picture's pixels are bounded by `picture_file`; these are what else a file may have without end.
"""

from __future__ import annotations

import os
from typing import BinaryIO

MOST_BYTES = 2 * 1024**3
"""The largest picture in 16 bits and four channels, not even packed, needs less."""
MOST_BYTES_READ_WHOLE = 768 * 1024**2
"""Of the kinds that Pillow reads into memory to tell their size: the largest picture in 8 bits and four channels."""
MOST_SCANS = 200
"""Of a progressive JPEG: encoders make 10 to 20. An empty scan takes 60 bytes, and a pass over the whole picture."""
MOST_PNG_CHUNKS = 1_000_000
"""The largest picture in the 8 KiB that libpng writes at once has a fifth of it."""
MOST_PNG_EXTRAS = 10_000
"""Chunks that hold no pixels, each of which Pillow keeps."""

_SIGNATURE = b"\x89PNG\r\n\x1a\n"
_PIXELS = frozenset((b"IDAT", b"fdAT", b"fcTL"))
"""Chunks of pixels, and of an animation's frames (w3.org/TR/png-3, 11)."""
_SCAN = b"\xff\xda"
"""The mark of a scan; within one a byte 0xFF is followed by 0 or a restart's number (ITU-T T.81, B.1.1)."""
_PIECE_BYTES = 1024**2


class UnsafePicture(Exception):
    """A picture that would take too much to decode; says why, and the mend."""


class EndlessPicture(UnsafePicture):
    """What a file has too much of, as a sentence that begins with `it`, and the mend."""

    def __init__(self, found: str) -> None:
        super().__init__(f"{found}, as no honest picture has: save it anew in an image editor, or leave it out")


def refuse_large(file: BinaryIO) -> None:
    """Refuse a file of more bytes than a picture of its kind can have; it is read from its start afterwards.

    Raises:
        EndlessPicture: it has more.
    """
    head = file.read(12)
    size = file.seek(0, os.SEEK_END)
    file.seek(0)
    is_read_whole = head[:4] == b"RIFF" or head[4:8] == b"ftyp"
    most = MOST_BYTES_READ_WHOLE if is_read_whole else MOST_BYTES
    if size > most:
        raise EndlessPicture(f"it has more than {most:,} bytes")


def refuse_many_chunks(file: BinaryIO, *, before_pixels: bool) -> None:
    """Refuse a PNG of endless chunks; any other file passes. The file is read from its start afterwards.

    Args:
        before_pixels: look no further than the first chunk of pixels.

    Raises:
        EndlessPicture: it has too many.
    """
    if file.read(len(_SIGNATURE)) == _SIGNATURE:
        number = extras = 0
        while len(head := file.read(8)) == 8:
            is_pixels = head[4:] in _PIXELS
            if head[4:] == b"IEND" or (is_pixels and before_pixels):
                break
            number, extras = number + 1, extras + (not is_pixels)
            if extras > MOST_PNG_EXTRAS:
                raise EndlessPicture(f"it has more than {MOST_PNG_EXTRAS:,} chunks without pixels")
            if number > MOST_PNG_CHUNKS:
                raise EndlessPicture(f"it has more than {MOST_PNG_CHUNKS:,} chunks")
            file.seek(int.from_bytes(head[:4], "big") + 4, os.SEEK_CUR)
    file.seek(0)


def refuse_many_scans(file: BinaryIO) -> None:
    """Refuse a progressive JPEG of endless scans; where the file stands is left as it was.

    Raises:
        EndlessPicture: it has too many.
    """
    before, scans, last = file.tell(), 0, b""
    file.seek(0)
    while piece := file.read(_PIECE_BYTES):
        scans += (last + piece).count(_SCAN)
        last = piece[-1:]
        if scans > MOST_SCANS:
            raise EndlessPicture(f"it has more than {MOST_SCANS} scans")
    file.seek(before)
