"""All that the checks know of a folder."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property

from advisor.dataset.captions import CaptionReader, tags_of
from advisor.dataset.doctor.caption_sources import CaptionSources
from advisor.dataset.doctor.pixel_facts import PixelFacts
from advisor.dataset.near_duplicates.match import Match, matches
from advisor.dataset.placed import PlacedImage, placed_images
from advisor.dataset.report import DatasetReport, PictureCrop
from advisor.settings.config import DatasetConfig

READER = CaptionReader()

Bars = tuple[int, int, int, int]
"""Pixels at the left, top, right and bottom of a picture."""

BATCH_SIZE = 4
"""As plans have it on every card."""


@dataclass(frozen=True)
class FolderFacts:
    """A scanned folder, and what was measured of its pictures."""

    report: DatasetReport
    pixels: Mapping[str, PixelFacts] = field(default_factory=dict)
    """By path; also of pictures that the user left out of the report."""
    trigger: str = ""
    """The trigger word that the user named; empty: none."""
    dataset: DatasetConfig = field(default_factory=lambda: DatasetConfig(images=".", caption_lines=READER.lines))
    """Resolution and buckets that the set is looked at for."""
    sources: CaptionSources = field(default_factory=CaptionSources)
    batch_size: int = BATCH_SIZE
    """Pictures a step."""
    caption_tokens: int | None = None
    """Tokens of a caption that are trained, where the base model's family says it and not `dataset.max_tokens`."""
    meant_to_fuse: frozenset[str] = frozenset()
    """Tags, as `plain_tag` has them, that the user wants the trigger to stand for."""

    @cached_property
    def placed(self) -> tuple[PlacedImage, ...]:
        """The pictures in their buckets."""
        return tuple(placed_images(self.report, self.dataset))

    @cached_property
    def of_images(self) -> dict[str, PixelFacts]:
        """What was measured of the report's pictures, in its order."""
        found = ((image.path, self.pixels.get(image.path)) for image in self.report.image_files)
        return {path: facts for path, facts in found if facts is not None}

    @cached_property
    def usable(self) -> dict[str, PixelFacts]:
        """Those of them that could be decoded."""
        return {path: facts for path, facts in self.of_images.items() if facts.is_usable}

    @cached_property
    def distinct(self) -> tuple[str, ...]:
        """Of pictures with the same bytes the first."""
        first = dict[str, str]()
        for path, facts in self.usable.items():
            first.setdefault(facts.sha256, path)
        return tuple(first.values())

    @cached_property
    def matches(self) -> tuple[Match, ...]:
        """Which of `distinct` show the same."""
        return matches([self.usable[path].fingerprint for path in self.distinct])

    @cached_property
    def tags(self) -> dict[str, tuple[str, ...]]:
        """The tags of each captioned picture as they are written; nothing where captions are sentences."""
        if not self.report.captions_are_tags:
            return {}
        return {image.path: tags_of(READER.read(image.caption)) for image in self.report.image_files if image.caption}

    def uncropped(self, path: str, bars: Bars) -> Bars:
        """What is left at the left, top, right and bottom of bars along a picture's sides where the user cropped it."""
        crop = self._crops.get(path)
        if crop is None:
            return bars
        left, top, right, bottom = crop.box
        beyond = left, top, crop.whole[0] - right, crop.whole[1] - bottom
        first, second, third, fourth = (max(0, bar - cut) for bar, cut in zip(bars, beyond, strict=True))
        return first, second, third, fourth

    @cached_property
    def _crops(self) -> dict[str, PictureCrop]:
        return {image.path: image.crop for image in self.report.image_files if image.crop is not None}

    @property
    def known_trigger(self) -> str:
        """The trigger that was named, else the word that most captions begin with; empty: there is none."""
        return self.trigger.strip() or self.report.likely_trigger
