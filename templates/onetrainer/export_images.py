"""What OneTrainer makes of the images: how long it trains on them, at which sizes, and which it leaves out."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from advisor.dataset.buckets import repeats_of_folders
from advisor.dataset.captions import lines_of
from advisor.dataset.epoch import epoch_sizes
from advisor.dataset.mask_files import mask_file_of
from advisor.dataset.report import DatasetReport
from advisor.errors import ConfigError
from advisor.files import is_folder
from advisor.run_folder.pictures.run_files import files_in
from advisor.settings.config import TrainingConfig
from templates.exporting.derived import Length
from templates.exporting.image_folders import placed_folders
from templates.exporting.image_links import LinkFolder
from templates.exporting.paths import located
from templates.exporting.planned_images import PlannedImages, concept_of, trained_pictures
from templates.exporting.size_notes import named_sizes, size_notes
from templates.onetrainer.batches import FullBatches


@dataclass(frozen=True)
class ImagesThere:
    """The images as both trainers go through them."""

    report: DatasetReport
    """What a scan found of the subject's."""
    regularization: DatasetReport | None
    theirs: FullBatches
    is_edited: bool = False
    """The user's edits of the run change what is trained, so that the images cannot be read where they are."""
    edits: tuple[str, ...] = ()
    """What is said of them."""

    @classmethod
    def of(cls, config: TrainingConfig, run: Path) -> ImagesThere | None:
        """The configuration's images; None where they are not on this machine.

        Raises:
            DatasetError: their folder holds none.
        """
        dataset = config.dataset
        if not (dataset.images and is_folder(located(dataset.images, run))):
            return None
        data, regularization = trained_pictures(config, run), None
        report = data.report
        images = [(report, repeats_of_folders(report.folders, dataset))]
        if dataset.regularization_images and is_folder(root := located(dataset.regularization_images, run)):
            regularization = files_in(str(root), dataset.regularization_folders or None, config)
            images.append((regularization, (1,) * len(regularization.folders)))
        return cls(report, regularization, FullBatches.of(config, images), data.is_edited, data.told)


def edited_images(config: TrainingConfig, images: ImagesThere | None, home: Path) -> PlannedImages | None:
    """Folders in `home` with the images as the user's edits make them, masks beside them; None where none is needed."""
    if images is None or not images.is_edited:
        return None
    links, report = LinkFolder(home / "img"), images.report
    with_masks = config.dataset.masks and config.dataset.mask_source == "files"
    placed = placed_folders(
        report,
        repeats_of_folders(report.folders, config.dataset),
        concept=concept_of(config),
        taken=links.taken(),
        mask_of=mask_file_of if with_masks else lambda _: None,
    )
    return PlannedImages(links, placed, report)


def image_errors(images: ImagesThere | None) -> Iterator[ConfigError]:
    """A batch that no size of pictures fills: nothing would be trained."""
    if images is not None and not images.theirs.batches:
        sizes = named_sizes(images.theirs.shown)
        mend = f"OneTrainer trains full batches only, and the pictures at {sizes} fill none: lower it"
        yield ConfigError("schedule.batch_size", images.theirs.batch_size, mend)


def image_notes(config: TrainingConfig, images: ImagesThere | None) -> Iterator[str]:
    """Steps, sizes, and pictures that are left out or enlarged."""
    if images is None:
        return
    yield from images.edits
    theirs, ours = images.theirs, epoch_sizes(images.report, config, images.regularization)
    length = f"{theirs.steps(config)} steps in {config.schedule.epochs} epochs"
    yield f"OneTrainer will train {length} (ours: {Length.of(config, ours).steps} steps)."
    if theirs.num_left_out:
        yield (
            f"schedule.batch_size ({theirs.batch_size}): OneTrainer makes full batches only, so that "
            f"{theirs.num_left_out} of an epoch's {theirs.shown.total()} showings are left out, of other pictures each "
            "time."
        )
    if theirs.never_trained:
        yield (
            f"schedule.batch_size ({theirs.batch_size}): OneTrainer never trains the pictures at "
            f"{named_sizes(theirs.never_trained)}, since they do not fill a batch: lower it, or raise repeats."
        )
    several = sum(1 for image in images.report.image_files if len(lines_of(image.caption or "")) > 1)
    if several and config.dataset.caption_lines != "random":
        which = f"{several} of the captions have several lines"
        yield f"dataset.caption_lines: OneTrainer draws one of a caption's lines each time, and {which}."
    yield from size_notes("OneTrainer", theirs.shown, ours)
    if theirs.num_enlarged and not config.dataset.bucket_upscale:
        yield f"dataset.bucket_upscale: OneTrainer enlarges {theirs.num_enlarged} pictures that are smaller than that."
