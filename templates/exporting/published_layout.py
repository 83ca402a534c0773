"""Whether a base model's file has the names and measures of the published model, which other trainers expect."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from advisor.errors import ConfigError, ModelError
from advisor.families import anima, z_image
from advisor.families.anima_structure import AnimaStructure
from advisor.families.signature import Tensors
from advisor.families.z_image_structure import ZImageStructure
from advisor.files import is_file
from advisor.tensor_files.header import read_header


@dataclass(frozen=True)
class _Layout:
    """How a family's denoisers are published."""

    title: str
    published: AnimaStructure | ZImageStructure
    prefix_of: Callable[[Tensors], str | None]
    structure_of: Callable[[Tensors], AnimaStructure | ZImageStructure | None]
    blocks: str
    """What the names of its blocks begin with."""


_LAYOUTS: Mapping[str, _Layout] = {
    "anima": _Layout("Anima", anima.STANDARD, anima.denoiser_prefix, anima.read_structure, "blocks"),
    "z_image": _Layout("Z-Image", z_image.STANDARD, z_image.denoiser_prefix, z_image.read_structure, "layers"),
}


def layout_errors(family: str, file: str, where: str, prefixes: tuple[str, ...]) -> Iterator[ConfigError]:
    """Why `where` cannot read a denoiser's file; nothing where it is not on this machine.

    Args:
        prefixes: what may stand before the names there.
    """
    try:
        tensors = read_header(Path(file)).tensors if is_file(Path(file)) else {}
    except ModelError:
        return  # is told where training reads it
    layout = _LAYOUTS[family]
    prefix, structure = layout.prefix_of(tensors), layout.structure_of(tensors)
    if prefix is not None and prefix not in prefixes:
        known = " or ".join(f"{one}{layout.blocks}..." for one in prefixes)
        mend = f"{where} takes weights named {known}, and these are {prefix}{layout.blocks}...: choose another"
        yield ConfigError("model.path", file, mend)
    if structure is not None and structure.denoiser != layout.published.denoiser:
        ours, usual = structure.denoiser, layout.published.denoiser
        known = f"{where} knows {layout.title} with {usual.layers} blocks of width {usual.width}"
        mend = f"{known}; this one has {ours.layers} of width {ours.width}: choose another"
        yield ConfigError("model.path", file, mend)
