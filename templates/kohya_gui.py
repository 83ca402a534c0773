"""kohya_ss: the configuration of its GUI's LoRA tab, and the folders that it trains from."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from advisor.config import TrainingConfig
from advisor.dataset import DatasetReport
from advisor.errors import ConfigErrors, DatasetError
from advisor.files import write_atomically
from advisor.scan import scan
from templates.exporter import Export, Exporter
from templates.kohya_check import Finding, findings
from templates.kohya_folders import COUNTED_EXTENSIONS, PlacedFolder, folder_name, placed_folders, repeats_by_folder
from templates.kohya_keys import GuiValue
from templates.kohya_links import LinkFolder
from templates.kohya_lists import DROPS, MAPS, as_error, errors_before, notes_on
from templates.kohya_settings import Layout, gui_settings, gui_steps
from templates.native import Pair
from templates.paths import absolute
from templates.render import render

FILE_NAME = "kohya-gui.json"

HOW_TO_START = (
    "Start kohya_ss and open its LoRA tab (not Dreambooth: that tab loads the file too, and trains something else). "
    "Under Configuration choose {file} and press the arrow that loads it; under Source model see that the path of the "
    "base model is right for that machine, then press Start training. LoRAs appear in {output}."
)


@dataclass(frozen=True)
class _Pictures:
    """Where pictures will stand, worked out before anything is made."""

    links: LinkFolder
    folders: tuple[PlacedFolder, ...] | None
    """None: they are not on this machine."""

    @property
    def exposures(self) -> int | None:
        """As the GUI will count them."""
        return None if self.folders is None else sum(folder.counted_exposures for folder in self.folders)


def write(config: TrainingConfig, *, run: Path, out: Path | None = None) -> Export:
    """The GUI's JSON in `run`/exports (or at `out`), and links to the pictures in `run`/exports/kohya.

    Raises:
        ConfigErrors: kohya would refuse, drop or misread settings; nothing is written.
        DatasetError: the folder of pictures holds none.
        RunError: something cannot be written.
    """
    if errors := tuple(errors_before(config)):
        raise ConfigErrors(errors)
    home = absolute(run) / "exports" / "kohya"
    images = _pictures(config, run, home / "img")
    regularization = _regularization(config, run, home / "reg")
    layout = _layout(config, run, home, images.exposures)
    values = gui_settings(config, layout)
    found = findings(values, machine_threads=os.cpu_count())
    _refuse(found, config, values)

    notes = [f"{f.key}: {f.message}" for f in found if f.level == "warning"]
    notes += [*notes_on(config), *_notes_on_files(config, layout, images)]
    for pictures in (images, regularization):
        if pictures is not None:
            notes += _fill(pictures, config.dataset.caption_extension)
    file = _target(out, home.parent / FILE_NAME)
    write_atomically(file, render_gui(values))
    start = HOW_TO_START.format(file=file, output=layout.output)
    return Export((file, home), tuple(notes), start)


def render_gui(values: dict[str, GuiValue]) -> str:
    """The GUI's JSON."""
    return render("kohya_gui.json.j2", pairs=[Pair(name, value) for name, value in values.items()])


EXPORTER = Exporter("kohya-gui", "kohya_ss GUI (LoRA tab)", MAPS, DROPS, write)


def _pictures(config: TrainingConfig, run: Path, root: Path) -> _Pictures:
    links = LinkFolder(root)
    folder = _located(config.dataset.images, run)
    if not folder.is_dir():
        return _Pictures(links, None)
    report = _outside(scan(folder, caption_extension=config.dataset.caption_extension), run)
    concept = folder_name(config.run.trigger) or folder_name(config.saving.name) or config.run.subject
    placed = placed_folders(
        report, repeats_by_folder(config.dataset), repeats=config.dataset.repeats, concept=concept,
        taken=links.taken(),
    )  # fmt: skip
    return _Pictures(links, placed)


def _regularization(config: TrainingConfig, run: Path, root: Path) -> _Pictures | None:
    given = config.dataset.regularization_images
    if given is None:
        return None
    links = LinkFolder(root)
    folder = _located(given, run)
    if not folder.is_dir():
        return _Pictures(links, None)
    report = scan(folder, caption_extension=config.dataset.caption_extension)
    own = {place.path: place.repeats for place in report.folders if place.repeats}
    return _Pictures(links, placed_folders(report, own, repeats=1, concept=config.run.subject, taken=links.taken()))


def _outside(report: DatasetReport, run: Path) -> DatasetReport:
    """Without what lies in the run folder: a run kept among the pictures holds our own links to them."""
    root, inner = Path(report.root).resolve(), run.resolve()
    kept = tuple(p for p in report.pictures if not (root / p.path).is_relative_to(inner))
    if not kept:
        raise DatasetError(f"{report.root} holds no pictures outside the run folder: give the folder that they are in")
    return replace(report, pictures=kept)


def _layout(config: TrainingConfig, run: Path, home: Path, exposures: int | None) -> Layout:
    network, dataset = config.network, config.dataset
    return Layout(
        images=str(home / "img"),
        regularization=str(home / "reg") if dataset.regularization_images else "",
        log=str(home / "log"),
        output=str(home / "model"),
        model=str(_located(config.model.path, run)),
        vae=str(_located(config.model.vae_path, run)) if config.model.vae_path else "",
        weights=str(_located(network.start_from, run)) if network.start_from else "",
        exposures=exposures,
    )


def _located(path: str, run: Path) -> Path:
    """A path of the configuration: absolute, or relative to the run folder."""
    return absolute(run / path)


def _refuse(found: tuple[Finding, ...], config: TrainingConfig, values: dict[str, GuiValue]) -> None:
    errors = [as_error(f, config, values.get(f.key)) for f in found if f.level == "error"]
    if errors:
        raise ConfigErrors(errors, where="kohya_ss would not train this as it is meant")


def _notes_on_files(config: TrainingConfig, layout: Layout, images: _Pictures) -> Iterator[str]:
    if not Path(layout.model).exists():
        yield f"The base model is not on this machine ({layout.model}): set its path in the GUI."
    if images.folders is None:
        yield (
            f"The pictures are not on this machine ({config.dataset.images}): put them into folders named `N_name` "
            f"(N: how often each is shown) under {layout.images}."
        )
        return
    steps = gui_steps(config, layout.exposures or 0)
    yield f"The GUI will count {min(steps, config.schedule.max_steps or steps)} steps."
    uncounted = sum(not p.name.endswith(COUNTED_EXTENSIONS) for folder in images.folders for p in folder.pictures)
    if uncounted:
        yield f"{uncounted} pictures are no .png, .jpg or .webp: the GUI does not count them, so it trains fewer steps."


def _fill(pictures: _Pictures, caption_extension: str) -> Iterator[str]:
    if pictures.folders is None:
        return
    copied = pictures.links.fill(pictures.folders, caption_extension)
    if copied:
        yield f"{copied} pictures were copied, since the disk holds no links to them; they take space twice."
    strangers = pictures.links.strangers()
    if strangers:
        yield f"{len(strangers)} files in {pictures.links.root} are not ours and were left (e.g. {strangers[0]})."


def _target(out: Path | None, usual: Path) -> Path:
    """`out` as a file; within it, where it is a folder."""
    if out is None:
        return usual
    return out / FILE_NAME if out.is_dir() else out
