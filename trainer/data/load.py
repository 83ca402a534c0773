"""Finds images, regularization images and masks on the disk; what is wrong with them becomes warnings."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Literal

from advisor.dataset.report import DatasetReport
from advisor.dataset.scan import scan
from advisor.errors import BrokenImages
from advisor.planning.bucket_warnings import bucket_warnings
from advisor.planning.caption_warnings import lost_lines
from advisor.planning.image_warnings import altered_images, gone_images
from advisor.run_folder.layout import RunFolder
from advisor.run_folder.left_out import LeftOut
from advisor.settings.config import NamedFolder, TrainingConfig
from advisor.shell import quoted
from advisor.units import counted
from trainer.data.check_images import broken_images, images_to_check
from trainer.data.held_out import held_out_images
from trainer.data.masks import Masks
from trainer.data.training_set import TrainingSet, write_manifest
from trainer.runtime.events import Events, ReportProgress

OnBroken = Literal["refuse", "leave out", "leave out once"]
"""What is done about images that cannot be decoded."""
MAX_PROBLEM_WARNINGS = 10
"""So many unusable files are named in warnings of their own; of more, the number."""


def gather_images(
    config: TrainingConfig,
    run: Path,
    events: Events,
    *,
    progress: Callable[[str], ReportProgress],
    broken: OnBroken = "refuse",
) -> TrainingSet:
    """The images of a training, all decoded once and listed in the run folder; problems become warnings.

    Args:
        progress: of the phase with this name; may raise to break off.
        broken: what is done about those that cannot be decoded: they are recorded as left out, or for this start only.

    Raises:
        BrokenImages: some cannot be decoded, or their masks cannot; all are named.
        DatasetError: there are none.
        ConfigError: none can be held out.
        RunError: the list, or the record of what is held out, cannot be written.
    """
    dataset = config.dataset
    report = _scanned(dataset.images, dataset.named_folders, config, events)
    regularization = None
    if dataset.regularization_images is not None:
        of_class = dataset.regularization_folders or None
        regularization = _scanned(dataset.regularization_images, of_class, config, events)
    _warn_of_gone(report, run, events)
    reports = [one for one in (report, regularization) if one is not None]
    left_out = _left_out(reports, config, run, events, progress=progress("check_images"), on_broken=broken)
    report = report.without(left_out.paths)
    regularization = None if regularization is None else regularization.without(left_out.paths)
    paths = [Path(report.root) / image.path for image in report.image_files]
    out = held_out_images(paths, config, run, events, progress=progress)
    training_set = TrainingSet.of(report, config, regularization=regularization, held_out=out)
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


def _scanned(folder: str, only: Sequence[NamedFolder] | None, config: TrainingConfig, events: Events) -> DatasetReport:
    report = scan(Path(folder), only=only, caption_extension=config.dataset.caption_extension)
    for problem in report.problems[:MAX_PROBLEM_WARNINGS]:
        events.warning(problem.code, f"{problem.path}: {problem.message}")
    more = len(report.problems) - MAX_PROBLEM_WARNINGS
    if more > 0:
        events.warning("more_problems", f"{more} more files have problems: `loracle check` lists them")
    for warning in (*altered_images(report, config), *lost_lines(report, config)):
        events.warning(warning.code, warning.message)
    return report


def _warn_of_gone(report: DatasetReport, run: Path, events: Events) -> None:
    record = RunFolder(run).known_plan()
    planned = None if record is None else record.fields.dataset
    if planned is not None and planned.root == report.root:
        for warning in gone_images(report, planned.images):
            events.warning(warning.code, warning.message)


def _left_out(
    reports: Sequence[DatasetReport],
    config: TrainingConfig,
    run: Path,
    events: Events,
    *,
    progress: ReportProgress,
    on_broken: OnBroken,
) -> LeftOut:
    """What was left out before, and what is broken now.

    Raises:
        BrokenImages: some are, and the user did not agree to leave them out.
        RunError: the record cannot be read or written.
    """
    folder = RunFolder(run)
    known = folder.read_left_out()
    images = images_to_check([one.without(known.paths) for one in reports], config)
    events.phase("check_images", len(images))
    broken = broken_images(images, run, threads=config.machine.cpu_threads, progress=progress)
    if broken and on_broken == "refuse":
        command = f"loracle train {quoted(str(run))} --skip-broken"
        raise BrokenImages.of([image.why for image in broken], command)
    left_out = known.with_more(broken)
    if broken and on_broken == "leave out":
        folder.write_left_out(left_out)
    _warn_of_left_out(left_out, folder, events)
    return left_out


def _warn_of_left_out(left_out: LeftOut, run: RunFolder, events: Events) -> None:
    names = [Path(image.path).name for image in left_out.images[:MAX_PROBLEM_WARNINGS]]
    if names:
        more = ", ..." * (len(names) < len(left_out.images))
        what = f"{counted(len(left_out.images), 'broken picture')} left out ({', '.join(names)}{more})"
        events.warning("left_out", f"{what}; delete {run.left_out} to look at all of them again")


def _warn_of_unused(training_set: TrainingSet, regularization: DatasetReport, events: Events) -> None:
    used, there = len(training_set.used_for("regularization")), regularization.num_images
    if used < there:
        message = (
            f"{used:,} of {counted(there, 'regularization picture')} are used: as many showings as the others have"
        )
        events.warning("regularization_unused", message)
