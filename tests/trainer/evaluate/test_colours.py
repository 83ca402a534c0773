from __future__ import annotations

import pytest
import torch

from trainer.evaluate.colours import colour_parts, grid_of, lab

KNOWN = {
    (255, 255, 255): (100.0, 0.0, 0.0),
    (0, 0, 0): (0.0, 0.0, 0.0),
    (255, 0, 0): (53.24, 80.09, 67.20),
    (0, 0, 255): (32.30, 79.19, -107.86),
    (128, 128, 128): (53.59, 0.0, 0.0),
}
"""sRGB and its L*a*b* under D65, as tables have them (brucelindbloom.com, CIE color calculator)."""


def plain(colour: tuple[int, int, int], height: int = 32, width: int = 32) -> torch.Tensor:
    return torch.tensor(colour, dtype=torch.uint8)[:, None, None].expand(3, height, width).contiguous()


@pytest.mark.parametrize(("colour", "expected"), KNOWN.items())
def test_colours_are_those_of_the_tables(colour: tuple[int, int, int], expected: tuple[float, float, float]) -> None:
    assert lab(plain(colour))[:, 5, 5].tolist() == pytest.approx(expected, abs=0.02)


def test_a_part_has_its_own_colour_and_that_around_it() -> None:
    picture = plain((0, 0, 0))
    picture[:, :, 16:] = 255

    parts = colour_parts(picture).reshape(16, 16, 6)

    assert parts[5, 2].tolist() == pytest.approx([0] * 6, abs=0.01)
    assert parts[5, 7, [0, 3]].tolist() == pytest.approx([0, 100 / 3], abs=0.01)
    assert parts[0, 15, [0, 3]].tolist() == pytest.approx([100, 100], abs=0.01)


def test_cells_are_about_square() -> None:
    assert grid_of(128, 128, 8) == (8, 8)
    assert grid_of(64, 128, 8) == (8, 16)
    assert grid_of(192, 128, 8) == (12, 8)
    assert colour_parts(plain((9, 9, 9), 64, 128)).shape == (16 * 32, 6)
