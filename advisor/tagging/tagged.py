"""What becomes of the captions of a data set by what a tagger told of its pictures."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from advisor.dataset.caption_edits.caption_set import CaptionSet
from advisor.dataset.caption_edits.operations import added, put_first
from advisor.dataset.caption_edits.pieces import Pieces
from advisor.dataset.edits import PictureEdit
from advisor.dataset.report import DatasetReport, ImageFile
from advisor.tagging.choose_tags import ChosenTag, Confidences, TagChooser, carried_by_trigger

Mode = Literal["missing", "append", "replace"]
"""Which pictures get tags: those without a caption; all, behind what they have; all, in its place."""


@dataclass(frozen=True)
class TaggedPicture:
    """A picture, and what its caption becomes."""

    image: ImageFile
    tags: tuple[ChosenTag, ...]
    caption: str

    @property
    def is_changed(self) -> bool:
        """Whether its caption becomes another."""
        return self.caption != (self.image.caption or "")


@dataclass(frozen=True)
class Tagged:
    """All pictures that were tagged."""

    report: DatasetReport
    pictures: tuple[TaggedPicture, ...]
    unreadable: Mapping[str, str]
    """Pictures that could not be read, by their path within the data set, with why."""

    @property
    def changed(self) -> tuple[TaggedPicture, ...]:
        """Those whose caption becomes another."""
        return tuple(picture for picture in self.pictures if picture.is_changed)

    @property
    def without_tags(self) -> tuple[TaggedPicture, ...]:
        """Those of which the tagger was sure of nothing."""
        return tuple(picture for picture in self.pictures if not picture.tags)

    @property
    def edits(self) -> tuple[PictureEdit, ...]:
        """The changes as the run keeps them."""
        return tuple(
            PictureEdit(self.report.path_of(picture.image), caption=picture.caption) for picture in self.changed
        )

    @property
    def carried(self) -> tuple[str, ...]:
        """Tags in nearly all pictures, which the trigger could stand for."""
        return carried_by_trigger([picture.tags for picture in self.pictures])


def tagged(
    captions: CaptionSet,
    images: Sequence[ImageFile],
    told: Mapping[str, Confidences],
    chooser: TagChooser,
    mode: Mode,
    *,
    unreadable: Mapping[str, str],
) -> Tagged:
    """The captions that follow from what a tagger told.

    Args:
        images: those that it was asked about.
        told: what it told, by absolute path.
        unreadable: why it was not asked, by absolute path.
    """
    report, pictures = captions.report, list[TaggedPicture]()
    for image in images:
        confidences = told.get(report.path_of(image))
        if confidences is not None:
            tags = chooser.chosen(confidences)
            pictures.append(TaggedPicture(image, tags, _caption(captions, image, tags, chooser, mode)))
    paths = {report.path_of(image): image.path for image in images}
    return Tagged(report, tuple(pictures), {paths[path]: why for path, why in unreadable.items()})


def _caption(
    captions: CaptionSet, image: ImageFile, tags: Sequence[ChosenTag], chooser: TagChooser, mode: Mode
) -> str:  # fmt: skip
    """A picture's new caption; the one that it has where nothing is to be told."""
    before = image.caption or ""
    if not tags:
        return before
    if mode != "append" or not before:
        return chooser.caption(tags)
    texts, trigger = [tag.text for tag in tags], chooser.choice.trigger

    def edit(caption: Pieces) -> Pieces:
        more = added(caption, texts)
        return put_first(more, trigger, everywhere=True) if trigger else more

    return next((change.after for change in captions.changes([image], edit)), before)
