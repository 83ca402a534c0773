"""`images/left_out.json`: the training images that the user agreed to do without, so that resuming has the same set."""

from __future__ import annotations

import json
from collections.abc import Collection
from pathlib import Path

from pydantic import BaseModel, ConfigDict

from advisor.files import file_digest
from advisor.run_folder.record import Text, read_record, write_record

MOST_LEFT_OUT_BYTES = 64 * 1024**2
"""No honest list is larger."""


class LeftOutImage(BaseModel):
    """One image that is not trained on."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    path: Text
    """Absolute."""
    why: Text
    """What is wrong with it, or with its mask."""
    content: Text = ""
    """The sha256 of its file; empty where that is not known, as in lists of earlier versions."""

    @property
    def is_replaced(self) -> bool:
        """Whether another file has its path by now, which may be whole."""
        try:
            return bool(self.content) and file_digest(Path(self.path)) != self.content
        except (OSError, ValueError):
            return False


class LeftOut(BaseModel):
    """All images of a run that are left out."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    images: tuple[LeftOutImage, ...] = ()

    @property
    def paths(self) -> frozenset[str]:
        """The images' paths."""
        return frozenset(image.path for image in self.images)

    def without(self, paths: Collection[str]) -> LeftOut:
        """The list without the images of these paths, which are then looked at again."""
        return LeftOut(images=tuple(image for image in self.images if image.path not in paths))

    def with_more(self, images: tuple[LeftOutImage, ...]) -> LeftOut:
        """The list with more images at its end."""
        return LeftOut(images=(*self.images, *images))


def read_left_out(path: Path) -> LeftOut:
    """The list without those in whose place another file lies by now; empty where there is no such list.

    Raises:
        RunError: the file is damaged.
    """
    try:
        found = read_record(
            path, LeftOut, most_bytes=MOST_LEFT_OUT_BYTES, mend="delete it to look at all pictures again"
        )
    except FileNotFoundError:
        return LeftOut()
    return found.without([image.path for image in found.images if image.is_replaced])


def write_left_out(path: Path, left_out: LeftOut) -> None:
    """Keep the list.

    Raises:
        RunError: it cannot be written.
    """
    write_record(path, json.dumps(left_out.model_dump(), indent=1) + "\n", LeftOut)
