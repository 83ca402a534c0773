from __future__ import annotations

import pytest

from templates.ai_toolkit.buckets import bucket_of


@pytest.mark.parametrize(
    ("size", "bucket"),
    [
        ((512, 768), (448, 576)),
        ((1024, 1024), (512, 512)),
        ((300, 300), (256, 320)),
        ((40, 1600), (64, 1600)),
        ((20, 20), (64, 64)),
    ],
)
def test_a_picture_is_shrunk_to_its_own_size_and_never_enlarged(size: tuple[int, int], bucket: tuple[int, int]) -> None:
    assert bucket_of(size, 512, 64) == bucket
