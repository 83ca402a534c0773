from __future__ import annotations

import pytest

from advisor.tagging.batch_size import batch_size
from advisor.units import GIB, MIB


@pytest.mark.parametrize(
    ("model_bytes", "free_bytes", "on_gpu", "expected"),
    [
        (380 * MIB, 24 * GIB, True, 16),
        (380 * MIB, 2 * GIB, True, 6),
        (1200 * MIB, 3 * GIB, True, 1),
        (380 * MIB, 100 * MIB, True, 1),
        (380 * MIB, 16 * GIB, False, 4),
        (1200 * MIB, 4 * GIB, False, 2),
        (1 * MIB, 300 * MIB, False, 4),
    ],
)
def test_as_many_as_memory_allows_and_not_more_than_help(
    model_bytes: int, free_bytes: int, on_gpu: bool, expected: int
) -> None:
    assert batch_size(model_bytes, free_bytes, on_gpu=on_gpu) == expected
