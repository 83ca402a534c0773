"""The captions of a data set as they are edited: what is trained of each picture's, and what an edit makes of them."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Self

from advisor.dataset.caption_edits.pieces import Pieces
from advisor.dataset.captions import CaptionReader, lines_of, plain_tag
from advisor.dataset.edits import PictureEdit
from advisor.dataset.report import DatasetReport, ImageFile
from advisor.settings.config import CaptionLines, TrainingConfig

Edit = Callable[[Pieces], Pieces]
"""What is done to one caption; see `advisor.dataset.caption_edits.operations`."""


@dataclass(frozen=True)
class CaptionChange:
    """A picture's caption before and after an edit."""

    image: ImageFile
    before: str | None
    """None: the picture had none."""
    after: str


@dataclass(frozen=True)
class CaptionSet:
    """A data set's captions."""

    report: DatasetReport
    """With what was edited before laid over it."""
    trigger: str = ""
    lines: CaptionLines = "joined"
    """As the setting `dataset.caption_lines`."""
    mark: str = ""
    """As the setting `dataset.keep_tokens_separator`."""

    @classmethod
    def of(cls, report: DatasetReport, config: TrainingConfig) -> Self:
        """The captions of a run."""
        dataset = config.dataset
        return cls(report, config.run.trigger.strip(), dataset.caption_lines, dataset.keep_tokens_separator)

    def of_images(self, images: Iterable[ImageFile]) -> Self:
        """The captions of these pictures alone."""
        return replace(self, report=self.report.with_images(tuple(images)))

    def captions_of(self, image: ImageFile) -> tuple[Pieces, ...]:
        """What is trained of a picture's caption: one, or each of several lines of which one is drawn; none without."""
        texts = CaptionReader(self.lines).captions(image.caption) if image.caption else ()
        return tuple(Pieces.of(text, self.mark) for text in texts)

    @cached_property
    def tags(self) -> Counter[str]:
        """How many pictures have each tag, written as it is most often; the most frequent first."""
        spellings, pictures = defaultdict[str, Counter[str]](Counter), Counter[str]()
        for image in self.report.image_files:
            found = dict.fromkeys(tag for caption in self.captions_of(image) for tag in caption.tags if tag)
            pictures.update(dict.fromkeys(map(plain_tag, found)).keys())
            for tag in found:
                spellings[plain_tag(tag)][tag] += 1
        return Counter({spellings[tag].most_common(1)[0][0]: number for tag, number in pictures.most_common()})

    @cached_property
    def spellings(self) -> dict[str, str]:
        """Each tag as most captions have it, by what `plain_tag` makes of it."""
        return {plain_tag(tag): tag for tag in self.tags}

    def changes(self, images: Iterable[ImageFile], edit: Edit, *, fills: bool = False) -> tuple[CaptionChange, ...]:
        """What an edit changes of these pictures.

        Args:
            fills: pictures without a caption get one, made of what they are trained on without: their folder's concept,
                else the trigger.
        """
        return tuple(self._changes(images, edit, fills=fills))

    def written(self, images: Iterable[ImageFile], caption: str) -> tuple[CaptionChange, ...]:
        """What changes where these pictures get this caption, whatever they had."""
        text = caption.strip()
        return tuple(CaptionChange(image, image.caption, text) for image in images if image.caption != text)

    def _changes(self, images: Iterable[ImageFile], edit: Edit, *, fills: bool) -> Iterator[CaptionChange]:
        for image in images:
            if not image.caption and not fills:
                continue
            text = image.caption or self._otherwise(image)
            after = self._edited(text, edit)
            if after != text:
                yield CaptionChange(image, image.caption, after)

    def _edited(self, text: str, edit: Edit) -> str:
        """The text after an edit; as it was where the edit changes nothing that is trained of it."""
        before = CaptionReader(self.lines).captions(text)
        after = tuple(edit(Pieces.of(caption, self.mark)).text for caption in before)
        if after == before:
            return text
        untrained = lines_of(text)[1:] if self.lines == "first" else ()
        return "\n".join(line for line in (*after, *untrained) if line)

    def _otherwise(self, image: ImageFile) -> str:
        """What a picture without a caption file is trained on; with an empty one it is nothing."""
        return "" if image.caption == "" else self.report.folders[image.folder].concept or self.trigger

    def picture_edits(self, changes: Iterable[CaptionChange]) -> tuple[PictureEdit, ...]:
        """The changes as the run keeps them."""
        return tuple(PictureEdit(self.report.path_of(change.image), caption=change.after) for change in changes)
