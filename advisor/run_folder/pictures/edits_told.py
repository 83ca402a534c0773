"""What is said of a run's edits of pictures: what they do, and what they may no longer be meant for."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import PurePosixPath

from advisor.run_folder.pictures.run_dataset import RunDataset
from advisor.shown_text import short_text
from advisor.units import counted, named

MOST_NAMES = 4
"""So many files or reasons are named; of more the number."""


def edits_summary(data: RunDataset) -> str:
    """What the edits do to the data set, as a line; empty where there are none."""
    crops = sum(1 for image in data.report.image_files if image.crop is not None)
    parts = [counted(len(data.edited_captions), "caption")] if data.edited_captions else []
    parts += [counted(crops, "crop")] if crops else []
    if data.report.excluded:
        names = file_names([one.image.path for one in data.report.excluded])
        parts.append(f"{counted(len(data.report.excluded), 'picture')} left out ({names})")
    if data.followed.renamed:
        parts.append(f"{counted(len(data.followed.renamed), 'picture')} found again under another name")
    return f"Your edits of this run: {', '.join(parts)}" if parts else ""


def told_of_edits(data: RunDataset) -> tuple[str, ...]:
    """All that is said of the edits wherever their data set is used: what they do, and what may not be meant so."""
    summary = edits_summary(data)
    warned = (f"! {message}" for _, message in edit_warnings(data))
    return (*((summary,) if summary else ()), *warned)


def edit_warnings(data: RunDataset) -> Iterator[tuple[str, str]]:
    """What may not be meant so any more, as codes and messages."""
    if stale := data.stale_captions:
        come = f"{counted(len(data.edited_captions), 'caption')} {_verb(data.edited_captions, 'comes', 'come')}"
        changed = (
            f"{len(stale)} of these caption files {_verb(stale, 'has', 'have')} changed since ({file_names(stale)})"
        )
        yield (
            "edited_captions_changed",
            f"{come} from your edits; {changed}, and the edits are used: take them back to use the files",
        )
    if lost := tuple(edit.path for edit in data.followed.lost):
        yield (
            "edits_lost",
            f"{counted(len(lost), 'picture')} with edits of yours {_verb(lost, 'is', 'are')} not there any more "
            f"({file_names(lost)}): put {_verb(lost, 'it', 'them')} back, or leave it so",
        )


def file_names(paths: Sequence[str], root: str = "") -> str:
    """The first file names of some paths, with their folders below `root`, and how many more there are."""
    return named((short_text(_below(PurePosixPath(path), root)) for path in paths), MOST_NAMES)


def _below(path: PurePosixPath, root: str) -> str:
    return str(path.relative_to(root)) if root and path.is_relative_to(root) else path.name


def _verb(things: Sequence[object], one: str, several: str) -> str:
    return one if len(things) == 1 else several
