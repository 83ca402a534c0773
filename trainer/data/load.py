"""Finds images, regularization images and masks on the disk; what is wrong with them becomes warnings."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from pathlib import Path
from typing import Literal

from advisor.dataset.report import DatasetReport
from advisor.errors import BrokenImages
from advisor.planning.bucket_warnings import bucket_warnings
from advisor.planning.caption_warnings import lost_lines
from advisor.planning.image_warnings import altered_images, gone_images
from advisor.run_folder.layout import RunFolder
from advisor.run_folder.pictures.changes_since import changes_since, planned_paths
from advisor.run_folder.pictures.edits_told import edit_warnings
from advisor.run_folder.pictures.file_stamps import file_stamps
from advisor.run_folder.pictures.left_out import LeftOut
from advisor.run_folder.pictures.manifest import FileNotes
from advisor.run_folder.pictures.run_dataset import run_dataset
from advisor.run_folder.pictures.run_files import files_in
from advisor.settings.config import TrainingConfig
from advisor.shell import quoted
from advisor.units import counted, first_of
from trainer.data.check_images import check_images, images_to_check
from trainer.data.held_out import held_out_images
from trainer.data.manifest import write_manifest
from trainer.data.masks import Masks
from trainer.data.training_set import TrainingSet
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
        RunError: the list, or the record of what is held out, cannot be written; or the edits cannot be read.
    """
    dataset, folder = config.dataset, RunFolder(run)
    images, notes = _subject(config, folder, events)
    regularization = None
    if dataset.regularization_images is not None:
        regularization = files_in(dataset.regularization_images, dataset.regularization_folders or None, config)
        _tell(regularization, config, events)
    reports = [one for one in (images, regularization) if one is not None]
    left_out, contents = _left_out(reports, config, folder, events, progress=progress("check_images"), on_broken=broken)
    report = images.without(left_out.paths)
    regularization = None if regularization is None else regularization.without(left_out.paths)
    paths = [Path(report.root) / image.path for image in report.image_files]
    out = held_out_images(paths, config, run, events, progress=progress, known=contents)
    training_set = TrainingSet.of(report, config, regularization=regularization, held_out=out, contents=contents)
    write_manifest(run, training_set.items, report=report, notes=notes.with_contents(contents))
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


def _subject(config: TrainingConfig, run: RunFolder, events: Events) -> tuple[DatasetReport, FileNotes]:
    """The images to learn with the user's edits, and what the manifest keeps of their files."""
    dataset = config.dataset
    stamps = file_stamps(Path(dataset.images), dataset.named_folders, dataset.caption_extension)
    data = run_dataset(run, config)
    _tell(data.report, config, events)
    for code, message in edit_warnings(data):
        events.warning(code, message)
    renamed = planned_paths(run, changes_since(run, config))
    _warn_of_gone(data.report, run, renamed.values(), events)
    return data.report, FileNotes.of(data, stamps).with_planned_paths(renamed)


def _tell(report: DatasetReport, config: TrainingConfig, events: Events) -> None:
    first = first_of(report.problems, MAX_PROBLEM_WARNINGS)
    for problem in first:
        events.warning(problem.code, f"{problem.path}: {problem.message}")
    more = len(report.problems) - len(first)
    if more > 0:
        events.warning("more_problems", f"{more} more files have problems: `loracle check` lists them")
    for warning in (*altered_images(report, config), *lost_lines(report, config)):
        events.warning(warning.code, warning.message)


def _warn_of_gone(report: DatasetReport, run: RunFolder, renamed: Collection[str], events: Events) -> None:
    record = run.known_plan()
    planned = None if record is None else record.fields.dataset
    if planned is not None and planned.root == report.root:
        for warning in gone_images(report, planned.images, renamed):
            events.warning(warning.code, warning.message)


def _left_out(
    reports: Sequence[DatasetReport],
    config: TrainingConfig,
    run: RunFolder,
    events: Events,
    *,
    progress: ReportProgress,
    on_broken: OnBroken,
) -> tuple[LeftOut, Mapping[str, str]]:
    """What was left out before, and what is broken now; and the sha256 of all others' files.

    Raises:
        BrokenImages: some are, and the user did not agree to leave them out.
        RunError: the record cannot be read or written.
    """
    known = run.read_left_out()
    images = images_to_check([one.without(known.paths) for one in reports], config)
    events.phase("check_images", len(images))
    found = check_images(images, run.path, threads=config.machine.cpu_threads, progress=progress)
    if found.broken and on_broken == "refuse":
        command = f"loracle train {quoted(str(run.path))} --skip-broken"
        raise BrokenImages.of([image.why for image in found.broken], command)
    left_out = known.with_more(found.broken)
    if found.broken and on_broken == "leave out":
        run.write_left_out(left_out)
    _warn_of_left_out(left_out, run, events)
    return left_out, found.contents


def _warn_of_left_out(left_out: LeftOut, run: RunFolder, events: Events) -> None:
    names = [Path(image.path).name for image in left_out.images[:MAX_PROBLEM_WARNINGS]]
    if names:
        more = ", ..." * (len(names) < len(left_out.images))
        what = f"{counted(len(left_out.images), 'broken picture')} left out ({', '.join(names)}{more})"
        command = f"loracle pictures {quoted(str(run.path))} take-in"
        events.warning("left_out", f"{what}; `{command} NAME` looks at one again, '*' in its place at all")


def _warn_of_unused(training_set: TrainingSet, regularization: DatasetReport, events: Events) -> None:
    used, there = len(training_set.used_for("regularization")), regularization.num_images
    if used < there:
        message = (
            f"{used:,} of {counted(there, 'regularization picture')} are used: as many showings as the others have"
        )
        events.warning("regularization_unused", message)
