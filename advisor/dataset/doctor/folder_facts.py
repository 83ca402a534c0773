"""All that the checks know of a folder."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

from advisor.dataset.captions import CaptionReader, tags_of
from advisor.dataset.doctor.pixel_facts import PixelFacts
from advisor.dataset.folders import FoundFiles
from advisor.dataset.near_duplicates.match import Match, matches
from advisor.dataset.placed import PlacedImage, placed_images
from advisor.dataset.report import DatasetReport
from advisor.settings.config import DatasetConfig

READER = CaptionReader()


@dataclass(frozen=True)
class FolderFacts:
    """A scanned folder, and what was measured of its pictures."""

    report: DatasetReport
    pixels: Mapping[str, PixelFacts] = field(default_factory=dict)
    """Of the report's pictures, by their path."""
    trigger: str = ""
    """The trigger word that the user named; empty: none."""
    dataset: DatasetConfig = field(default_factory=lambda: DatasetConfig(images="."))
    """Resolution and buckets that the set is looked at for."""
    orphans: tuple[str, ...] = ()
    """Caption files without a picture."""

    @cached_property
    def placed(self) -> tuple[PlacedImage, ...]:
        """The pictures in their buckets."""
        return tuple(placed_images(self.report, self.dataset))

    @cached_property
    def usable(self) -> dict[str, PixelFacts]:
        """The pictures that could be decoded, in the report's order."""
        found = ((image.path, self.pixels.get(image.path)) for image in self.report.image_files)
        return {path: facts for path, facts in found if facts is not None and facts.is_usable}

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

    @property
    def known_trigger(self) -> str:
        """The trigger that was named, else the word that most captions begin with; empty: there is none."""
        return self.trigger.strip() or self.report.likely_trigger


def orphans(found: FoundFiles) -> tuple[str, ...]:
    """The caption files beside which no picture has their name."""
    return tuple(_orphans(found))


def _orphans(found: FoundFiles) -> Iterable[str]:
    for folder in found.folders:
        stems = {Path(name).stem for name in folder.images} | set(folder.images)
        for (stem, _), name in sorted(folder.captions.items()):
            if stem not in stems:
                yield name if folder.relative == "." else f"{folder.relative}/{name}"
