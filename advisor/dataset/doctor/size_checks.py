"""Sizes: pictures that are too small, of extreme proportions, much cropped, or alone in their bucket."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

import numpy as np

from advisor.dataset.buckets import Size, repeats_of_folders
from advisor.dataset.doctor.finding import Finding
from advisor.dataset.doctor.folder_facts import FolderFacts
from advisor.dataset.near_duplicates.fingerprint import SIDE, Fingerprint
from advisor.dataset.placed import MUCH_CROPPED, MUCH_ENLARGED, PlacedImage
from advisor.units import counted, named

EXTREME_RATIO = 3.0
"""The longer side by the shorter one; a crop or a bucket of such proportions shows a strip of the picture."""
CUT_SUBJECT = 1.8
"""Times as many edges as in the picture's mean lie in a strip that is cut off and in the one beside it, where something
is drawn through the cut."""
LEAST_CELLS = 2
"""Of a strip that is cut off; a narrower one tells nothing."""
SMALL_BUCKET_SHARE = 0.25
"""Of the pictures; where more lie in buckets that fill no batch, many batches are short."""


def too_small(facts: FolderFacts) -> Iterator[Finding]:
    """Pictures that would have to be enlarged much."""
    side = facts.dataset.resolution_px
    found = dict[str, float]()
    for image in facts.report.image_files:
        times = side / (image.width_px * image.height_px) ** 0.5
        if times > MUCH_ENLARGED:
            found[image.path] = times
    if found:
        shown = named(f"{path}: {times:.1f} times" for path, times in sorted(found.items(), key=lambda one: -one[1]))
        message = (
            f"{counted(len(found), 'picture')} much smaller than {side} x {side}, blurred where enlarged ({shown})"
        )
        yield Finding("too_small", "warning", tuple(found), message, "give larger originals, or leave them out")


def extreme_ratio(facts: FolderFacts) -> Iterator[Finding]:
    """Pictures that are strips."""
    found = [
        image
        for image in facts.report.image_files
        if max(image.width_px, image.height_px) > EXTREME_RATIO * min(image.width_px, image.height_px)
    ]
    if found:
        shown = named(f"{image.path} {image.width_px} x {image.height_px}" for image in found)
        message = f"{counted(len(found), 'picture')} more than {EXTREME_RATIO:g} times as long as wide ({shown})"
        files = tuple(image.path for image in found)
        yield Finding("extreme_ratio", "warning", files, message, "cut out the part that shows the subject")


def cropped(facts: FolderFacts) -> Iterator[Finding]:
    """Pictures of which much is cropped to fit a bucket, and whether something is drawn there."""
    found = [one for one in facts.placed if one.placement.cropped_share > MUCH_CROPPED]
    if not found:
        return
    found.sort(key=lambda one: -one.placement.cropped_share)
    shown = named(f"{one.text}: {one.placement.cropped_share:.0%}" for one in found)
    message = f"{counted(len(found), 'picture')} cropped by more than {MUCH_CROPPED:.0%} of the area ({shown})"
    hint = f"crop them yourself, to sides that are multiples of {facts.dataset.bucket_step_px}"
    yield Finding("cropped", "warning", tuple(one.image.path for one in found), message, hint)


def subject_cut(facts: FolderFacts) -> Iterator[Finding]:
    """Pictures of which the crop takes more than ground away."""
    found = [one for one in facts.placed if _cuts_subject(one, facts)]
    if found:
        shown = named(f"{one.image.path}: {one.placement.cropped_share:.0%}" for one in found)
        message = f"{counted(len(found), 'picture')} whose crop cuts through what is drawn ({shown})"
        hint = "look at the frames on the page of --html; crop them yourself where a head or hand is lost"
        yield Finding("subject_cut", "note", tuple(one.image.path for one in found), message, hint)


def bucket_small(facts: FolderFacts) -> Iterator[Finding]:
    """Buckets that fill no batch."""
    repeats = repeats_of_folders(facts.report.folders, facts.dataset)
    counts = Counter[Size]()
    for one in facts.placed:
        counts[one.placement.bucket] += repeats[one.image.folder]
    small = {size for size, number in counts.items() if number < facts.batch_size}
    files = tuple(one.image.path for one in facts.placed if one.placement.bucket in small)
    if len(counts) > 1 and len(files) > SMALL_BUCKET_SHARE * facts.report.num_images:
        sizes = named(f"{width} x {height}" for width, height in sorted(small))
        message = (
            f"{counted(len(files), 'picture')} of {facts.report.num_images:,} in {counted(len(small), 'bucket')} with "
            f"fewer than the {facts.batch_size} of a batch ({sizes}), so that many steps show fewer pictures"
        )
        yield Finding("bucket_small", "note", files, message, "crop them to a few shapes, or give more repeats")


def _cuts_subject(one: PlacedImage, facts: FolderFacts) -> bool:
    """Whether more is drawn along a side that a centre crop leaves out than in the picture, and goes on within."""
    pixels = facts.usable.get(one.image.path)
    if pixels is None or one.image.crop is not None:
        return False
    cuts = [(axis, round(SIDE * (1 - one.placement.bucket[axis] / one.placement.scaled[axis]) / 2)) for axis in (0, 1)]
    if all(cut < LEAST_CELLS for _, cut in cuts):
        return False
    edges = edges_of(pixels.fingerprint)
    mean = CUT_SUBJECT * float(edges.mean())
    for axis, cut in cuts:
        rows = edges if axis else edges.T
        for side in (rows, rows[::-1]):
            if cut >= LEAST_CELLS and min(side[:cut].mean(), side[cut : 2 * cut].mean()) > mean > 0:
                return True
    return False


def edges_of(copy: Fingerprint) -> np.ndarray[tuple[int, int], np.dtype[np.float32]]:
    """Differences between neighbouring cells, [SIDE, SIDE]: a coarse map of where something is drawn."""
    grey = np.frombuffer(copy.cells, np.uint8).reshape(SIDE, SIDE, 3).astype(np.float32).mean(axis=-1)
    down, across = np.gradient(grey)
    found: np.ndarray[tuple[int, int], np.dtype[np.float32]] = np.abs(down) + np.abs(across)
    return found


CHECKS = (too_small, extreme_ratio, cropped, subject_cut, bucket_small)
