"""A run's edits of pictures and captions, one change after the other: shown, and taken back."""

from __future__ import annotations

import time
from collections.abc import Sequence

from advisor.errors import LoraError
from advisor.run_folder.layout import RunFolder
from advisor.run_folder.pictures.edits_file import Change, read_changes, undo_change
from advisor.shown_text import short_text
from advisor.units import counted
from wizard.output import print_json, say, show_plain


def tell_changes(changes: Sequence[Change], *, as_json: bool) -> None:
    """Print all that was changed, the first first."""
    if as_json:
        print_json({"changes": [_document(change) for change in changes]})
        return
    if not changes:
        say("Nothing was changed in this run's pictures and captions.")
    for change in changes:
        made_at = time.strftime("%Y-%m-%d %H:%M", time.localtime(change.made_at))
        show_plain(f"{change.number:>4}  {made_at}  {_line(change)}")


def take_back(folder: RunFolder, words: Sequence[str], *, dry_run: bool, as_json: bool) -> None:
    """Take back the last change, or so many of the last as the words say, and print what they were.

    Raises:
        LoraError: the words say something else, or so many were not made.
    """
    steps, standing = _steps(words), read_changes(folder)
    if not standing:
        raise LoraError("nothing was changed in this run's pictures and captions, so there is nothing to take back")
    if steps > len(standing):
        raise LoraError(f"undo {steps}: only {counted(len(standing), 'change')} can be taken back")
    taken = list(reversed(standing))[:steps]
    if not dry_run:
        taken = [change for _ in range(steps) if (change := undo_change(folder)) is not None]
    if as_json:
        print_json({"undone": [_document(change) for change in taken], "dry_run": dry_run})
        return
    for change in taken:
        show_plain(f"{'Would take' if dry_run else 'Taken'} back: {_line(change)}")


def _steps(words: Sequence[str]) -> int:
    if not words:
        return 1
    if len(words) > 1 or not words[0].isdecimal() or int(words[0]) < 1:
        raise LoraError(f"undo takes how many changes are taken back, e.g. undo 2; found {' '.join(words)!r}")
    return int(words[0])


def _line(change: Change) -> str:
    return f"{short_text(change.what)} ({counted(len(change.edits), 'picture')})"


def _document(change: Change) -> dict[str, object]:
    return {
        "number": change.number,
        "made_at": change.made_at,
        "what": change.what,
        "paths": [edit.path for edit in change.edits],
    }
