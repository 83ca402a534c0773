"""Pairs of pictures that show the same, and the groups that they make.

Windows of one picture are compared with the whole of the other: coarsely all windows by a few cells in grey, then the
best few pairs exactly. So a copy is found that was resized, re-encoded, brightened, mirrored or cropped, while drawings
in one style, whose coarse forms are all alike, are told apart by what differs in one place.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from math import exp, log

import numpy as np
from numpy.typing import NDArray

from advisor.dataset.near_duplicates.compare import aligned
from advisor.dataset.near_duplicates.fingerprint import SIDE, Fingerprint
from advisor.dataset.near_duplicates.windows import LEAST_SHARE, SCALES, WHOLE, Floats, Window, descriptors, windows

COARSE_CELLS = 8
LEAST_COARSE = 0.86
"""Correlation of two descriptors in grey; copies reach 0.9 but for crops that fall between windows."""
CANDIDATES_EACH = 6
"""So many pictures are compared exactly with each, the likest: copies are likest of all."""
MOST_FOR_CROPS = 2000
"""In a larger set only whole pictures are compared: crops would take minutes."""
ASPECT_STEP = 0.08
"""Pictures whose proportions differ by less are looked for in the same windows."""
MOST_SQUEEZED = 0.12
"""Logarithm of how far a copy's proportions are from the other's, where it is scaled and not cropped."""
PRINTS_AT_ONCE = 256
AT_ONCE = 2_000_000
"""Numbers in memory at a time while windows are compared."""


@dataclass(frozen=True)
class Match:
    """Two pictures that show the same."""

    first: int
    """The one that shows more; its place among those compared."""
    second: int
    mirrored: bool
    share: float
    """Of the first one's area that the second shows."""


@dataclass(frozen=True, order=True)
class _Candidate:
    unlikeness: float
    mirrored: bool
    first: int
    second: int
    window: Window


def matches(prints: Sequence[Fingerprint]) -> tuple[Match, ...]:
    """All pairs that show the same, each once."""
    if not prints:
        return ()
    found = dict[tuple[int, int], Match]()
    for one in _candidates(prints):
        pair = min(one.first, one.second), max(one.first, one.second)
        if pair in found:
            continue
        first, second = _copies([prints[one.first], prints[one.second]])
        second = second[:, ::-1] if one.mirrored else second
        aspect = prints[one.second].aspect / prints[one.first].aspect
        for window in _places(one.window, aspect):
            place = aligned(first, second, window)
            if place is not None:
                found[pair] = Match(one.first, one.second, one.mirrored, place.share)
                break
    return tuple(found[pair] for pair in sorted(found))


def groups(number: int, pairs: Iterable[tuple[int, int]]) -> tuple[tuple[int, ...], ...]:
    """The things 0 to number - 1 in groups: those of a pair in one, each thing in one only, in their order."""
    of = list(range(number))

    def first(place: int) -> int:
        while of[place] != place:
            of[place] = of[of[place]]
            place = of[place]
        return place

    for one, other in pairs:
        low, high = sorted((first(one), first(other)))
        of[high] = low
    found = defaultdict[int, list[int]](list)
    for place in range(number):
        found[first(place)].append(place)
    return tuple(tuple(group) for group in found.values())


def _places(window: Window, aspect: float) -> tuple[Window, ...]:
    """Where to compare exactly: at the window with the exact proportions, and as a whole if one was squeezed."""
    exact = window.of_aspect(aspect)
    return (exact, WHOLE) if exact != WHOLE and abs(log(aspect)) <= MOST_SQUEEZED else (exact,)


def _copies(prints: Sequence[Fingerprint]) -> Floats:
    """[pictures, SIDE, SIDE, 3]."""
    joined = np.frombuffer(b"".join(one.cells for one in prints), np.uint8)
    return joined.reshape(-1, SIDE, SIDE, 3).astype(np.float32)


def _candidates(prints: Sequence[Fingerprint]) -> list[_Candidate]:
    """Pairs worth comparing exactly, the likest first."""
    classes = defaultdict[int, list[int]](list)
    for place, one in enumerate(prints):
        classes[round(log(one.aspect) / ASPECT_STEP)].append(place)
    search = _Search.among(prints)
    found = defaultdict[int, list[_Candidate]](list)
    for looked_at, firsts in classes.items():
        for looked_for, seconds in classes.items():
            steps = looked_for - looked_at
            if abs(steps) * ASPECT_STEP <= -log(LEAST_SHARE):
                for candidate in search.alike(firsts, seconds, exp(steps * ASPECT_STEP)):
                    found[candidate.first].append(candidate)
    return sorted({one for of_first in found.values() for one in sorted(of_first)[:CANDIDATES_EACH]})


@dataclass(frozen=True)
class _Search:
    """The coarse comparison: windows of pictures with whole pictures."""

    prints: Sequence[Fingerprint]
    wholes: tuple[tuple[bool, Floats], ...]
    """Descriptors of whole pictures, [pictures, c * c]: as they are, and mirrored."""
    scales: tuple[float, ...]

    @classmethod
    def among(cls, prints: Sequence[Fingerprint]) -> _Search:
        """The search among these pictures."""
        parts = [_grey(prints[start : start + PRINTS_AT_ONCE]) for start in range(0, len(prints), PRINTS_AT_ONCE)]
        wholes = (
            (mirrored, np.concatenate([_whole(part[:, :, ::-1] if mirrored else part) for part in parts]))
            for mirrored in (False, True)
        )
        return cls(prints, tuple(wholes), SCALES if len(prints) <= MOST_FOR_CROPS else SCALES[:1])

    def alike(self, firsts: Sequence[int], seconds: Sequence[int], aspect: float) -> Iterator[_Candidate]:
        """Those of `seconds` that a window of one of `firsts` looks like, the likest of each, with the best of its
        windows.
        """
        places = [window for of_scale in windows(aspect, self.scales) for window in of_scale]
        step = max(1, AT_ONCE // (len(places) * max(len(seconds), COARSE_CELLS**2)))
        looked_for = [(mirrored, wholes[list(seconds)].T) for mirrored, wholes in self.wholes]
        for start in range(0, len(firsts), step):
            chunk = list(firsts[start : start + step])
            grey = _grey([self.prints[place] for place in chunk])
            seen = descriptors(grey, aspect, self.scales, COARSE_CELLS).reshape(-1, COARSE_CELLS**2)
            for mirrored, wholes in looked_for:
                likeness = (seen @ wholes).reshape(len(chunk), len(places), len(seconds))
                most = likeness.max(axis=1) if len(places) > 1 else likeness[:, 0]
                for row, column in zip(*_likest(most), strict=True):
                    first, second = chunk[row], seconds[column]
                    if first != second:
                        window = places[int(likeness[row, :, column].argmax())]
                        yield _Candidate(-float(most[row, column]), mirrored, first, second, window)


def _likest(likeness: Floats) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Rows and columns of those that are alike, of each row the most alike: one more than are compared exactly, since
    one of them may be the picture itself.
    """
    most, is_alike = CANDIDATES_EACH + 1, likeness >= LEAST_COARSE
    rows, columns = _places_of(is_alike)
    crowded = np.flatnonzero(np.bincount(rows) > most)
    if not len(crowded):
        return rows, columns
    seen = likeness[crowded]
    is_alike[crowded] &= seen >= np.partition(seen, -most, axis=1)[:, -most, None]
    if int(is_alike.sum()) > 2 * most * len(likeness):  # many are equal: of these the first
        order = np.argsort(-seen, axis=1, kind="stable")[:, :most]
        first = np.zeros_like(is_alike[crowded])
        np.put_along_axis(first, order, values=True, axis=1)
        is_alike[crowded] &= first
    return _places_of(is_alike)


def _places_of(is_so: NDArray[np.bool_]) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Rows and columns of what is true, row by row; where hardly anything is, several times as fast as `np.nonzero`."""
    rows, columns = np.divmod(np.flatnonzero(is_so), is_so.shape[1])
    return rows, columns


def _grey(prints: Sequence[Fingerprint]) -> Floats:
    """Their small copies in grey, [pictures, SIDE, SIDE]."""
    cells = np.frombuffer(b"".join(one.cells for one in prints), np.uint8).reshape(-1, SIDE, SIDE, 3)
    sums = np.add(cells[..., 0], cells[..., 1], dtype=np.uint16)
    sums += cells[..., 2]
    found: Floats = sums.astype(np.float32) / np.float32(3)
    return found


def _whole(grey: Floats) -> Floats:
    """Descriptors of whole pictures, [pictures, c * c]."""
    return descriptors(grey, 1.0, SCALES[:1], COARSE_CELLS)[:, 0]
