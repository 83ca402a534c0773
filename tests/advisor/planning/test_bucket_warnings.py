from __future__ import annotations

import pytest

from advisor.planning.bucket_warnings import bucket_warnings


def told(counts: dict[tuple[int, int], int], batch_size: int) -> list[tuple[str, str]]:
    return [(warning.code, warning.message) for warning in bucket_warnings(counts, batch_size)]


def test_a_batch_larger_than_a_bucket_is_told_with_the_bucket_its_pictures_and_what_becomes_of_them() -> None:
    ((code, message),) = told({(512, 512): 40, (640, 384): 3}, 4)

    assert code == "batch_larger_than_bucket"
    assert message.startswith("buckets with fewer pictures than a batch of 4: 640x384 (3); 1 of 11 batches an epoch is")
    assert "none is left out" in message


def test_of_many_small_buckets_three_are_named() -> None:
    ((_, message),) = told({(64 * side, 512): 1 for side in range(1, 6)}, 2)

    assert "64x512 (1), 128x512 (1), 192x512 (1) and 2 more;" in message


@pytest.mark.parametrize(("batch_size", "mend"), [(4, "a batch of 3"), (5, "a batch of 3"), (3, None)])
def test_many_short_batches_are_told_with_a_batch_that_fits(batch_size: int, mend: str | None) -> None:
    found = told({(512, 512): 6, (640, 384): 6}, batch_size)

    assert [code for code, _ in found] == (["short_batches"] if mend else [])
    assert all(str(mend) in message for _, message in found)


def test_where_no_batch_fits_repeats_do() -> None:
    ((_, message),) = told({(512, 512): 5, (640, 384): 6}, 4)

    assert "2 of 4 batches an epoch are short, the smallest of 1 picture instead of 4: repeats" in message


def test_a_few_short_batches_among_many_and_full_ones_are_nothing_to_tell() -> None:
    assert told({(512, 512): 41, (640, 384): 40}, 4) == []
    assert told({(512, 512): 1}, 1) == []
