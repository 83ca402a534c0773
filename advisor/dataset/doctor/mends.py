"""What can be mended without touching the user's files: edits of pictures that a run keeps, offered for findings."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from advisor.dataset.doctor.folder_facts import FolderFacts
from advisor.dataset.doctor.pixel_checks import plain_bars, program_bars
from advisor.dataset.edits import LEAST_CROP_PX, PictureEdit
from advisor.dataset.near_duplicates.match import groups
from advisor.dataset.report import ImageFile
from advisor.units import counted


@dataclass(frozen=True)
class Mend:
    """One offer: a sentence, and the edits that it stands for."""

    codes: tuple[str, ...]
    """Of the findings that it mends."""
    what: str
    """What is done, e.g. `leave out 3 pictures that cannot be decoded`."""
    edits: tuple[PictureEdit, ...]


def offered_mends(facts: FolderFacts) -> tuple[Mend, ...]:
    """What is offered for this data set, each edit in one offer only; a picture that is left out is not cropped."""
    found, left_out = list[Mend](), set[str]()
    for offer in OFFERS:
        mend = offer(facts)
        edits = tuple(edit for edit in mend.edits if edit.path not in left_out)
        if edits:
            found.append(Mend(mend.codes, mend.what.format(counted=counted(len(edits), "picture")), edits))
        left_out |= {edit.path for edit in edits if edit.excluded}
    return tuple(found)


def _broken(facts: FolderFacts) -> Mend:
    edits = tuple(
        PictureEdit(facts.report.path_of(image), excluded="its file cannot be decoded")
        for image in facts.report.image_files
        if image.path in facts.of_images and image.path not in facts.usable
    )
    return Mend(("truncated", "unreadable"), "leave out {counted} that cannot be decoded", edits)


def _copies(facts: FolderFacts) -> Mend:
    """Of pictures that show the same all but the largest one, of equal ones one with a caption."""
    images = {image.path: image for image in facts.report.image_files}
    edits = list[PictureEdit]()
    for paths in _same(facts):
        best = max(paths, key=lambda path: _worth(images[path]))
        edits += [
            PictureEdit(facts.report.path_of(images[path]), excluded=f"it shows the same as {best}")
            for path in paths
            if path != best
        ]
    return Mend(("duplicate", "near_duplicates"), "leave out {counted} that others show too", tuple(edits))


def _same(facts: FolderFacts) -> Iterator[list[str]]:
    """Groups of two and more that show the same, not mirrored."""
    alike = [(match.first, match.second) for match in facts.matches if not match.mirrored]
    copies = dict[str, list[str]]()
    for path, one in facts.usable.items():
        copies.setdefault(one.sha256, []).append(path)
    for group in groups(len(facts.distinct), alike):
        paths = [path for place in group for path in copies[facts.usable[facts.distinct[place]].sha256]]
        if len(paths) > 1:
            yield paths


def _worth(image: ImageFile) -> tuple[int, bool]:
    return image.width_px * image.height_px, bool(image.caption)


def _bars(facts: FolderFacts) -> Mend:
    images = {image.path: image for image in facts.report.image_files}
    edits = list[PictureEdit]()
    for path, one in facts.usable.items():
        sides = [plain_bars(facts, path), program_bars(facts, path)]
        left, top, right, bottom = (max(pair) for pair in zip(*sides, strict=True))
        image = images[path]
        if not any((left, top, right, bottom)) or image.crop is not None:
            continue
        box = left, top, one.width_px - right, one.height_px - bottom
        if min(box[2] - box[0], box[3] - box[1]) >= LEAST_CROP_PX:
            edits.append(PictureEdit(facts.report.path_of(image), crop=box))
    return Mend(("border", "screenshot"), "crop the bars off {counted}", tuple(edits))


def _captions(facts: FolderFacts) -> Mend:
    images = {image.path: image for image in facts.report.image_files}
    edits = tuple(
        PictureEdit(facts.report.path_of(images[path]), caption=found.text)
        for path, found in facts.sources.decoded.items()
        if path in images and images[path].caption is None
    )
    names = sorted({found.encoding for found in facts.sources.decoded.values()})
    return Mend(("caption_encoding",), f"read the captions of {{counted}} as {' and '.join(names)}", edits)


OFFERS: tuple[Callable[[FolderFacts], Mend], ...] = (_broken, _copies, _bars, _captions)
