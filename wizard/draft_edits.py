"""What was decided of pictures in a conversation, kept in the user's data folder until there is a run to keep it in."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Self

from advisor.data_folder import data_folder, numbered
from advisor.errors import RunError
from advisor.files import is_there
from advisor.run_folder.layout import RunFolder
from advisor.units import counted
from wizard.output import say
from wizard.own_command import own_command

if TYPE_CHECKING:
    from advisor.dataset.edits import PictureEdit
    from advisor.dataset.following_edits import FollowedEdits
    from advisor.dataset.report import DatasetReport
    from advisor.run_folder.pictures.edits_file import Change
    from advisor.run_folder.pictures.run_dataset import RunDataset

DRAFT_NAME = "interview"
"""A folder with a run's edits and nothing else of one."""


class DraftEdits:
    """The changes of a conversation, in the order they were made. The file of a run holds them, with its undo."""

    def __init__(self, folder: Path | None = None, number: int = 1) -> None:
        """Use the file in `folder`; None: in the user's data folder.

        Args:
            number: of several conversations at the same moment.
        """
        self._home = RunFolder((folder or data_folder()) / numbered(DRAFT_NAME, number))
        self._changes: tuple[Change, ...] | None = None
        self._laid: _Laid | None = None  # what `dataset` gave last
        self.is_in_a_run = False
        """All of it was put into one; false again once there is more."""
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
        from advisor.run_folder.pictures.edits_file import read_changes

        return read_changes(self._home)

    def add(self, what: str, edits: Iterable[PictureEdit], files: DatasetReport) -> None:
        """Keep one more.

        Args:
            what: the sentence or the command that makes it.
            files: the pictures without edits.

        Raises:
            RunError: it cannot be kept.
        """
        from advisor.run_folder.pictures.edits_file import append_change

        self.is_in_a_run = False
        self._changes = (*self.changes(), append_change(self._home, what, edits, files=files))

    def undo(self) -> Change | None:
        """Take back the last one, and give it; None where none stands.

        Raises:
            RunError: the file cannot be written.
        """
        from advisor.run_folder.pictures.edits_file import undo_change

        self.is_in_a_run = False
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

    def dataset(self, files: DatasetReport, run: RunFolder | None = None) -> RunDataset:
        """Pictures with the changes laid over them; made anew where one of the three is another than before.

        Args:
            files: the pictures without edits.
            run: where the changes will be put, whose own lie under them; None: nowhere yet.

        Raises:
            DatasetError: no picture is left.
            RunError: the changes, or the run's own, cannot be read.
        """
        from advisor.dataset.file_stamp import stamp_of
        from advisor.run_folder.pictures.edits_file import edits_of, read_changes
        from advisor.run_folder.pictures.run_dataset import with_edits

        theirs, written = None if run is None else stamp_of(run.edits), self._written_into(run)
        key = self.changes(), run, theirs, frozenset(written)
        if self._laid is None or self._laid.files is not files or self._laid.key != key:
            joined = _Joined.of(() if run is None else read_changes(run), self._ours(files), written)
            self._laid = _Laid(files, key, with_edits(files, edits_of((*joined.kept, *joined.added))))
        return self._laid.dataset

    def put_into(self, run: RunFolder, read_files: Callable[[], DatasetReport]) -> None:
        """Keep the changes in a run: those that it lacks are added behind its own, and what this conversation wrote
        there and took back since is taken back there.

        Args:
            read_files: the run's pictures without edits, read where there is something to write; changes of other
                pictures are left out.

        Raises:
            RunError: they cannot be written.
        """
        from advisor.run_folder.lock import writing
        from advisor.run_folder.pictures.edits_file import append_change, read_changes, undo_change

        written = self._written_into(run)
        if not self.changes() and not written:
            return
        files = read_files()
        ours = self._ours(files)
        if lost := self._lost(files):
            from advisor.run_folder.pictures.edits_told import file_names

            say(
                f"! {counted(len(lost), 'picture')} that you edited ({file_names(lost)}) are not among these, under no "
                "name: what you decided of them is left out"
            )
        if not ours and not written:
            return
        with writing(run, "loracle", say):
            joined = _Joined.of(read_changes(run), ours, written)
            for _ in range(joined.num_taken_back):
                undo_change(run)
            for change in joined.added:
                written.add(append_change(run, change.what, change.edits, files=files).number)
        for change in joined.stuck:
            say(
                f"! {change.what}: you took it back here, but {run.path} has later changes from elsewhere, so it stays "
                f"there. `{own_command('captions', run.path)} undo` takes back the last one"
            )
        self.is_in_a_run = True

    def _written_into(self, run: RunFolder | None) -> set[int]:
        """Numbers of the changes that this conversation wrote into a run, to be added to."""
        return set() if run is None else self._written.setdefault(run.path, set())

    def _ours(self, files: DatasetReport) -> tuple[Change, ...]:
        """The changes of these pictures, each by the name that its picture has now."""
        if not self.changes():
            return ()
        found = self._followed(files)
        return tuple(_of_these(self.changes(), found.edits.by_path, dict(found.renamed)))

    def _lost(self, files: DatasetReport) -> tuple[str, ...]:
        """Paths of edited pictures that are not there any more."""
        if not self.changes():
            return ()
        found = self._followed(files)
        return tuple(edit.path for edit in found.lost)

    def _followed(self, files: DatasetReport) -> FollowedEdits:
        from advisor.dataset.following_edits import followed
        from advisor.run_folder.pictures.edits_file import edits_of
        from advisor.run_folder.pictures.seen_pictures import look_with

        edits = edits_of(self.changes())
        return followed(edits, [files.path_of(image) for image in files.image_files], look_with(edits))


@dataclass(frozen=True)
class _Laid:
    """Pictures with changes laid over them."""

    files: DatasetReport
    key: tuple[object, ...]
    """What decides which changes these are."""
    dataset: RunDataset


@dataclass(frozen=True)
class _Joined:
    """What becomes of a run's changes when those of a conversation are put into it."""

    num_taken_back: int
    """So many of the run's last ones go."""
    kept: tuple[Change, ...]
    """Those of the run that stay."""
    added: tuple[Change, ...]
    """Those of the conversation that come behind them."""
    stuck: tuple[Change, ...]
    """Those that the conversation took back and that stay, since somebody changed more behind them."""

    @classmethod
    def of(cls, theirs: Sequence[Change], ours: Sequence[Change], written: Collection[int]) -> Self:
        """The run's changes with ours, of which the first may be there already.

        Args:
            written: numbers of the changes that this conversation wrote into the run.
        """
        copies, last = _copies(ours, theirs), len(theirs)
        while last and theirs[last - 1].number in written and theirs[last - 1].number not in copies:
            last -= 1
        stuck = tuple(one for one in theirs[:last] if one.number in written and one.number not in copies)
        return cls(len(theirs) - last, tuple(theirs[:last]), tuple(ours[len(copies) :]), stuck)


def _copies(ours: Sequence[Change], theirs: Sequence[Change]) -> list[int]:
    """Numbers of the run's changes that our first ones became: in our order, and none older than what it was made of,
    since the same may have been decided in the run before.
    """
    found, rest = list[int](), iter(theirs)
    for change in ours:
        copy = next((one for one in rest if one.made_at >= change.made_at and _is_same(one, change)), None)
        if copy is None:
            break
        found.append(copy.number)
    return found


def _of_these(changes: Sequence[Change], paths: Collection[str], renamed: Mapping[str, str]) -> Iterable[Change]:
    for change in changes:
        moved = (replace(edit, path=renamed.get(edit.path, edit.path)) for edit in change.edits)
        edits = tuple(edit for edit in moved if edit.path in paths)
        if edits:
            yield replace(change, edits=edits)


def _is_same(one: Change, other: Change) -> bool:
    return one.what == other.what and [_decided(edit) for edit in one.edits] == [_decided(e) for e in other.edits]


def _decided(edit: PictureEdit) -> tuple[object, ...]:
    return edit.path, edit.caption, edit.excluded, edit.crop
