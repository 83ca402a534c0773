"""A picture in slices, which the VAE encodes or decodes one after the other: how large each is."""

from __future__ import annotations

from math import ceil

OVERLAP_PX = 128
"""Of two slices beside one another, over which one fades into the other; diffusers' tiles of 512 have as much."""


def slice_px(length_px: int, slices: int, unit_px: int) -> int:
    """Pixels that each of so many slices has of a side, a multiple of the unit; all where they would be no smaller."""
    each = ceil((length_px + (slices - 1) * OVERLAP_PX) / slices / unit_px) * unit_px
    return length_px if slices == 1 else min(each, length_px)


def computed_px(length_px: int, slices: int, unit_px: int) -> int:
    """Pixels of a side that all slices have together: what they overlap is computed twice."""
    each = slice_px(length_px, slices, unit_px)
    return length_px if each == length_px else slices * each
