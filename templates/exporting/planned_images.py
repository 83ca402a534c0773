"""Plans an export's image folders from the data set, and makes them once nothing else can fail."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from advisor.dataset.buckets import repeats_of_folders
from advisor.dataset.captions import CaptionReader
from advisor.dataset.epoch import epoch_sizes
from advisor.dataset.report import DatasetReport
from advisor.files import is_folder
from advisor.run_folder.layout import RunFolder
from advisor.run_folder.pictures.edits_told import told_of_edits
from advisor.run_folder.pictures.run_dataset import run_dataset
from advisor.run_folder.pictures.run_files import files_in
from advisor.run_folder.written import WrittenFiles
from advisor.settings.config import TrainingConfig, changed
from advisor.units import counted
from templates.exporting.derived import Length
from templates.exporting.image_folders import PlacedFolder, folder_name, placed_folders
from templates.exporting.image_links import LinkFolder
from templates.exporting.paths import located


@dataclass(frozen=True)
class PlannedImages:
    """The image folders of an export before they are made."""

    links: LinkFolder
    folders: tuple[PlacedFolder, ...] | None
    """None: they are not on this machine."""
    report: DatasetReport | None = None
    """What was found of them; None: they are not on this machine."""
    edits: tuple[str, ...] = ()
    """What is said of the user's edits of them."""


def planned_images(config: TrainingConfig, run: Path, root: Path) -> PlannedImages:
    """The configuration's images, to stand under `root`.

    Raises:
        DatasetError: their folder is here and holds none.
    """
    links = LinkFolder(root)
    folder = located(config.dataset.images, run)
    if not (config.dataset.images and is_folder(folder)):
        return PlannedImages(links, None)
    data = trained_pictures(config, run)
    report = data.report.read_by(CaptionReader.of(config))
    repeats = repeats_of_folders(report.folders, config.dataset)
    placed = placed_folders(report, repeats, concept=concept_of(config), taken=links.taken())
    return PlannedImages(links, placed, report, data.told)


@dataclass(frozen=True)
class TrainedPictures:
    """The pictures of a run as the trainer takes them."""

    report: DatasetReport
    is_edited: bool
    """They cannot be read where they lie: the user's edits change some, or some are broken."""
    told: tuple[str, ...]
    """What is said of edits, and of what a training left out."""


def trained_pictures(config: TrainingConfig, run: Path) -> TrainedPictures:
    """A run's pictures with the user's edits, and without the broken ones that a training left out.

    Raises:
        DatasetError: their folder holds none.
        RunError: edits, or the list of broken ones, cannot be read.
    """
    folder = RunFolder(run)
    data = run_dataset(folder, config)
    report = data.report.without(folder.read_left_out().paths)
    told, broken = told_of_edits(data), data.report.num_images - report.num_images
    if broken:
        told += (f"Not exported: {counted(broken, 'picture')} that training left out as broken.",)
    return TrainedPictures(report, report != data.files, told)


def concept_of(config: TrainingConfig) -> str:
    """The name of image folders that have no concept of their own."""
    return folder_name(config.run.trigger) or folder_name(config.saving.name) or config.run.subject


def planned_regularization(config: TrainingConfig, run: Path, root: Path) -> PlannedImages | None:
    """The regularisation images, where the configuration has any."""
    given = config.dataset.regularization_images
    if given is None:
        return None
    links = LinkFolder(root)
    folder = located(given, run)
    if not is_folder(folder):
        return PlannedImages(links, None)
    report = files_in(str(folder), config.dataset.regularization_folders or None, config)
    report = report.read_by(CaptionReader(config.dataset.caption_lines))
    repeats = tuple(place.repeats or 1 for place in report.folders)
    placed = placed_folders(report, repeats, concept=config.run.subject, taken=links.taken())
    return PlannedImages(links, placed, report)


def planned_length(
    config: TrainingConfig, images: PlannedImages, regularization: PlannedImages | None
) -> Length | None:
    """How long kohya's training is, which knows no tolerance; None where images are not on this machine."""
    if images.report is None or (regularization is not None and regularization.report is None):
        return None
    report = None if regularization is None else regularization.report
    there = changed(config, "dataset.upscale_tolerance", 0.0)
    return Length.of(config, epoch_sizes(images.report, there, report))


def filled(
    planned: PlannedImages,
    caption_extension: str,
    written: WrittenFiles,
    *,
    copy: bool = False,
    given_up: Iterable[Path] = (),
) -> Iterator[str]:
    """Make the folders; what the user should hear of it.

    Args:
        copy: copies of the images, no links.
        given_up: files of the user's in them that are replaced as well.

    Raises:
        RunError: they cannot be made.
    """
    if planned.folders is None:
        return
    yield from planned.edits
    root = planned.links.root
    made = planned.links.fill(planned.folders, caption_extension, written, copy=copy, given_up=given_up)
    if made.num_linked:
        yield (
            f"The pictures in {root} are hard links to yours: what changes one in place there, as some croppers do, "
            "changes yours. `loracle export --copy` makes copies; captions are copies in any case."
        )
    if made.num_cropped:
        yield f"{counted(made.num_cropped, 'picture')} are written as you cropped them, as PNG files of their own."
    if made.num_copied and not copy:
        yield f"{made.num_copied} pictures were copied, since the disk holds no links to them; they take space twice."
    if made.kept:
        files = counted(len(made.kept), "file")
        yield f"{files} of an earlier export, whose pictures are gone from where they were, stay: {made.kept[0]} ..."
    strangers = planned.links.strangers()
    if strangers:
        yield f"{len(strangers)} files in {root} are not ours and were left (e.g. {strangers[0]})."
