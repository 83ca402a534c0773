"""Edits of pictures that were renamed, moved or replaced since: each goes with the picture that it was made for."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from advisor.dataset.edits import Edits, PictureEdit, SeenPicture
from advisor.dataset.file_stamp import Stamp


class Look(Protocol):
    """Looks at files of the data set."""

    def stamp(self, path: str) -> Stamp | None:
        """None where there is no such file."""

    def content(self, path: str) -> str | None:
        """The sha256 of its bytes; None where it cannot be read."""


@dataclass(frozen=True)
class FollowedEdits:
    """Edits by the paths that their pictures have now."""

    edits: Edits
    renamed: tuple[tuple[str, str], ...] = ()
    """Paths of pictures then and now."""
    lost: tuple[PictureEdit, ...] = ()
    """Those whose picture is not there any more, under any name."""


def followed(edits: Edits, paths: Sequence[str], look: Look) -> FollowedEdits:
    """Each edit at the path that its picture has now.

    A picture is known by its content. Where no picture has it any more, the one at its path was changed in place and
    keeps the edits, unless it is another that was edited. Of pictures alike each takes the edits of one, those without
    edits of their own first. Files are read only where their stamp differs from what it was.

    Args:
        paths: the pictures that are there, absolute.
    """
    there = frozenset(paths)
    away = [edit for edit in edits.by_path.values() if edit.path not in there or _is_other(edit, look)]
    if not away:
        return FollowedEdits(edits)
    free = _by_content(sorted(paths, key=edits.by_path.__contains__), away, look)
    renamed, gone_or_changed = list[tuple[str, str]](), list[PictureEdit]()
    for edit in away:
        found = None if edit.seen is None else _taken(edit.seen, free)
        if found is not None:
            renamed.append((edit.path, found))
        else:
            gone_or_changed.append(edit)
    taken = {new for _, new in renamed}
    lost = [edit for edit in gone_or_changed if edit.path not in there or edit.path in taken]
    gone = {edit.path for edit in lost}
    kept = Edits({path: edit for path, edit in edits.by_path.items() if path not in gone})
    return FollowedEdits(kept.moved(renamed), tuple(renamed), tuple(lost))


def _is_other(edit: PictureEdit, look: Look) -> bool:
    """Whether another picture is at the edit's path now."""
    seen, stamp = edit.seen, look.stamp(edit.path)
    if seen is None or (stamp is not None and stamp.is_surely(seen.stamp)):
        return False
    return look.content(edit.path) != seen.content


def _by_content(paths: Sequence[str], away: Sequence[PictureEdit], look: Look) -> Mapping[str, list[str]]:
    """Those of the paths that may be pictures of these edits, by content; only files of their sizes are read."""
    sizes = {edit.seen.num_bytes for edit in away if edit.seen is not None}
    found = defaultdict[str, list[str]](list)
    for path in paths:
        stamp = look.stamp(path)
        if stamp is not None and stamp.num_bytes in sizes and (content := look.content(path)) is not None:
            found[content].append(path)
    return found


def _taken(seen: SeenPicture, free: Mapping[str, list[str]]) -> str | None:
    """The first picture with the content that was no other picture when it was edited; it is free no more."""
    alike = free.get(seen.content, [])
    found = next((path for path in alike if path not in seen.twins), None)
    if found is not None:
        alike.remove(found)
    return found
