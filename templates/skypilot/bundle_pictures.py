"""The pictures of a bundle: copies of what is trained, in folders that the bundle's configuration names one by one."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from advisor.dataset.buckets import repeats_of_folders
from advisor.dataset.mask_files import mask_file_of
from advisor.dataset.report import DatasetReport
from advisor.files import is_folder
from advisor.run_folder.pictures.run_files import files_in
from advisor.settings.config import NamedFolder, TrainingConfig
from templates.exporting.image_folders import placed_folders
from templates.exporting.image_links import LinkFolder
from templates.exporting.paths import located
from templates.exporting.planned_images import PlannedImages, concept_of, trained_pictures

PICTURES, REGULARIZATION = "pictures", "regularization"
"""Their folders in the bundle."""


@dataclass(frozen=True)
class BundlePictures:
    """What is trained, and the pictures of the class."""

    subject: PlannedImages
    report: DatasetReport
    regularization: PlannedImages | None

    @property
    def all(self) -> tuple[PlannedImages | None, ...]:
        """Both, to be written."""
        return (self.subject, self.regularization)


def bundle_pictures(config: TrainingConfig, run: Path, bundle: Path) -> BundlePictures | None:
    """The run's pictures with the user's edits in them; None where a folder of them is not on this machine.

    Captions are as they stand in the files and edits, so that the machine reads them by the configuration as this one
    does. A picture without one gets what it is trained on here.

    Raises:
        DatasetError: a folder holds none.
        RunError: edits cannot be read.
    """
    dataset, reg = config.dataset, config.dataset.regularization_images
    if not is_folder(located(dataset.images, run)) or (reg is not None and not is_folder(located(reg, run))):
        return None
    data = trained_pictures(config, run)
    report = _captioned(data.report, config.run.trigger)
    with_masks = dataset.masks and dataset.mask_source == "files"
    links = LinkFolder(bundle / PICTURES)
    placed = placed_folders(
        report, repeats_of_folders(report.folders, dataset), concept=concept_of(config), taken=links.taken(),
        mask_of=mask_file_of if with_masks else lambda _: None,
    )  # fmt: skip
    subject = PlannedImages(links, placed, report, data.told)
    return BundlePictures(subject, report, None if reg is None else _of_class(config, located(reg, run), bundle))


def _of_class(config: TrainingConfig, folder: Path, bundle: Path) -> PlannedImages:
    links = LinkFolder(bundle / REGULARIZATION)
    report = _captioned(files_in(str(folder), config.dataset.regularization_folders or None, config), "")
    repeats = tuple(place.repeats or 1 for place in report.folders)
    placed = placed_folders(report, repeats, concept=config.run.subject, taken=links.taken())
    return PlannedImages(links, placed, report)


def _captioned(report: DatasetReport, otherwise: str) -> DatasetReport:
    """With a caption for each picture that has none: its folder's concept, as training takes it."""
    return report.with_images(
        tuple(
            one if one.caption is not None else replace(one, caption=report.folders[one.folder].concept or otherwise)
            for one in report.image_files
        )
    )


def named_folders(planned: PlannedImages) -> Sequence[NamedFolder]:
    """The bundle's folders of pictures, for its configuration."""
    return [NamedFolder(path=one.name, repeats=one.repeats, subfolders=False) for one in planned.folders or ()]
