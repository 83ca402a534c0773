"""Whose file it is, by its contents; then that trainer's importer."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from advisor.checkpoints.identify import identify
from advisor.errors import RunError
from advisor.files import is_file, is_folder
from advisor.run_folder.layout import RunFolder
from advisor.shell import quoted
from advisor.shown_text import short
from advisor.tensor_files.header import read_header
from templates.ai_toolkit.import_job import import_job, is_job
from templates.importing.document import Document, parse_json, parse_toml, read_document
from templates.importing.imported import Imported, Line
from templates.importing.local_files import DiskFiles, LocalFiles
from templates.kohya.import_dataset_toml import is_dataset
from templates.kohya.import_gui import LORA_KEYS, import_gui, other_tab
from templates.kohya.import_lora import import_lora
from templates.kohya.import_scripts import import_scripts, is_scripts
from templates.musubi.import_config import import_musubi, is_musubi
from templates.musubi.import_dataset import is_dataset as is_musubi_dataset
from templates.onetrainer.import_config import import_onetrainer, is_onetrainer

MAIN_FILES = ("kohya-gui.json", "config.toml", "config.json", "job.yaml", "job.yml", "config.yaml", "config.yml")
"""What a trainer's folder is opened by, in this order."""

OTHER_FILES = {
    "train.sh": "config.toml", "train.ps1": "config.toml", "concepts.json": "config.json",
    "samples.json": "config.json",
}  # fmt: skip
"""Files beside a main one, which is read instead."""

TEXT_ENCODERS = ("lora_te", "text_encoder", "text_model", "base_model.model.text_model")
"""Beginnings of the names of adapters of a text encoder."""

SAFETENSORS = ".safetensors"
PICKLES = (".ckpt", ".pt", ".pth", ".bin")


def import_config(path: Path, *, outside: bool = False) -> Imported:
    """Another trainer's file, or the folder with its files, in our settings.

    Args:
        outside: read the prompts, concepts and data set's file that it names outside its own folder, too. Their texts
            become settings, which are shown and may be handed on.

    Raises:
        RunError: it cannot be read, or is no trainer's file.
        ModelError: it is a LoRA that cannot be read.
    """
    file = _main_file(path) if is_folder(path) else path
    if file.suffix.lower() == SAFETENSORS:
        return _lora(file)
    if file.suffix.lower() in PICKLES:
        raise RunError(f"{file} is a pickled model, which is never opened: name a .safetensors file")
    if file.name in OTHER_FILES:
        file = file.with_name(OTHER_FILES[file.name])
    document = read_document(file)
    local = DiskFiles(file.absolute().parent, outside)
    found = _with_oddities(_by_contents(document.tree, local, file), document)
    left = tuple(
        f"{short(name)} lies outside the configuration's folder and was not read: --outside-files reads it too"
        for name in dict.fromkeys(local.left)
    )
    return replace(found, notes=(*found.notes, *left))


def _main_file(folder: Path) -> Path:
    if is_file(RunFolder(folder).config):
        raise RunError(f"{folder} is a run of ours already: `loracle train {quoted(str(folder))}` trains it")
    for name in MAIN_FILES:
        if is_file(folder / name):
            return folder / name
    names = ", ".join(MAIN_FILES[:5])
    raise RunError(f"{folder} holds no trainer's file: looked for {names}; name the file itself")


def _by_contents(tree: Any, local: LocalFiles, file: Path) -> Imported:
    source = str(file)
    if isinstance(tree, dict):
        if is_job(tree):
            return import_job(tree, local, source=source)
        if is_onetrainer(tree):
            return _onetrainer(tree, local, source)
        if LORA_KEYS & tree.keys() and "LoRA_type" in tree:
            return import_gui(tree, local, source=source, dataset=_dataset_of(tree, local))
        if is_musubi(tree) and file.suffix.lower() != ".json":
            return _musubi(tree, local, file)
        if is_musubi_dataset(tree):
            return import_musubi({}, local, source=source, dataset=tree)
        if is_dataset(tree):
            return import_scripts({}, local, source=source, dataset=tree)
        if is_scripts(tree) and file.suffix.lower() != ".json":
            return _scripts(tree, local, file)
        if LORA_KEYS & tree.keys() or other_tab(tree):
            return import_gui(tree, local, source=source, dataset=_dataset_of(tree, local))
        if {"network", "schedule", "saving"} <= tree.keys():
            raise RunError(f"{file} is a configuration of ours already: `loracle train {quoted(str(file))}` trains it")
    raise RunError(
        f"{file} is no configuration that we know: kohya_ss GUI JSON, TOML of sd-scripts or musubi-tuner, "
        "OneTrainer JSON, ai-toolkit YAML, or a LoRA with its metadata"
    )


def _scripts(tree: Mapping[str, Any], local: LocalFiles, file: Path) -> Imported:
    """`config.toml` with what it names: the data set's file, here or where it was written; and the launch line."""
    launch = local.text("train.sh") or ""
    return import_scripts(tree, local, source=str(file), dataset=_dataset_of(tree, local), launch=launch)


def _musubi(tree: Mapping[str, Any], local: LocalFiles, file: Path) -> Imported:
    """The same of musubi-tuner."""
    launch = local.text("train.sh") or ""
    return import_musubi(tree, local, source=str(file), dataset=_dataset_of(tree, local), launch=launch)


def _dataset_of(tree: Mapping[str, Any], local: LocalFiles) -> Any:
    """What the `dataset.toml` that a configuration names holds; None where it is not here."""
    named = str(tree.get("dataset_config") or _in_tables(tree, "dataset_config") or "")
    for place in (named, Path(named.replace("\\", "/")).name):
        if place and (text := local.text(place)) is not None:
            try:
                return parse_toml(text).tree
            except (ValueError, RecursionError):
                return {}
    return None


def _in_tables(tree: Mapping[str, Any], key: str) -> Any:
    return next((table[key] for table in tree.values() if isinstance(table, dict) and key in table), None)


def _onetrainer(tree: Mapping[str, Any], local: LocalFiles, source: str) -> Imported:
    """With the concepts and samples that it names, here or where they were written."""
    concepts = _named_json(tree, "concept_file_name", "concepts.json", local) if not tree.get("concepts") else None
    samples = (
        _named_json(tree, "sample_definition_file_name", "samples.json", local) if not tree.get("samples") else None
    )
    return import_onetrainer(tree, source=source, concepts=concepts, samples=samples)


def _named_json(tree: Mapping[str, Any], key: str, usual: str, local: LocalFiles) -> Any:
    named = str(tree.get(key) or "")
    for place in (named, Path(named.replace("\\", "/")).name, usual):
        if place and (text := local.text(place)) is not None:
            try:
                return parse_json(text).tree
            except (ValueError, RecursionError):
                return None
    return None


def _lora(file: Path) -> Imported:
    identity = identify(file)
    if identity.kind != "lora":
        raise RunError(
            f"{file} is no LoRA but of the kind {identity.kind.replace('_', ' ')}: name a LoRA, or a configuration"
        )
    header = read_header(file)
    has_text_encoder = any(name.startswith(TEXT_ENCODERS) for name in header.tensors)
    return import_lora(header.metadata, identity, source=str(file), has_text_encoder=has_text_encoder)


def _with_oddities(found: Imported, document: Document) -> Imported:
    lines = tuple(Line(key, "", "contradictory", note="stands twice; the last counts") for key in document.doubled)
    return replace(found, lines=(*found.lines, *lines), notes=(*document.notes, *found.notes))
