"""Pixels: blur, JPEG blocks, bars along the sides, and what is repeated in a corner."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from advisor.dataset.doctor.finding import Finding
from advisor.dataset.doctor.folder_facts import Bars, FolderFacts
from advisor.dataset.doctor.pixel_measures import CORNER_HEIGHT, CORNER_WIDTH
from advisor.dataset.doctor.size_checks import edges_of
from advisor.units import counted, named

BLURRED = 0.55
"""Of `pixel_measures.blur`: sharp photographs and drawings have 0.1 to 0.3, those of colour gradients up to 0.5; with a
blur of two pixels at the size of training 0.5 to 0.75."""
BLOCKY = 1.6
"""Of `pixel_measures.jpeg_blocks`: JPEGs of quality 75 have 0.2 to 0.8, of 30 1.2 to 2.5, of 15 more."""
LEAST_BAR_SHARE = 0.015
"""Of a side."""
LIKE_CORNERS = 0.85
"""Correlation of two corners' edges."""
UNLIKE_REST = 0.5
"""Correlation of two whole pictures' edges; where more is alike, a corner is no sign of a mark."""
LEAST_MARKED, MARKED_SHARE = 4, 0.2
"""So many pictures, and so large a share of them, have the mark."""
LEAST_CORNER_EDGES = 2.0
"""Mean difference between neighbours; a plain corner has no mark."""
MOST_JOINED = 0.6
"""Where the edges that marked corners share are so strong, beside the strongest, at the sides towards the middle, they
belong to what is drawn there (the shoulders of portraits drawn alike): a mark stands by itself."""
MOST_COMPARED = 1000
"""Pictures whose corners are compared: of a larger set every second, third ... one."""
CORNERS = ("upper left", "upper right", "lower left", "lower right")


def blurred(facts: FolderFacts) -> Iterator[Finding]:
    """Pictures without a sharp part."""
    found = {path: one.blur for path, one in facts.usable.items() if one.blur is not None and one.blur >= BLURRED}
    if found:
        shown = named(path for path, _ in sorted(found.items(), key=lambda one: -one[1]))
        message = f"{counted(len(found), 'picture')} blurred all over ({shown}), and blur is learned"
        yield Finding("blurred", "warning", tuple(found), message, "give sharp ones, or leave them out")


def jpeg_artefacts(facts: FolderFacts) -> Iterator[Finding]:
    """Pictures whose JPEG blocks show."""
    files = tuple(path for path, one in facts.usable.items() if one.blocks is not None and one.blocks >= BLOCKY)
    if files:
        message = f"{counted(len(files), 'picture')} with visible JPEG blocks ({named(files)}), which are learned"
        yield Finding(
            "jpeg_artefacts", "warning", files, message, "give an original of better quality, or a larger one"
        )


def border(facts: FolderFacts) -> Iterator[Finding]:
    """Pictures between bars, as films have them."""
    found = dict[str, str]()
    for path in facts.usable:
        left, top, right, bottom = plain_bars(facts, path)
        if top or bottom:
            found[path] = f"{top} px above and {bottom} below"
        elif left or right:
            found[path] = f"{left} px left and {right} right"
    if found:
        shown = named(f"{path}: {where}" for path, where in found.items())
        message = f"{counted(len(found), 'picture')} between plain bars ({shown}), which are learned"
        yield Finding("border", "warning", tuple(found), message, "cut the bars off")


def screenshot(facts: FolderFacts) -> Iterator[Finding]:
    """Pictures with a program's bar above or below."""
    found = dict[str, str]()
    for path in facts.usable:
        _, above, _, below = program_bars(facts, path)
        where = [f"{px} px {place}" for px, place in ((above, "above"), (below, "below")) if px]
        if where:
            found[path] = " and ".join(where)
    if found:
        shown = named(f"{path}: {where}" for path, where in found.items())
        message = f"{counted(len(found), 'picture')} with a bar of signs, as screenshots have it ({shown})"
        yield Finding("screenshot", "warning", tuple(found), message, "cut the bar off, or it is learned")


def plain_bars(facts: FolderFacts, path: str) -> Bars:
    """Pixels of plain bars on opposite sides that the user has not cropped off; 0 where there are none."""
    one = facts.usable[path]
    left, top, right, bottom = facts.uncropped(path, one.bars)
    if min(left, right) < LEAST_BAR_SHARE * one.width_px:
        left = right = 0
    if min(top, bottom) < LEAST_BAR_SHARE * one.height_px:
        top = bottom = 0
    return left, top, right, bottom


def program_bars(facts: FolderFacts, path: str) -> Bars:
    """Pixels of bars of signs that the user has not cropped off."""
    one = facts.usable[path]
    above, below = (round(share * one.height_px) for share in one.panels)
    return facts.uncropped(path, (0, above, 0, below))


def watermark(facts: FolderFacts) -> Iterator[Finding]:
    """Corners that look the same in pictures that do not."""
    paths = list(facts.distinct)[:: 1 + len(facts.distinct) // MOST_COMPARED]
    if len(paths) < LEAST_MARKED:
        return
    corners = np.stack([np.frombuffer(facts.usable[path].corners, np.uint8).reshape(4, -1) for path in paths])
    whole = _normalised(np.stack([edges_of(facts.usable[path].fingerprint).ravel() for path in paths]))
    differ = whole @ whole.T < UNLIKE_REST
    for place, name in enumerate(CORNERS):
        edges = corners[:, place].astype(np.float32)
        has_edges = edges.mean(axis=1) >= LEAST_CORNER_EDGES
        alike = _alike(edges) & differ & np.outer(has_edges, has_edges)
        marked = np.flatnonzero(alike.sum(axis=1) >= LEAST_MARKED - 1)
        if len(marked) >= max(LEAST_MARKED, MARKED_SHARE * len(paths)) and _stands_alone(edges[marked], place):
            files = tuple(paths[index] for index in marked)
            message = f"{counted(len(files), 'picture')} with the same mark in the {name} corner, which is learned"
            yield Finding(
                "watermark", "warning", files, message, "cut it off or paint it over; or name it in their captions"
            )


def _stands_alone(edges: np.ndarray[tuple[int, ...], np.dtype[np.float32]], place: int) -> bool:
    """Whether what the corners share [N, cells] ends before the picture's middle."""
    shared = np.median(edges, axis=0).reshape(CORNER_HEIGHT, CORNER_WIDTH)
    is_lower, is_right = divmod(place, 2)
    row, column = shared[0 if is_lower else -1], shared[:, 0 if is_right else -1]
    return max(float(row.max()), float(column.max())) <= MOST_JOINED * float(shared.max())


def _alike(edges: np.ndarray[tuple[int, ...], np.dtype[np.float32]]) -> np.ndarray[tuple[int, ...], np.dtype[np.bool_]]:
    assert edges.shape[1] == CORNER_HEIGHT * CORNER_WIDTH
    unit = _normalised(edges)
    found: np.ndarray[tuple[int, ...], np.dtype[np.bool_]] = unit @ unit.T >= LIKE_CORNERS
    return found


def _normalised(
    rows: np.ndarray[tuple[int, ...], np.dtype[np.float32]],
) -> np.ndarray[tuple[int, ...], np.dtype[np.float32]]:
    centred = rows - rows.mean(axis=1, keepdims=True)
    found: np.ndarray[tuple[int, ...], np.dtype[np.float32]] = centred / np.maximum(
        np.linalg.norm(centred, axis=1, keepdims=True), np.float32(1e-6)
    )
    return found


CHECKS = (blurred, jpeg_artefacts, border, screenshot, watermark)
