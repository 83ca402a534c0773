"""Pictures that are trained otherwise than they look, and pictures that are gone."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

from advisor.planning.image_warnings import gone_images
from tests.support.factories import make_dataset, make_plan_for


def message(code: str, **fields: Any) -> str:
    """What the plan says under this code; empty: nothing."""
    return next((one.message for one in make_plan_for(**fields).warnings if one.code == code), "")


def test_pictures_that_lose_much_at_their_edges_are_told() -> None:
    told = message("much_cropped", sizes=((511, 511), (800, 800)), settings={"dataset.upscale_tolerance": 0})

    assert "15 pictures cropped by more than 15% of their area (00000.png 511 x 511: 23%, " in told
    assert "multiples of 64, or give larger ones; dataset.upscale_tolerance=0.1 enlarges those" in told
    assert message("much_cropped", sizes=((511, 511), (800, 800))) == ""


def test_a_sliver_that_is_enlarged_many_times_is_told_with_the_number() -> None:
    told = message("much_enlarged", sizes=((40, 1600), (800, 800)), settings={"dataset.bucket_upscale": True})

    assert "15 pictures enlarged (00000.png 40 x 1600: 6.4 times, " in told
    assert told.endswith("give larger ones, leave them out, or set dataset.bucket_upscale to false")


def test_only_mends_that_help_are_told_of_cropped_pictures() -> None:
    told = message("much_cropped", sizes=((1920, 1080),), settings={"dataset.resolution_px": 64})

    assert told.endswith("to fit a training size: crop them yourself, to sides that are multiples of 64")


def test_a_small_picture_is_enlarged_by_no_choice_and_the_mend_names_none() -> None:
    told = message("much_enlarged", sizes=((40, 600), (800, 800)))

    assert told.endswith("whose blur is learned: give larger ones, or leave them out")


def test_pictures_a_little_under_the_resolution_are_not_called_small() -> None:
    assert message("small_pictures", sizes=((511, 511),)) == ""
    assert "30 pictures have fewer pixels than 512 x 512" in message("small_pictures", sizes=((400, 400),))
    assert "enlarged to it" in message("small_pictures", sizes=((400, 400),), settings={"dataset.bucket_upscale": True})


def test_transparent_and_animated_pictures_are_named() -> None:
    dataset = make_dataset(12)
    first, second, *others = dataset.image_files
    dataset = replace(dataset, image_files=(replace(first, transparent=True), replace(second, animated=True), *others))

    told = message("transparent_pictures", dataset=dataset)
    assert "1 picture transparent in places (00000.png): what is transparent is trained as white" in told
    assert "(00001.png), of which only the first frame is trained" in message("animated_pictures", dataset=dataset)
    assert message("transparent_pictures", dataset=dataset, settings={"dataset.masks": True}) == ""


def test_pictures_of_the_plan_that_are_gone_are_named() -> None:
    report = make_dataset(3)

    (warning,) = gone_images(report, ("00000.png", "b.png", "c.png", "00002.png"))

    assert warning.code == "pictures_gone"
    assert "2 pictures of the plan gone since (b.png, c.png)" in warning.message
    assert list(gone_images(report, ())) == []


def test_a_renamed_picture_is_not_gone() -> None:
    report = make_dataset(3)
    renamed = [(Path(report.root) / "b.png").as_posix()]

    assert list(gone_images(report, ("00000.png", "b.png"), renamed)) == []


def test_a_training_size_of_another_shape_is_not_small() -> None:
    assert message("small_pictures", family="sdxl", sizes=((832, 1216), (1024, 960))) == ""
    assert "30 pictures" in message("small_pictures", family="sdxl", sizes=((768, 1024),))
