"""What was decided of pictures in a conversation, kept in the user's data folder until there is a run to keep it in."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from advisor.data_folder import data_folder
from advisor.errors import RunError
from advisor.files import is_there
from advisor.run_folder.layout import RunFolder
from wizard.output import say

if TYPE_CHECKING:
    from advisor.dataset.edits import PictureEdit
    from advisor.dataset.report import DatasetReport
    from advisor.run_folder.edits_file import Change

DRAFT_NAME = "interview"
"""A folder with a run's edits and nothing else of one."""


class DraftEdits:
    """The changes of a conversation, in the order they were made. The file of a run holds them, with its undo."""

    def __init__(self, folder: Path | None = None) -> None:
        """Use the file in `folder`; None: in the user's data folder."""
        self._home = RunFolder((folder or data_folder()) / DRAFT_NAME)
        self._changes: tuple[Change, ...] | None = None
        self._written = dict[Path, set[int]]()  # numbers of the changes that this conversation wrote into a run

    def changes(self) -> tuple[Change, ...]:
        """Those that stand.

        Raises:
            RunError: the file is damaged.
        """
        if self._changes is None:
            self._changes = self._read()
        return self._changes

    def _read(self) -> tuple[Change, ...]:
        if not is_there(self._home.edits):
            return ()
        from advisor.run_folder.edits_file import read_changes

        return read_changes(self._home)

    def add(self, what: str, edits: Iterable[PictureEdit], files: DatasetReport) -> None:
        """Keep one more.

        Args:
            what: the sentence or the command that makes it.
            files: the pictures without edits.

        Raises:
            RunError: it cannot be kept.
        """
        from advisor.run_folder.edits_file import append_change

        self._changes = (*self.changes(), append_change(self._home, what, edits, files=files))

    def undo(self) -> Change | None:
        """Take back the last one, and give it; None where none stands.

        Raises:
            RunError: the file cannot be written.
        """
        from advisor.run_folder.edits_file import undo_change

        taken = undo_change(self._home)
        self._changes = None
        return taken

    def delete(self) -> None:
        """Forget all, unless another conversation has added to it meanwhile; a failure is ignored."""
        known, self._changes = self._changes, None
        with suppress(OSError, RunError):
            if known is not None and {one.number for one in self._read()} - {one.number for one in known}:
                return
            self._home.edits.unlink()
            self._home.edits.parent.rmdir()
            self._home.path.rmdir()

    def put_into(self, run: RunFolder, files: DatasetReport) -> None:
        """Keep the changes in a run: those that it lacks are added behind its own, and what this conversation wrote
        there and took back since is taken back there.

        Args:
            files: the run's pictures without edits; changes of other pictures are left out.

        Raises:
            RunError: they cannot be written.
        """
        from advisor.run_folder.edits_file import append_change, read_changes, undo_change
        from advisor.run_folder.lock import writing

        ours = list(_of_these(self.changes(), files))
        written = self._written.setdefault(run.path, set())
        if not ours and not written:
            return
        with writing(run, "loracle", say):
            theirs = list(read_changes(run))
            while theirs and theirs[-1].number in written and not any(_is_same(theirs[-1], one) for one in ours):
                undo_change(run)
                theirs.pop()
            for change in ours:
                if not any(_is_same(change, one) for one in theirs):
                    written.add(append_change(run, change.what, change.edits, files=files).number)


def _of_these(changes: Sequence[Change], files: DatasetReport) -> Iterable[Change]:
    paths = {files.path_of(image) for image in files.image_files}
    for change in changes:
        edits = tuple(edit for edit in change.edits if edit.path in paths)
        if edits:
            yield replace(change, edits=edits)


def _is_same(one: Change, other: Change) -> bool:
    return one.what == other.what and [_decided(edit) for edit in one.edits] == [_decided(e) for e in other.edits]


def _decided(edit: PictureEdit) -> tuple[object, ...]:
    return edit.path, edit.caption, edit.excluded, edit.crop
