"""The exporter for sd-scripts: writes `config.toml`, `dataset.toml` and the scripts that start them."""

from __future__ import annotations

import shlex
from collections.abc import Iterator
from pathlib import Path

from advisor.errors import ConfigError, ConfigErrors, RunError
from advisor.files import is_file, is_there
from advisor.run_folder.layout import RunFolder
from advisor.settings.config import TrainingConfig, setting_paths
from advisor.shell import powershell_quoted, powershell_word, quoted
from templates.exporting.exporter import USUAL, Export, Exporter, ExportOptions
from templates.exporting.memory import fitted
from templates.exporting.paths import absolute, named_images
from templates.exporting.planned_images import PlannedImages, planned_images, planned_length, planned_regularization
from templates.exporting.write_files import write_files
from templates.kohya.export_anima import anima_script_errors, is_anima, lycoris_preset
from templates.kohya.export_anima_files import file_errors
from templates.kohya.export_check import check_scripts
from templates.kohya.export_coverage import DROPS as GUI_DROPS
from templates.kohya.export_coverage import drops_of, lycoris_notes, refuse, shared_errors, shared_notes
from templates.kohya.export_gui_values import gui_settings, is_lycoris
from templates.kohya.export_layout import ExportLayout, export_layout, with_slashes
from templates.kohya.export_script_tables import Subset, dataset_settings, script_settings, subsets
from templates.kohya.memory import MEMORY
from templates.kohya.prompt_lines import prompt_lines
from templates.kohya.words import ANIMA, CUDA_PREFIXES, MIXED_PRECISIONS, SCRIPTS, VISIBLE_DEVICES
from templates.render import render

FOLDER_NAME = "sd-scripts"
CONFIG_HEAD = (
    "For sd-scripts' --config_file; written by Loracle. Tables are for readers: sd-scripts looks at keys only."
)
PRESET_NAME = "lycoris.toml"
PRESET_HEAD = "Which layers LyCORIS adapts; config.toml names this file as preset."
DATASET_HEAD = "The pictures; config.toml names this file as dataset_config."

DROPS = {path: meaning for path, meaning in GUI_DROPS.items() if path != "machine.gpu_uuid"} | {
    "saving.state_every_minutes": "sd-scripts saves a state by epochs: add --save_state to be able to resume",
}
"""Settings without a place in sd-scripts, and what that means."""

MAPS = frozenset(setting_paths()) - frozenset(DROPS)

HOW_TO_START = (
    "In the folder of sd-scripts, with its environment active, run\n  sh {sh}\nor, in Windows PowerShell (where "
    "scripts are not allowed, paste the lines in it),\n  & {ps}\nLoRAs appear in\n  {output}"
)


def write(config: TrainingConfig, *, run: Path, out: Path | None = None, options: ExportOptions = USUAL) -> Export:
    """Both TOML files and the launch lines in `run`/exports/sd-scripts (or the folder `out`).

    The images' links are those of kohya's other export, in `run`/exports/kohya/img.

    Raises:
        ConfigErrors: sd-scripts would refuse or misread settings; nothing is written.
        DatasetError: the folder of images holds none.
        UsersFiles: files in the way are the user's; nothing is written.
        RunError: something cannot be written.
    """
    fit = fitted(config, run, MEMORY, "sd-scripts")
    config = fit.config
    if errors := tuple(_errors(config)):
        raise ConfigErrors(errors)
    home, links = _homes(run, out)
    images = planned_images(config, run, links / "img")
    regularization = planned_regularization(config, run, links / "reg")
    length = planned_length(config, images, regularization)
    layout = with_slashes(export_layout(config, run, home, length))
    if is_anima(config) and (errors := tuple(file_errors(layout, "sd-scripts"))):
        raise ConfigErrors(errors)
    values = gui_settings(config, layout)
    found = check_scripts(values)
    refuse(found, config, values, "sd-scripts")

    notes = [f"{f.key}: {f.message}" for f in found if f.level == "warning"]
    notes += [*shared_notes(config, length, DROPS, "sd-scripts"), *lycoris_notes(config)]
    if not is_there(Path(layout.model)):
        notes.append(f"The base model is not on this machine ({layout.model}): set its path in config.toml.")
    if images.folders is None:
        notes.append(f"The pictures are not on this machine ({named_images(config)}): fill in dataset.toml.")
    texts = {home / name: text for name, text in _texts(config, layout, home, _subsets(images, regularization)).items()}
    notes += fit.notes
    notes += write_files(
        texts, (images, regularization), config=config, run=run, kind="sd-scripts", options=options
    )  # fmt: skip
    paths = tuple(texts)
    start = HOW_TO_START.format(
        sh=quoted(str(home / "train.sh")), ps=quoted(str(home / "train.ps1"), windows=True), output=layout.output
    )
    return Export(paths, tuple(notes), start)


EXPORTER = Exporter(
    "sd-scripts", "kohya's sd-scripts (command line)", MAPS, DROPS, MEMORY, write, {ANIMA: drops_of(ANIMA, DROPS)}
)  # fmt: skip


def _errors(config: TrainingConfig) -> Iterator[ConfigError]:
    yield from shared_errors(config, "sd-scripts")
    if is_anima(config):
        yield from anima_script_errors(config)


def launch_words(config: TrainingConfig, config_file: str) -> tuple[str, ...]:
    """The command that trains, word by word."""
    return (
        "accelerate", "launch",
        "--num_cpu_threads_per_process", str(config.machine.cpu_threads),
        "--num_processes", "1", "--num_machines", "1",
        "--mixed_precision", MIXED_PRECISIONS.theirs(config.memory.compute_dtype), "--dynamo_backend", "no",
        SCRIPTS.theirs(config.model.family), "--config_file", config_file,
    )  # fmt: skip


def launch_sh(config: TrainingConfig, config_file: str) -> str:
    """The command for a POSIX shell."""
    line = shlex.join(launch_words(config, config_file))
    gpu = config.machine.gpu_uuid
    return f"{VISIBLE_DEVICES}={shlex.quote(gpu)} {line}\n" if gpu.startswith(CUDA_PREFIXES) else line + "\n"


def launch_powershell(config: TrainingConfig, config_file: str) -> str:
    """The command for PowerShell."""
    gpu = config.machine.gpu_uuid
    line = " ".join(powershell_word(word) for word in launch_words(config, config_file))
    chosen = f"$env:{VISIBLE_DEVICES} = {powershell_quoted(gpu)}\n" if gpu.startswith(CUDA_PREFIXES) else ""
    return chosen + line + "\n"


def _homes(run: Path, out: Path | None) -> tuple[Path, Path]:
    """Where the files go, and where kohya's links are."""
    exports = RunFolder(absolute(run)).exports
    home = exports / FOLDER_NAME if out is None else absolute(out)
    if is_file(home):
        raise RunError(f"{home} is a file: sd-scripts gets several, so name a folder")
    return home, exports / "kohya"


def _subsets(images: PlannedImages, regularization: PlannedImages | None) -> tuple[Subset, ...]:
    found = subsets(images.links.root.as_posix(), images.folders or ())
    if regularization is not None:
        found += subsets(regularization.links.root.as_posix(), regularization.folders or (), is_reg=True)
    return found


def _texts(config: TrainingConfig, layout: ExportLayout, home: Path, folders: tuple[Subset, ...]) -> dict[str, str]:
    """Every file by its name; the launch lines last, since they lead to the others."""
    sampling = config.sampling
    draws = bool(sampling.prompts and sampling.every_epochs)
    prompts = (home / "prompts.txt").as_posix() if draws else ""
    dataset = (home / "dataset.toml").as_posix()
    has_preset = is_anima(config) and is_lycoris(config.network)
    preset = (home / PRESET_NAME).as_posix() if has_preset else ""
    tables = script_settings(config, layout, dataset=dataset, prompts=prompts, preset=preset)
    is_masked = config.dataset.masks and config.dataset.mask_source == "alpha"
    config_file = (home / "config.toml").as_posix()
    texts = {
        "config.toml": render("kohya/files/sd_scripts_config.toml.j2", head=CONFIG_HEAD, tables=tables),
        "dataset.toml": render(
            "kohya/files/sd_scripts_dataset.toml.j2", head=DATASET_HEAD, settings=dataset_settings(config),
            subsets=folders, alpha_mask=is_masked,
        ),
    }  # fmt: skip
    if preset:
        settings = lycoris_preset(config.network)
        texts[PRESET_NAME] = render("kohya/files/lycoris_preset.toml.j2", head=PRESET_HEAD, settings=settings)
    if draws:
        texts["prompts.txt"] = "".join(f"{line}\n" for line in prompt_lines(sampling, config.dataset.resolution_px))
    texts["train.sh"] = "#!/bin/sh\n" + launch_sh(config, config_file)
    texts["train.ps1"] = "\ufeff" + launch_powershell(config, config_file)  # without the mark Windows reads it as ANSI
    return texts
