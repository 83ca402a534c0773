"""What is offered for findings about pictures: edits that a run keeps, which touch none of the user's files."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from advisor.dataset.doctor.finding import Finding
from advisor.dataset.doctor.folder_facts import FolderFacts
from advisor.dataset.doctor.pixel_checks import plain_bars, program_bars
from advisor.dataset.doctor.size_checks import edges_of
from advisor.dataset.edits import LEAST_CROP_PX, PictureEdit
from advisor.dataset.near_duplicates.fingerprint import SIDE
from advisor.dataset.near_duplicates.match import groups
from advisor.dataset.report import Box, ImageFile
from advisor.units import counted, named

BROKEN = ("unreadable", "truncated")
SAME_BYTES = ("duplicate",)
SAME_PICTURE = ("near_duplicates",)
BARS = ("border", "screenshot")
STRIPS = ("extreme_ratio",)
ENCODINGS = ("caption_encoding",)
KEPT_RATIO = 2.0
"""A strip is cropped to a part so many times as long as wide: what portraits of phones have."""


@dataclass(frozen=True)
class Mend:
    """Edits that take a finding away."""

    title: str
    """What it does, for a menu."""
    what: str
    """The same, for the history of a run."""
    edits: tuple[PictureEdit, ...]


def picture_mends(facts: FolderFacts, findings: Sequence[Finding]) -> Iterator[Mend]:
    """The mends of these findings, some of which may have no edits; each picture is left out once, and then no more
    mended.
    """
    images = {image.path: image for image in facts.report.image_files}
    broken = {path: "it cannot be decoded" for path in _files(findings, BROKEN) if path in images}
    yield _leave_out(facts, broken, f"{counted(len(broken), 'picture')} that cannot be decoded")
    copies = dict(_copies(facts, _files(findings, SAME_BYTES)))
    number = f"{len(copies):,} {'copy' if len(copies) == 1 else 'copies'}"
    yield _leave_out(facts, copies, number)
    alike = dict(_alike(facts, images, _files(findings, SAME_PICTURE)))
    alike = {path: reason for path, reason in alike.items() if path not in copies}
    yield _leave_out(facts, alike, f"{counted(len(alike), 'picture')} that others show as well or larger")
    gone = {*broken, *copies, *alike}
    kept = {path: image for path, image in images.items() if path not in gone}
    bars = _files(findings, BARS)
    yield _crop_bars(facts, [kept[path] for path in bars if path in kept])
    yield _crop_strips(facts, [kept[path] for path in _files(findings, STRIPS) if path in kept and path not in bars])
    if _files(findings, ENCODINGS):
        yield _decode(facts, [image for image in facts.report.image_files if image.path not in gone])


def _files(findings: Sequence[Finding], codes: Collection[str]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(path for one in findings if one.code in codes for path in one.files))


def _leave_out(facts: FolderFacts, reasons: dict[str, str], which: str) -> Mend:
    images = (image for image in facts.report.image_files if image.path in reasons)
    edits = tuple(PictureEdit(facts.report.path_of(image), excluded=reasons[image.path]) for image in images)
    return Mend(f"Leave out {which} ({named(reasons)})", f"leave out {', '.join(reasons)}", edits)


def _copies(facts: FolderFacts, told: Collection[str]) -> Iterator[tuple[str, str]]:
    """Of files with the same bytes all but the first with a caption, each with the reason."""
    captions = {image.path: image.caption for image in facts.report.image_files}
    by_content, wanted = dict[str, list[str]](), frozenset(told)
    for path in facts.usable:
        if path in wanted:
            by_content.setdefault(facts.usable[path].sha256, []).append(path)
    for paths in by_content.values():
        first = next((path for path in paths if captions[path]), paths[0])
        yield from ((path, f"the same picture as {first}") for path in paths if path != first)


def _alike(facts: FolderFacts, images: dict[str, ImageFile], told: Collection[str]) -> Iterator[tuple[str, str]]:
    """Of pictures that show the same all but the largest, of equal ones the first with a caption."""
    pairs, wanted = [(match.first, match.second) for match in facts.matches if not match.mirrored], frozenset(told)
    for group in groups(len(facts.distinct), pairs):
        paths = [facts.distinct[place] for place in group if facts.distinct[place] in wanted]
        if len(paths) > 1:
            best = max(
                paths, key=lambda path: (images[path].width_px * images[path].height_px, bool(images[path].caption))
            )
            yield from ((path, f"it shows the same as {best}") for path in paths if path != best)


def _crop_bars(facts: FolderFacts, images: Sequence[ImageFile]) -> Mend:
    edits, names = list[PictureEdit](), list[str]()
    for image in images:
        sides = plain_bars(facts, image.path), program_bars(facts, image.path)
        left, top, right, bottom = (max(pair) for pair in zip(*sides, strict=True))
        box = left, top, image.width_px - right, image.height_px - bottom
        if image.crop is None and min(box[2] - box[0], box[3] - box[1]) >= LEAST_CROP_PX:
            edits.append(PictureEdit(facts.report.path_of(image), crop=box))
            names.append(image.path)
    title = f"Crop the bars off {counted(len(edits), 'picture')} ({named(names)})"
    return Mend(title, f"crop the bars off {', '.join(names)}", tuple(edits))


def _crop_strips(facts: FolderFacts, images: Sequence[ImageFile]) -> Mend:
    boxes = {image.path: box for image in images if (box := _busiest(facts, image)) is not None}
    edits = tuple(PictureEdit(facts.report.path_of(one), crop=boxes[one.path]) for one in images if one.path in boxes)
    strips = counted(len(edits), "long picture")
    title = f"Crop {strips} to the part where most is drawn ({named(boxes)})"
    return Mend(title, f"crop to the part where most is drawn: {', '.join(boxes)}", edits)


def _busiest(facts: FolderFacts, image: ImageFile) -> Box | None:
    """The part of a strip with the most edges, `KEPT_RATIO` times as long as wide; None where it is cropped already,
    or would be too small.
    """
    pixels, width, height = facts.usable.get(image.path), image.width_px, image.height_px
    long, short = max(width, height), min(width, height)
    kept = round(KEPT_RATIO * short)
    if pixels is None or image.crop is not None or kept >= long or short < LEAST_CROP_PX:
        return None
    along = edges_of(pixels.fingerprint).sum(axis=1 if height > width else 0)
    sums = np.convolve(along, np.ones(max(1, round(SIDE * kept / long))), "valid")
    best = np.flatnonzero(sums >= sums.max() * (1 - 1e-6))  # the middle one of those that are equal
    start = min(long - kept, round(float(best[len(best) // 2]) * long / SIDE))
    return (0, start, width, start + kept) if height > width else (start, 0, start + kept, height)


def _decode(facts: FolderFacts, images: Sequence[ImageFile]) -> Mend:
    found = {image.path: facts.sources.decoded[image.path] for image in images if image.path in facts.sources.decoded}
    edits = tuple(
        PictureEdit(facts.report.path_of(image), caption=found[image.path].text)
        for image in images
        if image.path in found and image.caption is None
    )
    encodings = named(sorted({one.encoding for one in found.values()}))
    return Mend(
        f"Read the captions of {counted(len(edits), 'picture')} as {encodings}",
        f"read captions as {encodings}",
        edits,
    )
