"""How the captions of a data set stand."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self

from advisor.dataset.caption_edits.caption_set import CaptionSet
from advisor.dataset.captions import has_word
from advisor.units import counted


@dataclass(frozen=True)
class CaptionOverview:
    """Numbers of pictures."""

    num_images: int
    num_captioned: int
    num_empty: int
    """With a caption file, or an edit, that says nothing."""
    num_unread: int
    """With a caption file that cannot be read as text."""
    num_with_trigger: int
    """Whose caption holds the trigger as a word."""
    num_trigger_first: int
    """Whose first tag or phrase holds it."""

    @classmethod
    def of(cls, captions: CaptionSet) -> Self:
        """The numbers of these captions; of several lines, each that is drawn has to hold the trigger."""
        images, word = captions.report.image_files, captions.trigger
        forms = [found for image in images if (found := captions.captions_of(image))]
        return cls(
            num_images=len(images),
            num_captioned=len(forms),
            num_empty=sum(image.caption == "" for image in images),
            num_unread=len(captions.report.unread_captions),
            num_with_trigger=sum(all(has_word(form.text, word) for form in found) for found in forms),
            num_trigger_first=sum(all(has_word(form.tags[0], word) for form in found) for found in forms),
        )

    @property
    def num_without(self) -> int:
        """Pictures without a caption file."""
        return self.num_images - self.num_captioned - self.num_empty - self.num_unread

    @property
    def lacking(self) -> str:
        """What the pictures are called that a caption can be written for: those without one, or with an empty one."""
        number = self.num_without + self.num_empty
        empty = f" ({self.num_empty:,} of them empty)" if self.num_empty else ""
        return f"{counted(number, 'picture')} without a caption{empty}"
