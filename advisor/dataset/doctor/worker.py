"""`python -P -m advisor.dataset.doctor.worker`: measures pictures whose paths come as JSON, some in a list on each
line, and answers each picture with a line: the facts, or a small copy for a page. A list's answers are written at once.

The parent kills it where a picture takes too long, and starts another.
"""

from __future__ import annotations

import base64
import io
import json
import sys
from pathlib import Path
from typing import Any

from PIL import Image, ImageOps

from advisor.dataset.doctor.measure import measure
from advisor.dataset.doctor.pixel_facts import as_plain
from advisor.dataset.picture_file import opened_picture
from advisor.dataset.pixels import in_rgb

MOST_BYTES_OF_MEMORY = 6 * 1024**3
"""Of a worker; the largest picture that is opened needs about half of it."""
THUMBNAIL_QUALITY = 78


def main() -> None:
    """Answer every line of stdin until it ends."""
    _limit_memory()
    for line in sys.stdin.buffer:
        answers = [json.dumps(_answer(request)) + "\n" for request in json.loads(line)]
        sys.stdout.buffer.write("".join(answers).encode())
        sys.stdout.buffer.flush()


def _answer(request: dict[str, Any]) -> dict[str, Any]:
    path, side = Path(request["path"]), request.get("thumbnail_px")
    return thumbnail(path, side) if side else as_plain(measure(path))


def thumbnail(path: Path, side: int) -> dict[str, Any]:
    """A small JPEG of a picture, as base64; empty where it cannot be decoded.

    Args:
        side: the longer one, in pixels.
    """
    try:
        with opened_picture(path) as image:
            image.draft("RGB", (2 * side, 2 * side))
            small = in_rgb(ImageOps.exif_transpose(image))
            small.thumbnail((side, side), Image.Resampling.BICUBIC)
        file = io.BytesIO()
        small.save(file, "JPEG", quality=THUMBNAIL_QUALITY, optimize=True)
    except Exception:  # a broken file can trip Pillow's parsers in any way
        return {"jpeg": ""}
    return {"jpeg": base64.b64encode(file.getvalue()).decode("ascii")}


def _limit_memory() -> None:
    if sys.platform == "linux":
        import resource  # noqa: PLC0415  (not on Windows)

        resource.setrlimit(resource.RLIMIT_AS, (MOST_BYTES_OF_MEMORY, MOST_BYTES_OF_MEMORY))


if __name__ == "__main__":
    main()
