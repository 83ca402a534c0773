"""The pictures of a conversation as they stand: their folder, with what was decided of them laid over it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from advisor.dataset.caption_edits.caption_set import CaptionChange, CaptionSet
from advisor.dataset.edits import PictureEdit
from advisor.dataset.report import DatasetReport
from advisor.errors import LoraError
from advisor.run_folder.layout import RunFolder
from advisor.run_folder.pictures.edits_file import Change
from advisor.run_folder.pictures.run_dataset import RunDataset
from advisor.settings.config import CaptionLines
from wizard.draft_edits import DraftEdits
from wizard.interview.questions import Ask

Tag = Callable[[Ask, CaptionSet], tuple[PictureEdit, ...]]
"""Asks which model shall tag the pictures without a caption, and gives the captions that the user takes."""


@dataclass(frozen=True)
class PictureWork:
    """Pictures, and where it is kept what is decided of them."""

    files: DatasetReport
    """Without edits."""
    draft: DraftEdits
    trigger: str = ""
    lines: CaptionLines = "joined"
    mark: str = ""
    is_prepended: bool = False
    """Training puts the trigger in front of captions that lack it."""
    run: RunFolder | None = None
    """Where it will be written, whose own edits lie under what is decided here; None: a new one."""
    tag: Tag | None = None
    """None: tagging is not possible here."""

    def dataset(self) -> RunDataset:
        """The pictures with all edits.

        Raises:
            LoraError: none is left, or the edits cannot be read.
        """
        return self.draft.dataset(self.files, self.run)

    def report(self) -> DatasetReport:
        """The pictures as they are trained.

        Raises:
            LoraError: none is left, or the edits cannot be read.
        """
        return self.dataset().report

    def captions(self) -> CaptionSet:
        """Their captions."""
        return CaptionSet(self.report(), self.trigger, self.lines, self.mark)

    def keep(self, what: str, edits: Sequence[PictureEdit]) -> None:
        """Decide so.

        Raises:
            LoraError: all pictures would be left out, or it cannot be kept.
        """
        excluded = {edit.path for edit in edits if edit.excluded}
        report = self.report()
        if all(report.path_of(image) in excluded for image in report.image_files):
            raise LoraError("That would leave out every picture: nothing was changed")
        self.draft.add(what, edits, self.files)

    def keep_captions(self, what: str, changes: Sequence[CaptionChange]) -> None:
        """The same of captions.

        Raises:
            LoraError: it cannot be kept.
        """
        self.keep(what, self.captions().picture_edits(changes))

    def join(self, what: str, num_before: int) -> None:
        """Make one change of those behind the first `num_before`.

        Raises:
            RunError: it cannot be kept.
        """
        taken = list[Change]()
        while len(self.draft.changes()) > num_before and (change := self.draft.undo()) is not None:
            taken.append(change)
        merged = dict[str, PictureEdit]()
        for change in reversed(taken):
            for edit in change.edits:
                before = merged.get(edit.path, PictureEdit(edit.path))
                decided = {
                    name: value
                    for name in ("caption", "excluded", "crop")
                    if (value := getattr(edit, name)) is not None
                }
                merged[edit.path] = replace(before, **decided)
        self.draft.add(what, merged.values(), self.files)

    def last_change(self) -> Change | None:
        """The change that would be taken back, if it is of these pictures."""
        changes = self.draft.changes()
        paths = {self.files.path_of(image) for image in self.files.image_files}
        return changes[-1] if changes and any(edit.path in paths for edit in changes[-1].edits) else None

    def take_back(self) -> Change | None:
        """Take it back; what was taken back.

        Raises:
            RunError: it cannot be kept.
        """
        return self.draft.undo() if self.last_change() else None
