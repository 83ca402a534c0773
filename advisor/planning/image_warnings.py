"""Warnings about pictures: too few, too small, cropped, enlarged, transparent, animated, or gone since the plan."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from pathlib import Path

from advisor.dataset.buckets import Bucketing
from advisor.dataset.placed import (
    CLEARLY_SMALLER,
    MUCH_CROPPED,
    MUCH_ENLARGED,
    TOO_FEW_IMAGES,
    PlacedImage,
    placed_images,
)
from advisor.dataset.report import DatasetReport
from advisor.plan import PlanWarning
from advisor.rules.bucket_sizes import UPSCALE_TOLERANCE
from advisor.settings.config import DatasetConfig, TrainingConfig
from advisor.units import counted, named

Findings = Iterator[PlanWarning]


def image_warnings(report: DatasetReport, config: TrainingConfig) -> Findings:
    """What the user should hear of the pictures before a training."""
    number = report.num_images
    if number < TOO_FEW_IMAGES:
        yield PlanWarning(
            "few_pictures",
            f"only {counted(number, 'picture')}: poses and backgrounds may be learned too; 20 to 50 are better",
        )
    yield from _small(report, config.dataset)
    yield from altered_images(report, config)
    problems = [problem for problem in report.problems if problem.code != "empty_caption"]  # a warning of its own
    if problems:
        first = problems[0]
        finding = f"{counted(len(problems), 'thing')} to mend in the folder; first {first.path}: {first.message}"
        yield PlanWarning("dataset_problems", finding)


def altered_images(report: DatasetReport, config: TrainingConfig) -> Findings:
    """Pictures that are trained otherwise than they look."""
    placed = placed_images(report, config.dataset)
    yield from _cropped(placed, config.dataset)
    yield from _enlarged(placed, config.dataset)
    yield from _transparent(report, config.dataset)
    animated = [image.path for image in report.image_files if image.animated]
    if animated:
        which = f"{counted(len(animated), 'picture')} animated ({named(animated)})"
        mend = "save the frame that you want as .png, or leave it out"
        yield PlanWarning("animated_pictures", f"{which}, of which only the first frame is trained: {mend}")


def gone_images(report: DatasetReport, planned: Collection[str], renamed: Collection[str] = ()) -> Findings:
    """Pictures that were there when the run was planned and are not there now.

    Args:
        planned: paths relative to the report's root.
        renamed: absolute paths that pictures had before they got the names that they have now.
    """
    here = {image.path for image in report.image_files} | {problem.path for problem in report.problems}
    here |= {one.image.path for one in report.excluded}
    names = {(Path(report.root) / path).as_posix(): path for path in planned}
    gone = [path for full, path in names.items() if path not in here and full not in renamed]
    if gone:
        which = f"{counted(len(gone), 'picture')} of the plan gone since ({named(gone)})"
        yield PlanWarning(
            "pictures_gone", f"{which}: put them back, or plan anew, since repeats and steps were chosen for all"
        )


def _small(report: DatasetReport, dataset: DatasetConfig) -> Findings:
    side = dataset.resolution_px
    least = min(CLEARLY_SMALLER, 1 / (1 + dataset.upscale_tolerance) ** 2) * side**2
    small = sum(1 for image in report.image_files if image.width_px * image.height_px < least)
    if small:
        have, they, their = ("has", "it is", "its") if small == 1 else ("have", "they are", "their")
        how = "enlarged to it" if dataset.bucket_upscale else f"trained at about {their} own size"
        mend = f"{they} {how}; larger originals are better"
        yield PlanWarning(
            "small_pictures", f"{counted(small, 'picture')} {have} fewer pixels than {side} x {side}: {mend}"
        )


def _cropped(placed: list[PlacedImage], dataset: DatasetConfig) -> Findings:
    cropped = [one for one in placed if one.placement.cropped_share > MUCH_CROPPED]
    cropped.sort(key=lambda one: -one.placement.cropped_share)
    if not cropped:
        return
    shown = named(f"{one.text}: {one.placement.cropped_share:.0%}" for one in cropped)
    which = f"{counted(len(cropped), 'picture')} cropped by more than {MUCH_CROPPED:.0%} of their area ({shown})"
    mend = f"crop them yourself, to sides that are multiples of {dataset.bucket_step_px}"
    if any(one.image.width_px * one.image.height_px < dataset.resolution_px**2 for one in cropped):
        mend += ", or give larger ones"
    if not dataset.upscale_tolerance and not dataset.bucket_upscale and _would_gain(cropped, dataset):
        mend += f"; dataset.upscale_tolerance={UPSCALE_TOLERANCE:g} enlarges those that are a little too small"
    yield PlanWarning("much_cropped", f"{which}, to fit a training size: {mend}")


def _would_gain(cropped: list[PlacedImage], dataset: DatasetConfig) -> bool:
    """Whether less is lost of some of them where pictures are enlarged a little."""
    tolerant = Bucketing.of(dataset.model_copy(update={"upscale_tolerance": UPSCALE_TOLERANCE}))
    sizes = {(one.image.width_px, one.image.height_px): one.placement.cropped_share for one in cropped}
    return any(tolerant.place(*size).cropped_share < share for size, share in sizes.items())


def _enlarged(placed: list[PlacedImage], dataset: DatasetConfig) -> Findings:
    enlarged = sorted((one for one in placed if one.enlarged > MUCH_ENLARGED), key=lambda one: -one.enlarged)
    if enlarged:
        shown = named(f"{one.text}: {one.enlarged:.1f} times" for one in enlarged)
        rest = "leave them out, or set dataset.bucket_upscale to false"
        mend = f"give larger ones, {rest if dataset.bucket_upscale else 'or leave them out'}"
        yield PlanWarning(
            "much_enlarged", f"{counted(len(enlarged), 'picture')} enlarged ({shown}), whose blur is learned: {mend}"
        )


def _transparent(report: DatasetReport, dataset: DatasetConfig) -> Findings:
    transparent = [image.path for image in report.image_files if image.transparent]
    if transparent and not (dataset.masks and dataset.mask_source == "alpha"):
        which = f"{counted(len(transparent), 'picture')} transparent in places ({named(transparent)})"
        mend = "put a background behind it, or set dataset.masks, which leaves it out"
        yield PlanWarning("transparent_pictures", f"{which}: what is transparent is trained as white; {mend}")
