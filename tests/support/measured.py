"""Folder facts for tests of the doctor's checks, measured in the test's own process."""

from __future__ import annotations

from pathlib import Path

from advisor.dataset.doctor.caption_sources import caption_sources
from advisor.dataset.doctor.examine import examine
from advisor.dataset.doctor.finding import Finding
from advisor.dataset.doctor.folder_facts import FolderFacts
from advisor.dataset.doctor.measure import measure
from advisor.dataset.folders import find_files
from advisor.dataset.report import DatasetReport, Folder, ImageFile
from advisor.dataset.scan import scan
from advisor.settings.config import DatasetConfig


def folder_facts(folder: Path, *, trigger: str = "", resolution_px: int = 512) -> FolderFacts:
    """All facts of a folder of picture files."""
    report = scan(folder)
    pixels = {image.path: measure(folder / image.path) for image in report.image_files}
    dataset = DatasetConfig(images=str(folder), resolution_px=resolution_px, caption_lines="joined")
    return FolderFacts(report, pixels, trigger, dataset, caption_sources(report, find_files(folder)))


def found_in(folder: Path, *, trigger: str = "", resolution_px: int = 512) -> dict[str, Finding]:
    """The findings of a folder by code; of each code the last."""
    return {one.code: one for one in examine(folder_facts(folder, trigger=trigger, resolution_px=resolution_px))}


def captioned(*captions: str | None, trigger: str = "") -> FolderFacts:
    """Facts of pictures of which only the captions matter, called `0.png`, `1.png` ..."""
    images = tuple(ImageFile(f"{index}.png", 512, 512, 0, caption) for index, caption in enumerate(captions))
    return FolderFacts(DatasetReport("/pictures", images, (Folder(".", len(images)),)), trigger=trigger)
