"""Picture files looked at on the disk: stamp and content, read only where these are not known already."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from itertools import islice
from pathlib import Path

from advisor.dataset.edits import Edits, PictureEdit, SeenPicture
from advisor.dataset.file_stamp import Stamp, stamp_of
from advisor.dataset.report import DatasetReport
from advisor.files import file_digest

READERS = 4
"""Threads that read files at the same time."""
MOST_TWINS = 64
"""Of a picture so many others with the same bytes are kept."""


@dataclass
class DiskLook:
    """Looks at files once, and remembers."""

    known: Mapping[str, SeenPicture] = field(default_factory=dict)
    """Files by path as they were before: where a stamp is the same, so is the content."""
    _stamps: dict[str, Stamp | None] = field(default_factory=dict)
    _contents: dict[str, str | None] = field(default_factory=dict)

    def stamp(self, path: str) -> Stamp | None:
        """None where there is no such file."""
        if path not in self._stamps:
            self._stamps[path] = stamp_of(Path(path))
        return self._stamps[path]

    def content(self, path: str) -> str | None:
        """The sha256 of its bytes; None where it cannot be read."""
        if path not in self._contents:
            known, stamp = self.known.get(path), self.stamp(path)
            if known is not None and stamp is not None and stamp.is_surely(known.stamp):
                self._contents[path] = known.content
            else:
                self._contents[path] = _digest(path)
        return self._contents[path]

    def read_ahead(self, paths: Iterable[str]) -> None:
        """Read these files at the same time, so that `content` is there when asked for."""
        with ThreadPoolExecutor(READERS) as pool:
            list(pool.map(self.content, dict.fromkeys(paths)))

    def seen(self, path: str) -> SeenPicture | None:
        """The file as it is now; None where it cannot be read."""
        stamp, content = self.stamp(path), self.content(path)
        return None if stamp is None or content is None else SeenPicture.of(content, stamp)


def look_with(edits: Edits) -> DiskLook:
    """A look that knows the files that were edited."""
    return DiskLook({path: edit.seen for path, edit in edits.by_path.items() if edit.seen is not None})


def with_seen(edits: Iterable[PictureEdit], files: DatasetReport, known: Edits) -> Iterator[PictureEdit]:
    """Each edit with its picture's file and, where it edits the caption, the text of the caption file now.

    Args:
        files: without edits.
        known: what was edited before; what of it is still so is not repeated.
    """
    made, look = list(edits), look_with(known)
    captions = {files.path_of(image): image.caption for image in files.image_files}
    sizes = {stamp.num_bytes for edit in made if (stamp := look.stamp(edit.path)) is not None}
    alike = [path for path in captions if (stamp := look.stamp(path)) is not None and stamp.num_bytes in sizes]
    look.read_ahead([*alike, *(edit.path for edit in made)])
    by_content = defaultdict[str | None, list[str]](list)
    for path in alike:
        by_content[look.content(path)].append(path)
    for edit in made:
        found, before = look.seen(edit.path), known.get(edit.path).seen
        if found is not None:
            twins = (path for path in by_content[found.content] if path != edit.path)
            found = replace(found, twins=tuple(islice(twins, MOST_TWINS)))
        replaced = None if edit.caption is None else captions.get(edit.path)
        yield replace(edit, replaced=replaced, seen=None if found == before else found)


def _digest(path: str) -> str | None:
    try:
        return file_digest(Path(path))
    except (OSError, ValueError):
        return None
