"""Links in a run folder: what leads out of it is neither read nor written, unless the user's own machine allows it.

A run may come from a stranger, and a link in it would let the program append to, delete or show files that are none of
the run's. The run folder itself may be a link, and links from one place of a run to another are harmless. What leads
out on purpose (another disk) is allowed by an environment variable, which no run can carry with it. What this does
not cover is in docs/decisions/0021-runs-from-strangers.md.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from pathlib import Path

from advisor.errors import RunError
from advisor.files import is_folder
from advisor.shell import quoted
from advisor.shown_text import visible_line

ALLOWED = "LORACLE_LINKS"
"""Environment variable: folders that links in a run may lead into, separated as in PATH."""
JUNCTION = 0xA0000003
"""Windows' tag of a junction, stat.IO_REPARSE_TAG_MOUNT_POINT, which other systems' Python does not name."""


def refuse_way_out(run: Path, path: Path) -> None:
    """Refuse a path of a run on whose way, below the run folder, a link leads out of it.

    Args:
        run: the run folder, which may be a link itself.
        path: below it; need not exist.

    Raises:
        RunError: a link leads out, or the path does by `..`; it is named, with what allows it.
    """
    parts = path.relative_to(run).parts
    if os.pardir in parts:
        raise RunError(f"{visible_line(str(path))} leads out of the run {run}: nothing is read or written there")
    place = run
    for part in parts:
        place = place / part
        try:
            is_link = _is_link(place.lstat())
        except (OSError, ValueError):
            return
        if is_link:
            _refuse_outside(run, place)


def refuse_links_out(run: Path, folder: Path, *, depth: int = 4) -> None:
    """Refuse a folder of a run in which a link leads out of the run, however deep.

    Args:
        depth: folders within folders that are looked into; 0: only the folder itself.

    Raises:
        RunError: there is such a link; it is named, with what allows it.
    """
    refuse_way_out(run, folder)
    for link in _links(folder, depth):
        _refuse_outside(run, link)


def _links(folder: Path, depth: int) -> Iterator[Path]:
    try:
        with os.scandir(folder) as entries:
            found = list(entries)
    except OSError:
        return
    for entry in found:
        try:
            if entry.is_symlink() or _is_junction(entry):
                yield folder / entry.name
            elif depth and entry.is_dir(follow_symlinks=False):
                yield from _links(folder / entry.name, depth - 1)
        except OSError:
            continue


def _is_junction(entry: os.DirEntry[str]) -> bool:
    """Windows' other kind of link; elsewhere there is none, and no entry is asked for more than its name."""
    return os.name == "nt" and _is_link(entry.stat(follow_symlinks=False))


def _is_link(found: os.stat_result) -> bool:
    return stat.S_ISLNK(found.st_mode) or getattr(found, "st_reparse_tag", 0) == JUNCTION


def _refuse_outside(run: Path, link: Path) -> None:
    target = Path(os.path.realpath(link))
    given = filter(None, os.environ.get(ALLOWED, "").split(os.pathsep))
    allowed = [folder for folder in map(Path, given) if folder.is_absolute()]
    if any(_is_within(target, folder) for folder in (run, *allowed)):
        return
    folder = target if is_folder(target) else target.parent
    raise RunError(
        f"{visible_line(str(link))} is a link that leads out of the run, to {visible_line(str(target))}: nothing is "
        "read or written there. Delete the link if it is not yours; if you made it, allow it by the environment "
        f"variable {ALLOWED}={quoted(visible_line(str(folder)))}"
    )


def _is_within(target: Path, folder: Path) -> bool:
    """Whether a path without links lies in a folder, to which links may lead."""
    real = os.path.normcase(os.path.realpath(folder))
    try:
        return os.path.commonpath([os.path.normcase(target), real]) == real
    except ValueError:  # another drive
        return False
