"""Where the text encoder and the VAE of a base model lie that are files of their own: beside it, or in the folders that
user interfaces keep them in (ComfyUI, Forge, Stability Matrix). Only headers are read.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from itertools import islice
from pathlib import Path
from typing import Literal

from advisor.errors import ModelError
from advisor.families.signature import Tensors
from advisor.files import is_file, is_folder
from advisor.tensor_files.header import read_header

PartKind = Literal["text_encoder", "vae"]
PART_FOLDERS: Mapping[PartKind, frozenset[str]] = {
    "text_encoder": frozenset({"text_encoders", "text_encoder", "textencoders", "clip"}),
    "vae": frozenset({"vae"}),
}
"""What folders of models are called there, in lower case."""
LEVELS = 3
"""So many folders above the base model may hold such a folder (ComfyUI: models/diffusion_models/anima/FILE)."""
MOST_FILES = 200
"""In one folder that are looked at, in the order of their names."""


def find_part(base: Path, kind: PartKind, fits: Callable[[Tensors], bool]) -> tuple[Path, ...]:
    """The files of that kind that fit, the nearest to the base model first; none where there are none.

    Args:
        base: the file of the denoiser.
        fits: whether a file's tensors are such a part, and one that this base model can use.
    """
    return tuple(path for path in _candidates(base, kind) if path != base and _fits(path, fits))


def _candidates(base: Path, kind: PartKind) -> Iterator[Path]:
    seen = set[Path]()
    for folder in (base.parent, *_part_folders(base, kind)):
        if folder not in seen:
            seen.add(folder)
            yield from islice((path for path in _entries(folder) if path.suffix == ".safetensors"), MOST_FILES)


def _part_folders(base: Path, kind: PartKind) -> Iterator[Path]:
    for above in list(base.parents)[:LEVELS]:
        for folder in _entries(above):
            if folder.name.lower() in PART_FOLDERS[kind] and is_folder(folder):
                yield folder


def _entries(folder: Path) -> list[Path]:
    try:
        return sorted(folder.iterdir())
    except OSError:
        return []


def _fits(path: Path, fits: Callable[[Tensors], bool]) -> bool:
    try:
        return is_file(path) and fits(read_header(path).tensors)
    except ModelError:
        return False
