"""Finds images, regularization images and masks on the disk; what is wrong with them becomes warnings."""

from __future__ import annotations

from pathlib import Path

from advisor.dataset.report import DatasetReport
from advisor.dataset.scan import scan
from advisor.planning.bucket_warnings import bucket_warnings
from advisor.settings.config import TrainingConfig
from advisor.units import counted
from trainer.data.masks import Masks
from trainer.data.training_set import TrainingSet, write_manifest
from trainer.runtime.events import Events, ReportProgress

MAX_PROBLEM_WARNINGS = 10
"""So many unusable files are named in warnings of their own; of more, the number."""


def gather_images(config: TrainingConfig, run: Path, events: Events) -> TrainingSet:
    """The images of a training, listed in the run folder; what is wrong with them becomes warnings.

    Raises:
        DatasetError: there are none.
        ConfigError: none can be held out.
        RunError: the list cannot be written.
    """
    dataset = config.dataset
    report = _scanned(dataset.images, config, events)
    regularization = None
    if dataset.regularization_images is not None:
        regularization = _scanned(dataset.regularization_images, config, events)
    training_set = TrainingSet.of(report, config, regularization=regularization)
    write_manifest(run, training_set.items)
    if regularization is not None:
        _warn_of_unused(training_set, regularization, events)
    for warning in bucket_warnings(training_set.bucket_counts(), config.schedule.batch_size):
        events.warning(warning.code, warning.message)
    return training_set


def gather_masks(
    config: TrainingConfig,
    run: Path,
    training_set: TrainingSet,
    events: Events,
    *,
    latent_px: int,
    progress: ReportProgress,
) -> Masks:
    """The images' masks, all looked at; those that are missing or empty become warnings.

    Raises:
        DatasetError: one cannot be used.
    """
    masks = Masks(training_set, config, run, latent_px=latent_px)
    news = masks.prepare(progress)
    for code, paths, what in (
        ("mask_missing", news.missing, "without a mask, counted as a whole"),
        ("mask_empty", news.empty, "with a mask that leaves nothing to learn from"),
    ):
        if paths:
            events.warning(code, f"{counted(len(paths), 'picture')} {what}; first {paths[0]}")
    return masks


def _scanned(folder: str, config: TrainingConfig, events: Events) -> DatasetReport:
    report = scan(Path(folder), caption_extension=config.dataset.caption_extension)
    for problem in report.problems[:MAX_PROBLEM_WARNINGS]:
        events.warning(problem.code, f"{problem.path}: {problem.message}")
    more = len(report.problems) - MAX_PROBLEM_WARNINGS
    if more > 0:
        events.warning("more_problems", f"{more} more files have problems: `loracle check` lists them")
    return report


def _warn_of_unused(training_set: TrainingSet, regularization: DatasetReport, events: Events) -> None:
    used, there = len(training_set.used_for("regularization")), regularization.num_images
    if used < there:
        message = (
            f"{used:,} of {counted(there, 'regularization picture')} are used: as many showings as the others have"
        )
        events.warning("regularization_unused", message)
