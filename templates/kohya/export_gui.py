"""The exporter for kohya_ss's GUI: writes the JSON of its LoRA tab and the folders that it trains from."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

from advisor.errors import ConfigErrors
from advisor.files import is_folder, is_there
from advisor.run_folder.layout import RunFolder
from advisor.settings.config import TrainingConfig
from templates.exporting.exporter import USUAL, Export, Exporter, ExportOptions
from templates.exporting.memory import fitted
from templates.exporting.paths import absolute, named_images
from templates.exporting.planned_images import PlannedImages, planned_images, planned_length, planned_regularization
from templates.exporting.write_files import write_files
from templates.kohya.export_anima import is_anima
from templates.kohya.export_anima_files import file_errors
from templates.kohya.export_check import check_gui
from templates.kohya.export_coverage import DROPS, MAPS, drops_of, gui_errors, gui_notes, refuse
from templates.kohya.export_gui_values import gui_settings
from templates.kohya.export_layout import ExportLayout, export_layout
from templates.kohya.gui_keys import GuiValue
from templates.kohya.memory import MEMORY
from templates.kohya.words import ANIMA
from templates.native.loracle_toml import Pair
from templates.render import render

FILE_NAME = "kohya-gui.json"

HOW_TO_START = (
    "Start kohya_ss and open its LoRA tab (not Dreambooth: that tab loads the file too, and trains something else). "
    "Under Configuration choose\n  {file}\nand press the arrow that loads it; under Source model see that the path of "
    "the base model is right for that machine, then press Start training. LoRAs appear in\n  {output}"
)


def write(config: TrainingConfig, *, run: Path, out: Path | None = None, options: ExportOptions = USUAL) -> Export:
    """The GUI's JSON in `run`/exports (or at `out`), and links to the images in `run`/exports/kohya.

    Raises:
        ConfigErrors: kohya would refuse, drop or misread settings; nothing is written.
        DatasetError: the folder of images holds none.
        UsersFiles: files in the way are the user's; nothing is written.
        RunError: something cannot be written.
    """
    fit = fitted(config, run, MEMORY, "kohya's trainer")
    config = fit.config
    if errors := tuple(gui_errors(config)):
        raise ConfigErrors(errors)
    home = RunFolder(absolute(run)).exports / "kohya"
    images = planned_images(config, run, home / "img")
    regularization = planned_regularization(config, run, home / "reg")
    layout = export_layout(config, run, home, planned_length(config, images, regularization))
    if is_anima(config) and (errors := tuple(file_errors(layout, "kohya's GUI"))):
        raise ConfigErrors(errors)
    values = gui_settings(config, layout)
    found = check_gui(values, machine_threads=os.cpu_count())
    refuse(found, config, values, "kohya_ss")

    notes = [f"{f.key}: {f.message}" for f in found if f.level == "warning"]
    notes += [*gui_notes(config, layout.length), *_notes_on_files(config, layout, images), *fit.notes]
    file = _target(out, home.parent / FILE_NAME)
    notes += write_files(
        {file: render_gui(values)}, (images, regularization), config=config, run=run, kind="kohya-gui", options=options
    )
    start = HOW_TO_START.format(file=file, output=layout.output)
    paths = (file,) if images.folders is None else (file, home)
    return Export(paths, tuple(notes), start)


def render_gui(values: dict[str, GuiValue]) -> str:
    """The GUI's JSON."""
    return render("kohya/files/kohya_gui.json.j2", pairs=[Pair(name, value) for name, value in values.items()])


EXPORTER = Exporter(
    "kohya-gui", "kohya_ss GUI (LoRA tab)", MAPS, DROPS, MEMORY, write, {ANIMA: drops_of(ANIMA, DROPS)}
)  # fmt: skip


def _target(out: Path | None, usual: Path) -> Path:
    """`out` as a file; within it, where it is a folder."""
    if out is None:
        return usual
    return out / FILE_NAME if is_folder(out) else out


def _notes_on_files(config: TrainingConfig, layout: ExportLayout, images: PlannedImages) -> Iterator[str]:
    if not is_there(Path(layout.model)):
        yield f"The base model is not on this machine ({layout.model}): set its path in the GUI."
    if layout.weights and not is_there(Path(layout.weights)):
        yield f"The LoRA to go on from is not on this machine ({layout.weights}): set `Network weights` in the GUI."
    if images.folders is None:
        yield (
            f"The pictures are not on this machine ({named_images(config)}): put them into folders named `N_name` "
            f"(N: how often each is shown) under {layout.images}."
        )
    if (length := layout.length) is not None:
        about = "" if length.is_exact or length.ends_early else "about "
        others = "" if length.ends_early else "; the number that the GUI prints before is not looked at"
        yield f"kohya will train {about}{length.steps} steps in {length.num_epochs} epochs{others}."
