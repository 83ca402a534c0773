from __future__ import annotations

import pytest

from templates.musubi.buckets import bucket_of, bucket_sizes


def test_sizes_have_the_area_of_the_resolution_in_steps_of_16() -> None:
    sizes = bucket_sizes(512)

    assert (512, 512) in sizes
    assert (256, 1024) in sizes
    assert (272, 960) in sizes
    assert all(side % 16 == 0 for size in sizes for side in size)
    assert max(width * height for width, height in sizes) <= 512**2


@pytest.mark.parametrize(
    ("size", "enlarges", "expected"),
    [
        ((3000, 2000), True, (624, 416)),
        ((300, 200), True, (624, 416)),
        ((300, 200), False, (288, 192)),
        ((1024, 1024), False, (512, 512)),
        ((100, 4000), True, (256, 1024)),
    ],
)
def test_a_picture_goes_where_musubi_tuners_selector_puts_it(
    size: tuple[int, int], enlarges: bool, expected: tuple[int, int]
) -> None:
    """As `BucketSelector` of June 2026 gave them."""
    assert bucket_of(size, 512, enlarges=enlarges) == expected
