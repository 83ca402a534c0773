"""Where a base model's text encoder and VAE lie that its makers publish as files of their own: in the base model's
file, beside it, or in the folders that user interfaces keep them in (ComfyUI, Forge, Stability Matrix).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from itertools import islice
from pathlib import Path

from advisor.checkpoints.identity import PartFile
from advisor.errors import ModelError
from advisor.families.family import Family
from advisor.families.part_files import PartKind, SeparatePart
from advisor.families.signature import Tensors
from advisor.files import is_file, is_folder
from advisor.tensor_files.header import read_header
from advisor.tensor_files.scaled_fp8 import why_not_plain

PART_FOLDERS: Mapping[PartKind, frozenset[str]] = {
    "text_encoder": frozenset({"text_encoders", "text_encoder", "textencoders", "clip"}),
    "vae": frozenset({"vae"}),
}
"""What folders of models are called there, in lower case."""
LEVELS = 3
"""So many folders above the base model may hold such a folder (ComfyUI: models/diffusion_models/anima/FILE)."""
MOST_FILES = 1000
"""In one folder that are looked at, in the order of their names."""


def part_files(base: Path, own: Tensors, known: Family) -> tuple[PartFile, ...]:
    """Each part that this base model's makers publish as a file of its own, found or not; none for other families.

    Args:
        base: the file of the denoiser.
        own: the tensors in it.
        known: its family.
    """
    return tuple(_part_file(base.absolute(), own, part) for part in known.separate_parts)


def _part_file(base: Path, own: Tensors, part: SeparatePart) -> PartFile:
    found = [str(path) for path in find_part(base, part.kind, part.fits(own))]
    return PartFile(part.kind, found[0] if found else None, tuple(found[1:]), part.file_name, part.file_bytes)


def why_not_part(base: Path, known: Family, kind: PartKind, path: Path) -> str:
    """Why this file is not that part of the base model; empty where it is.

    Args:
        base: the file of the denoiser.
    """
    part = next(one for one in known.separate_parts if one.kind == kind)
    try:
        own = {} if is_folder(base) else read_header(base).tensors
        tensors = read_header(path).tensors
    except ModelError as error:
        return str(error)
    if fault := why_not_plain(tensors):
        return f"{path}: {fault}"
    return "" if is_folder(base) or part.fits(own)(tensors) else f"{path} is no {part.file_name}, nor one like it"


def find_part(base: Path, kind: PartKind, fits: Callable[[Tensors], bool]) -> tuple[Path, ...]:
    """The files of that kind that fit, the base model's own first, then the nearest to it; none where there are none.

    Args:
        base: the file of the denoiser.
        fits: whether a file's tensors are such a part, and one that this base model can use.
    """
    return tuple(path for path in _candidates(base, kind) if _fits(path, fits))


def _candidates(base: Path, kind: PartKind) -> Iterator[Path]:
    """Files, each once."""
    yield base
    seen = {base}
    for folder in (base.parent, *_part_folders(base, kind)):
        for path in islice(_models(folder), MOST_FILES):
            if path not in seen:
                seen.add(path)
                yield path


def _part_folders(base: Path, kind: PartKind) -> Iterator[Path]:
    """Folders of such parts, with the folders in them."""
    for above in list(base.parents)[:LEVELS]:
        for folder in _entries(above):
            if folder.name.lower() in PART_FOLDERS[kind] and is_folder(folder):
                yield folder
                yield from (inner for inner in _entries(folder) if is_folder(inner))


def _models(folder: Path) -> Iterator[Path]:
    return (path for path in _entries(folder) if path.suffix.lower() == ".safetensors")


def _entries(folder: Path) -> list[Path]:
    try:
        return sorted(folder.iterdir())
    except OSError:
        return []


def part_tensors(path: Path) -> Tensors:
    """The tensors of a part's file; none where it cannot be read."""
    try:
        return read_header(path).tensors if is_file(path) else {}
    except ModelError:
        return {}


def _fits(path: Path, fits: Callable[[Tensors], bool]) -> bool:
    tensors = part_tensors(path)
    return bool(tensors) and why_not_plain(tensors) is None and fits(tensors)
