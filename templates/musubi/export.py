"""The exporter for musubi-tuner: writes `config.toml`, `dataset.toml` and the scripts that cache and train."""

from __future__ import annotations

import shlex
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from advisor.dataset.epoch import epoch_sizes
from advisor.errors import ConfigErrors, RunError
from advisor.families import family
from advisor.files import is_file
from advisor.run_folder.layout import RunFolder
from advisor.settings.config import TrainingConfig, changed
from advisor.shell import powershell_quoted, powershell_word, quoted
from templates.exporting.exporter import USUAL, Export, Exporter, ExportOptions
from templates.exporting.memory import fitted
from templates.exporting.paths import absolute
from templates.exporting.planned_images import PlannedImages, planned_images, planned_length
from templates.exporting.size_notes import size_notes
from templates.exporting.write_files import write_files
from templates.kohya.export_layout import ExportLayout, export_layout, with_slashes
from templates.kohya.words import CUDA_PREFIXES, MIXED_PRECISIONS, VISIBLE_DEVICES
from templates.musubi.buckets import trained_sizes
from templates.musubi.export_coverage import DROPS, MAPS, WHERE, errors, file_notes, notes
from templates.musubi.export_tables import DatasetFolder, config_tables, dataset_folders, dataset_settings, packs_text
from templates.musubi.memory import MEMORY
from templates.musubi.prompt_lines import prompt_lines
from templates.musubi.words import FAMILIES
from templates.render import render

FOLDER_NAME = "musubi-tuner"
BASE_DTYPE = "memory.base_dtype"
SCRIPTS = "src/musubi_tuner"
"""Where its scripts are in its folder."""
CONFIG_HEAD = (
    "For musubi-tuner's --config_file; written by Loracle. Tables are for readers: musubi-tuner looks at keys only."
)
DATASET_HEAD = "The pictures; config.toml names this file as dataset_config."

HOW_TO_START = (
    "In the folder of musubi-tuner, with its environment active, run\n  sh {sh}\nor, in Windows PowerShell (where "
    "scripts are not allowed, paste the lines in it),\n  & {ps}\nIt encodes pictures and captions, then trains; LoRAs "
    "appear in\n  {output}"
)


def write(config: TrainingConfig, *, run: Path, out: Path | None = None, options: ExportOptions = USUAL) -> Export:
    """Both TOML files, launch lines and links to the images in `run`/exports/musubi-tuner (or the folder `out`).

    Raises:
        ConfigErrors: musubi-tuner cannot train this; nothing is written.
        DatasetError: the folder of images holds none.
        UsersFiles: files in the way are the user's; nothing is written.
        RunError: something cannot be written.
    """
    home = RunFolder(absolute(run)).exports / FOLDER_NAME if out is None else absolute(out)
    if is_file(home):
        raise RunError(f"{home} is a file: musubi-tuner gets several, so name a folder")
    given = config.memory.base_dtype
    fit = fitted(_in_8_bits(config), run, MEMORY, WHERE)
    config = fit.config
    images = _captioned(planned_images(config, run, home / "img"))
    length = planned_length(changed(config, "validation.share", 0.0), images, None)
    layout = with_slashes(export_layout(config, run, home, length))
    if found := tuple(errors(changed(config, BASE_DTYPE, given), layout)):
        raise ConfigErrors(found, where=f"{WHERE} would not train this as it is meant")
    told = [*notes(changed(config, BASE_DTYPE, given), length), *file_notes(config, layout, images)]
    told += _size_notes(config, images)
    texts = {home / name: text for name, text in _texts(config, layout, home, images).items()}
    told += fit.notes
    told += write_files(texts, (images,), config=config, run=run, kind="musubi-tuner", options=options)
    start = HOW_TO_START.format(
        sh=quoted(str(home / "train.sh")), ps=quoted(str(home / "train.ps1"), windows=True), output=layout.output
    )
    return Export(tuple(texts), tuple(told), start)


EXPORTER = Exporter("musubi-tuner", "musubi-tuner (Z-Image)", MAPS, DROPS, MEMORY, write)


def _in_8_bits(config: TrainingConfig) -> TrainingConfig:
    """A base in 4 bits, which musubi-tuner does not have, takes as much as one in 8."""
    return changed(config, BASE_DTYPE, "int8") if config.memory.quantised else config


def _captioned(images: PlannedImages) -> PlannedImages:
    """With a caption beside each picture: those without one, which musubi-tuner leaves out, show their concept."""
    if images.folders is None:
        return images
    folders = (
        replace(
            folder,
            images=tuple(
                one if one.caption is not None else replace(one, caption=folder.concept) for one in folder.images
            ),
        )
        for folder in images.folders
    )
    return replace(images, folders=tuple(folders))


def _size_notes(config: TrainingConfig, images: PlannedImages) -> Iterator[str]:
    if images.report is None:
        return
    dataset = config.dataset
    theirs = trained_sizes(images.report, dataset.resolution_px, enlarges=dataset.bucket_upscale)
    yield from size_notes(WHERE, theirs, epoch_sizes(images.report, config, None))


def _texts(config: TrainingConfig, layout: ExportLayout, home: Path, images: PlannedImages) -> dict[str, str]:
    """Every file by its name; the launch lines last, since they lead to the others."""
    sampling = config.sampling
    draws = bool(sampling.prompts and sampling.every_epochs)
    prompts = (home / "prompts.txt").as_posix() if draws else ""
    dataset, config_file = ((home / name).as_posix() for name in ("dataset.toml", "config.toml"))
    folders = dataset_folders(images.links.root.as_posix(), (home / "cache").as_posix(), images.folders or ())
    texts = {
        "config.toml": render(
            "kohya/files/sd_scripts_config.toml.j2", head=CONFIG_HEAD,
            tables=config_tables(config, layout, dataset=dataset, prompts=prompts),
        ),
        "dataset.toml": dataset_text(config, folders),
    }  # fmt: skip
    if draws:
        shift = family(config.model.family).sampling_shift
        lines = prompt_lines(sampling, config.dataset.resolution_px, shift)
        texts["prompts.txt"] = "".join(f"{line}\n" for line in lines)
    commands = launch_words(config, layout, dataset, config_file)
    texts["train.sh"] = "#!/bin/sh\nset -e\n" + launch_sh(config, commands)
    texts["train.ps1"] = "\ufeff" + _in_powershell(config, commands)  # without the mark Windows reads it as ANSI
    return texts


def dataset_text(config: TrainingConfig, folders: tuple[DatasetFolder, ...]) -> str:
    """`dataset.toml`."""
    return render("musubi/files/dataset.toml.j2", head=DATASET_HEAD, settings=dataset_settings(config), folders=folders)


def launch_words(
    config: TrainingConfig, layout: ExportLayout, dataset: str, config_file: str
) -> tuple[tuple[str, ...], ...]:
    """The three commands, word by word: latents, captions, training."""
    packs = ("--fp8_llm",) if packs_text(config) else ()
    return (
        ("python", f"{SCRIPTS}/zimage_cache_latents.py", "--dataset_config", dataset, "--vae", layout.vae),
        (
            "python", f"{SCRIPTS}/zimage_cache_text_encoder_outputs.py", "--dataset_config", dataset,
            "--text_encoder", layout.text_encoder, "--batch_size", "1", *packs,
        ),
        (
            "accelerate", "launch",
            "--num_cpu_threads_per_process", str(config.machine.cpu_threads),
            "--num_processes", "1", "--num_machines", "1",
            "--mixed_precision", MIXED_PRECISIONS.theirs(config.memory.compute_dtype), "--dynamo_backend", "no",
            f"{SCRIPTS}/{FAMILIES.theirs(config.model.family)}", "--config_file", config_file,
        ),
    )  # fmt: skip


def launch_sh(config: TrainingConfig, commands: tuple[tuple[str, ...], ...]) -> str:
    """The commands for a POSIX shell, a line each."""
    gpu = config.machine.gpu_uuid
    chosen = f"{VISIBLE_DEVICES}={shlex.quote(gpu)} " if gpu.startswith(CUDA_PREFIXES) else ""
    return "".join(f"{chosen}{shlex.join(words)}\n" for words in commands)


def _in_powershell(config: TrainingConfig, commands: tuple[tuple[str, ...], ...]) -> str:
    """Each command where the one before it went well."""
    gpu = config.machine.gpu_uuid
    chosen = f"$env:{VISIBLE_DEVICES} = {powershell_quoted(gpu)}\n" if gpu.startswith(CUDA_PREFIXES) else ""
    lines = (" ".join(powershell_word(word) for word in words) for words in commands)
    return chosen + "if ($LASTEXITCODE) { exit $LASTEXITCODE }\n".join(f"{line}\n" for line in lines)
