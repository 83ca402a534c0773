"""Buckets are those of kohya's trainer, on vectors that were observed there."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from advisor.dataset.buckets import Bucketing, Size, batches_per_epoch, bucket_counts
from advisor.settings.config import DatasetConfig
from tests.support.paths import KOHYA_VECTORS

VECTORS = json.loads(KOHYA_VECTORS.read_text("utf-8"))["buckets"]
SQUARE = [case for case in VECTORS if case["reso"][0] == case["reso"][1]]


def bucketing(case: dict[str, Any]) -> Bucketing:
    return Bucketing(
        resolution_px=case["reso"][0],
        step_px=case["steps"],
        min_px=case["min"] or case["reso"][0],
        max_px=case["max"] or case["reso"][0],
        upscale=not case["no_upscale"],
    )


@pytest.mark.parametrize("case", SQUARE, ids=lambda case: f"{case['reso'][0]}-{case['steps']}-{case['no_upscale']}")
def test_every_picture_lands_where_kohya_puts_it(case: dict[str, Any]) -> None:
    for width, height, bucket, scaled, *_ in case["rows"]:
        placement = bucketing(case).place(width, height)

        assert [list(placement.bucket), list(placement.scaled)] == [bucket, scaled], (width, height)


@pytest.mark.parametrize("case", [case for case in SQUARE if case["predefined"]])
def test_the_fixed_sizes_are_kohyas(case: dict[str, Any]) -> None:
    assert [list(size) for size in bucketing(case).sizes()] == case["predefined"]


@given(st.integers(1, 9000), st.integers(1, 9000), st.booleans(), st.sampled_from([128, 512, 576, 768, 1024]))
def test_a_scaled_picture_covers_its_bucket_and_the_bucket_is_on_the_step(
    width: int, height: int, upscale: bool, resolution: int
) -> None:
    placement = Bucketing(resolution, 64, 256 * resolution // 512, 2 * resolution, upscale).place(width, height)

    assert placement.scaled[0] >= placement.bucket[0] >= 64
    assert placement.scaled[1] >= placement.bucket[1] >= 64
    assert placement.bucket[0] % 64 == placement.bucket[1] % 64 == 0 or upscale


def test_small_pictures_are_not_enlarged() -> None:
    placement = Bucketing(512, 64, 256, 1024, upscale=False).place(300, 400)

    assert (placement.bucket, placement.scaled) == ((256, 384), (300, 400))


TOLERANT = Bucketing(512, 64, 256, 1024, upscale=False, tolerance=0.1)


@pytest.mark.parametrize(
    ("picture", "bucket", "scaled"),
    [
        ((511, 511), (512, 512), (512, 512)),
        ((466, 466), (512, 512), (512, 512)),
        ((465, 465), (448, 448), (465, 465)),
        ((511, 300), (512, 320), (545, 320)),
        ((384, 576), (384, 576), (384, 576)),
        ((2000, 1990), (448, 448), (450, 448)),  # larger than the resolution: as kohya has it
    ],
)
def test_within_the_tolerance_a_small_picture_fills_the_larger_size(picture: Size, bucket: Size, scaled: Size) -> None:
    placement = TOLERANT.place(*picture)

    assert (placement.bucket, placement.scaled) == (bucket, scaled)


def test_without_a_tolerance_buckets_are_kohyas() -> None:
    placement = Bucketing(512, 64, 256, 1024, upscale=False).place(511, 511)

    assert placement.bucket == (448, 448)
    assert round(placement.cropped_share, 2) == 0.23


@given(st.integers(32, 3000), st.integers(32, 3000), st.sampled_from([0.05, 0.1, 0.5]), st.sampled_from([512, 1024]))
def test_a_tolerance_crops_never_more_and_enlarges_no_more_than_it_says(
    width: int, height: int, tolerance: float, resolution: int
) -> None:
    exact = Bucketing(resolution, 64, 256, 2 * resolution, upscale=False)

    placement, usual = replace(exact, tolerance=tolerance).place(width, height), exact.place(width, height)

    assert placement.cropped_share <= usual.cropped_share
    assert placement == usual or max(placement.bucket[0] / width, placement.bucket[1] / height) <= 1 + tolerance
    assert placement == usual or placement.bucket[0] * placement.bucket[1] <= resolution**2


def test_counts_take_each_folders_repeats() -> None:
    dataset = DatasetConfig(images="pictures")
    counts = bucket_counts({(512, 512, 0): 3, (512, 768, 1): 2}, dataset, repeats=(4, 5))

    assert counts == Counter({(512, 512): 12, (384, 576): 10}) or sum(counts.values()) == 22
    assert counts[(512, 512)] == 12


def test_each_bucket_keeps_its_short_batch() -> None:
    assert batches_per_epoch({(512, 512): 9, (384, 640): 4}, batch_size=4) == 4
