"""`images/left_out.json`: the training images that the user agreed to do without, so that resuming has the same set."""

from __future__ import annotations

import json
from collections.abc import Collection
from pathlib import Path

from pydantic import BaseModel, ConfigDict

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
    """The list; empty where there is no such file.

    Raises:
        RunError: the file is damaged.
    """
    try:
        return read_record(
            path, LeftOut, most_bytes=MOST_LEFT_OUT_BYTES, mend="delete it to look at all pictures again"
        )
    except FileNotFoundError:
        return LeftOut()


def write_left_out(path: Path, left_out: LeftOut) -> None:
    """Keep the list.

    Raises:
        RunError: it cannot be written.
    """
    write_record(path, json.dumps(left_out.model_dump(), indent=1) + "\n", LeftOut)
