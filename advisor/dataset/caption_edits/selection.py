"""Which pictures an edit is about."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from fnmatch import fnmatchcase

from advisor.dataset.caption_edits.caption_set import CaptionSet
from advisor.dataset.report import ImageFile
from advisor.errors import DatasetError


@dataclass(frozen=True)
class Selection:
    """Pictures by path and tags; without any condition all."""

    only: tuple[str, ...] = ()
    """Paths below the folder of pictures, or names, with `*`, `?` and `[...]` as shells have them; one of them fits."""
    having: tuple[str, ...] = ()
    """Tags that the caption has, all of them."""
    lacking: tuple[str, ...] = ()
    """Tags of which the caption has none."""
    without_caption: bool = False
    """Only pictures whose caption is missing or empty; one that cannot be read is there, and is not replaced."""

    def __bool__(self) -> bool:
        return bool(self.only or self.having or self.lacking or self.without_caption)

    def words(self) -> tuple[str, ...]:
        """The options of `loracle captions` that choose so."""
        named = (("--only", self.only), ("--with", self.having), ("--without", self.lacking))
        words = tuple(word for option, values in named for value in values for word in (option, value))
        return (*words, "--missing") if self.without_caption else words

    def chosen(self, captions: CaptionSet) -> tuple[ImageFile, ...]:
        """The pictures, in the order of their paths.

        Raises:
            DatasetError: a pattern fits no picture.
        """
        images = captions.report.image_files
        for pattern in self.only:
            if not any(is_named(image.path, pattern) for image in images):
                raise DatasetError(no_such_picture(pattern, [image.path for image in images]))
        return tuple(image for image in images if self._takes(image, captions))

    def _takes(self, image: ImageFile, captions: CaptionSet) -> bool:
        if self.only and not any(is_named(image.path, pattern) for pattern in self.only):
            return False
        if self.without_caption and (image.caption or image.path in captions.report.unread_captions):
            return False
        found = captions.captions_of(image) if self.having or self.lacking else ()
        has = [any(caption.has(tag) for caption in found) for tag in (*self.having, *self.lacking)]
        return all(has[: len(self.having)]) and not any(has[len(self.having) :])


UNCAPTIONED = Selection(without_caption=True)


def is_named(path: str, pattern: str) -> bool:
    """Whether a path below the folder of pictures, or the name at its end, is or fits what was given."""
    name, wanted = path.rpartition("/")[2], pattern.replace("\\", "/")
    return wanted in (path, name) or fnmatchcase(path, wanted) or fnmatchcase(name, wanted)


def no_such_picture(pattern: str, paths: Sequence[str]) -> str:
    """What is said of a pattern that fits none of some paths."""
    names = {path.rpartition("/")[2]: path for path in reversed(paths)}
    close = get_close_matches(pattern, [*names, *paths], n=1)
    mend = f"did you mean {close[0]}?" if close else f"there are {paths[0]} and {len(paths) - 1:,} more"
    return f"no picture is called {pattern!r}: {mend}"
