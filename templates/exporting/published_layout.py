"""Whether a base model's file has the names and measures of the published model, which other trainers expect."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from advisor.errors import ConfigError, ModelError
from advisor.families.anima import STANDARD, denoiser_prefix, read_structure
from advisor.files import is_file
from advisor.tensor_files.header import read_header

KNOWN_PREFIXES = ("net.", "")
"""What may stand before the names in Anima's file for sd-scripts and for diffusers, by which OneTrainer reads it."""


def layout_errors(file: str, where: str) -> Iterator[ConfigError]:
    """Why `where` cannot read an Anima's file; nothing where it is not on this machine."""
    try:
        tensors = read_header(Path(file)).tensors if is_file(Path(file)) else {}
    except ModelError:
        return  # is told where training reads it
    prefix, structure = denoiser_prefix(tensors), read_structure(tensors)
    if prefix is not None and prefix not in KNOWN_PREFIXES:
        mend = (
            f"{where} takes weights named net.blocks... or blocks..., and these are {prefix}blocks...: choose another"
        )
        yield ConfigError("model.path", file, mend)
    if structure is not None and structure.denoiser != STANDARD.denoiser:
        ours, usual = structure.denoiser, STANDARD.denoiser
        known = f"{where} knows Anima with {usual.layers} blocks of width {usual.width}"
        mend = f"{known}; this one has {ours.layers} of width {ours.width}: choose another"
        yield ConfigError("model.path", file, mend)
