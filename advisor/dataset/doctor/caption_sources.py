"""What caption files tell beside their text: which have no picture, a mark before the text, another encoding."""

from __future__ import annotations

import codecs
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath

from advisor.dataset.caption_encoding import DecodedText, sure_text
from advisor.dataset.caption_files import MOST_CAPTION_BYTES
from advisor.dataset.folders import FoundFiles, stem_of
from advisor.dataset.report import DatasetReport
from advisor.files import open_regular


@dataclass(frozen=True)
class CaptionSources:
    """Caption files, by their paths relative to the folder that was looked at."""

    orphans: tuple[str, ...] = ()
    """Without a picture of their name."""
    marked: tuple[str, ...] = ()
    """With a byte order mark before their text."""
    decoded: Mapping[str, DecodedText] = field(default_factory=dict)
    """Those that are not UTF-8 and whose encoding is sure; by the path of the picture."""


def caption_sources(report: DatasetReport, found: FoundFiles) -> CaptionSources:
    """What the caption files beside a report's pictures tell; they are read."""
    unread = {problem.path for problem in report.problems if problem.code == "caption_encoding"}
    images = report.image_files if unread else ()
    pictures = {PurePosixPath(image.path).with_suffix("").as_posix(): image.path for image in images}
    marked, decoded = list[str](), dict[str, DecodedText]()
    for name, path in _captions(found):
        content = _content(path, MOST_CAPTION_BYTES if name in unread else len(codecs.BOM_UTF8))
        if content.startswith(codecs.BOM_UTF8):
            marked.append(name)
        if name in unread:
            picture = pictures.get(PurePosixPath(name).with_suffix("").as_posix())
            if picture is not None and (text := sure_text(content)) is not None:
                decoded[picture] = text
    return CaptionSources(tuple(_orphans(found)), tuple(marked), decoded)


def _captions(found: FoundFiles) -> Iterator[tuple[str, Path]]:
    """Each caption file of a picture."""
    for folder in found.folders:
        stems = {stem_of(name) for name in folder.images}
        for (stem, _), name in sorted(folder.captions.items()):
            if stem in stems:
                yield _below(folder.relative, name), folder.path / name


def _orphans(found: FoundFiles) -> Iterator[str]:
    for folder in found.folders:
        stems = {stem_of(name) for name in folder.images} | set(folder.images)
        for (stem, _), name in sorted(folder.captions.items()):
            if stem not in stems:
                yield _below(folder.relative, name)


def _content(path: Path, most: int) -> bytes:
    try:
        with open_regular(path) as file:
            return file.read(most)
    except OSError:
        return b""


def _below(folder: str, name: str) -> str:
    return name if folder == "." else f"{folder}/{name}"
