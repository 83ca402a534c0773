"""Taggers that are on this machine already: in the cache of the hub, and where other programs put theirs."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

from advisor.errors import LoraError
from advisor.files import is_file, is_folder
from advisor.tagging.known_models import KNOWN_MODELS, KnownModel
from advisor.tagging.tagger_model import MODEL_NAME, tags_file
from wizard.interview.lora_folders import USUAL, usual_roots

IN_COMFYUI = ("custom_nodes/[Cc]omfy[Uu][Ii]-[Ww][Dd]14-[Tt]agger/models/*.onnx",)
"""Its node is called after its repository, or in small letters after the registry."""
IN_WEBUI = (
    "models/interrogators/models--*/snapshots/*/model.onnx",
    "extensions/*wd14-tagger*/models/*/model.onnx",
)
"""A1111 and its kin, whose extension keeps its models in a cache as the hub's."""
IN_KOHYA = ("wd14_tagger_model/model.onnx", "wd14_tagger_model/*/model.onnx")
PLACES = (*IN_COMFYUI, *IN_WEBUI, *IN_KOHYA)
"""Patterns within a program's folder."""
KOHYA = ("kohya_ss", "kohya_ss/sd-scripts", "sd-scripts")
PACKAGES = "Packages/*"
"""Where Stability Matrix installs programs, within its data folder."""
IN_HUB_CACHE = "models--*tagger*/snapshots/*/model.onnx"


def found_taggers(
    remembered: str | None, *, home: Path, windows: bool, environment: Mapping[str, str] = os.environ
) -> tuple[Path, ...]:
    """The ONNX files of taggers that are there with their lists of tags, the one used last first.

    Args:
        remembered: the file that was used last; None: there is none.
    """
    found = dict[Path, None]()
    last = [Path(remembered)] if remembered else []
    for file in (
        *last,
        *_matching(hub_cache(home, environment), (IN_HUB_CACHE,)),
        *_of_programs(home, windows=windows),
    ):
        if is_file(file) and _has_tags(file):
            found[file] = None
    return tuple(found)


def hub_cache(home: Path, environment: Mapping[str, str] = os.environ) -> Path:
    """Where the library of the hub keeps what it has downloaded, by its own environment variables."""
    if cache := environment.get("HF_HUB_CACHE") or environment.get("HUGGINGFACE_HUB_CACHE"):
        return Path(cache)
    if base := environment.get("HF_HOME"):
        return Path(base, "hub")
    return Path(environment.get("XDG_CACHE_HOME") or home / ".cache", "huggingface", "hub")


def called(name: str, files: Iterable[Path]) -> Path | None:
    """The file that a name means: its own, that of its folder, or that of a model of the hub; None where none is."""
    wanted = name.strip().rstrip("/").rpartition("/")[2].casefold()
    for file in files:
        names = (file.stem, *(part.rpartition("--")[2] for part in file.parts[:-1]))
        if wanted in {one.casefold() for one in names} or any(_ends(one, wanted) for one in names):
            return file
    return None


def title(file: Path) -> str:
    """What a tagger is called: the name of the hub, else that of its file or folder."""
    known = next((one for one in KNOWN_MODELS if called(one.name, [file])), None)
    if known is not None:
        return known.name
    return file.parent.name if file.name == MODEL_NAME else file.stem


def is_whole(known: KnownModel, file: Path) -> bool:
    """Whether a file can be that model, by its size."""
    try:
        return file.stat().st_size == known.model.num_bytes
    except OSError:
        return False


def _of_programs(home: Path, *, windows: bool) -> Iterator[Path]:
    names = dict.fromkeys((*(program for program, _ in USUAL), *KOHYA))
    for root in usual_roots(home, windows=windows):
        for name in names:
            for program in _matching(root, (name,)):
                yield from _matching(program, PLACES)
                if is_folder(program / "Packages"):
                    for package in _matching(program, (PACKAGES,)):
                        yield from _matching(package, PLACES)


def _matching(folder: Path, patterns: Iterable[str]) -> Iterator[Path]:
    """What is there; a folder that cannot be looked into holds nothing."""
    for pattern in patterns:
        try:
            yield from sorted(folder.glob(pattern))
        except OSError:
            continue


def _ends(name: str, wanted: str) -> bool:
    """As in kohya's folders, where the owner stands in front: `SmilingWolf_wd-vit-tagger-v3`."""
    return name.casefold().endswith(f"_{wanted}")


def _has_tags(file: Path) -> bool:
    try:
        tags_file(file)
    except LoraError:
        return False
    return True
