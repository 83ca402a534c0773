"""How the captions of a data set stand."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self

from advisor.dataset.caption_edits.caption_set import CaptionSet
from advisor.dataset.captions import has_word


@dataclass(frozen=True)
class CaptionOverview:
    """Numbers of pictures."""

    num_images: int
    num_captioned: int
    num_empty: int
    """With a caption file, or an edit, that says nothing."""
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
            num_with_trigger=sum(all(has_word(form.text, word) for form in found) for found in forms),
            num_trigger_first=sum(all(has_word(form.tags[0], word) for form in found) for found in forms),
        )

    @property
    def num_without(self) -> int:
        """Pictures without a caption file."""
        return self.num_images - self.num_captioned - self.num_empty
