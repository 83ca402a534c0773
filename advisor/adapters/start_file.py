"""The LoRA that a training goes on from, by its header: what it is, and which layer each of its tensors is of."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from math import sqrt
from pathlib import Path
from types import MappingProxyType
from typing import Any

from advisor.adapters.diffusers_names import DESCRIPTION_KEY, layer_name
from advisor.adapters.file_names import ORIGINAL_START
from advisor.adapters.layout import MAGNITUDE, Shape
from advisor.adapters.shared_rows import RowShare, can_share
from advisor.checkpoints.identify import identify
from advisor.checkpoints.identity import Identity
from advisor.checkpoints.lora import layer_and_role
from advisor.errors import ModelError
from advisor.families.structure import LoraTarget
from advisor.json_text import Malformed, parse_json
from advisor.tensor_files.header import read_header

SUFFIX_OF_ROLE: Mapping[str, str] = {"down": "lora_down.weight", "up": "lora_up.weight", "mid": "lora_mid.weight"}
"""What stands after a layer's name in kohya's files, for parts that other programs call otherwise."""

ORIGINAL_STARTS = (ORIGINAL_START, "transformer.", "")
"""What stands before a layer's name in the base model's own file: ComfyUI's word, diffusers', none."""


@dataclass(frozen=True)
class StartFile:
    """A LoRA file as far as its header tells; frozen, so that it can be one of a plan's facts."""

    identity: Identity
    shapes: Mapping[str, Shape]
    """Of all its tensors, by its own names."""
    metadata: Mapping[str, str]

    @property
    def path(self) -> str:
        """Where it lies."""
        return self.identity.path


ALL_ROWS = RowShare()


@dataclass(frozen=True)
class FileLayer:
    """One layer's adapter in a file."""

    name: str
    """As the file calls the layer."""
    tensors: Mapping[str, str]
    """The file's names of its tensors, by what stands after the layer's name in kohya's files."""
    described_alpha: float | None = None
    """What the header says of alpha, for names that have no tensor for it."""
    share: RowShare = ALL_ROWS
    """Which rows of it are this layer's, where it is for several at once."""

    def shape(self, file: StartFile, suffix: str) -> Shape:
        """The shape of one of the layer's tensors, by kohya's word."""
        return self.share.shape(suffix, file.shapes[self.tensors[suffix]])


def read_start(path: Path) -> StartFile:
    """The LoRA at `path`; nothing but its header is read.

    Raises:
        ModelError: it cannot be read, or is no LoRA.
    """
    identity = identify(path)
    if identity.kind != "lora":
        raise ModelError(
            f"{path} is no LoRA to go on from but of the kind {identity.kind}: name another (network.start_from)"
        )
    header = read_header(path)
    shapes = {name: info.shape for name, info in header.tensors.items()}
    return StartFile(identity, MappingProxyType(shapes), MappingProxyType(header.metadata))


def file_layers(file: StartFile, targets: Iterable[LoraTarget]) -> tuple[dict[str, FileLayer], dict[str, FileLayer]]:
    """(adapters of these layers, by kohya's names; all others in the file, by its own).

    Layers are known by kohya's names, for SDXL also with their paths in diffusers, by those of diffusers and peft with
    or without the pipeline's part in front, and by the base model's own; also where that has several as one.

    Raises:
        ModelError: the file has a layer, or a part of one, under two names, or has an adapter for several at once that
            cannot be taken apart.
    """
    known = _spellings(targets)
    found: dict[str, dict[str, str]] = {}
    for key in file.shapes:
        layer, role = layer_and_role(key) or (key, "")
        suffix = MAGNITUDE if role.startswith("lora_magnitude_vector") else SUFFIX_OF_ROLE.get(role, role)
        _refuse_twice(file, found.setdefault(layer, {}).setdefault(suffix, key), key)
    described = _description(file.metadata)
    ours, others = dict[str, FileLayer](), dict[str, FileLayer]()
    for name, tensors in found.items():
        layers = known.get(_plain(name), ())
        if not layers:
            others[name] = FileLayer(name, tensors)
        if len(layers) > 1:
            _refuse_whole(file, name, tensors)
        for target, share in layers:
            _refuse_twice(file, ours[target.name].name if target.name in ours else name, name)
            ours[target.name] = FileLayer(name, tensors, _described_alpha(described, target), share)
    return ours, others


def _refuse_whole(file: StartFile, name: str, tensors: Mapping[str, str]) -> None:
    for suffix, key in tensors.items():
        if not can_share(suffix, file.shapes[key]):
            raise ModelError(
                f"{file.path} has {key} for several layers at once, {name}, which cannot be taken apart: choose a LoRA "
                "with one for each"
            )


def _refuse_twice(file: StartFile, one: str, other: str) -> None:
    if one != other:
        raise ModelError(
            f"{file.path} has the same layer twice, as {one} and as {other}, and nothing says which counts: choose "
            "another LoRA"
        )


def _spellings(targets: Iterable[LoraTarget]) -> dict[str, tuple[tuple[LoraTarget, RowShare], ...]]:
    """By each name of a layer which ones are in it, and which of its rows are theirs."""
    given = tuple(targets)
    found: dict[str, tuple[tuple[LoraTarget, RowShare], ...]]
    found = {name: ((target, ALL_ROWS),) for name, target in _own_names(given).items()}
    for target in given:
        if target.in_file is not None:
            name, number, of = target.in_file
            for spelling in (*(f"{start}{name}" for start in ORIGINAL_STARTS), f"lora_unet_{name.replace('.', '_')}"):
                found[spelling] = (*found.get(spelling, ()), (target, RowShare(number, of)))
    return found


def _own_names(targets: Iterable[LoraTarget]) -> dict[str, LoraTarget]:
    known: dict[str, LoraTarget] = {}
    for target in targets:
        paths = {target.path, target.path.removeprefix("text_model."), target.path.removesuffix(".0")}
        for path in paths:
            known[f"{target.part}.{path}"] = target
            if target.part != "text_encoder_2":
                known.setdefault(path, target)
        if target.part == "unet":
            known[f"lora_unet_{target.path.replace('.', '_')}"] = target
        known[target.name] = target
        known[layer_name(target)] = target
        if target.original:
            known |= dict.fromkeys((f"{start}{target.original}" for start in ORIGINAL_STARTS), target)
    return known


def _plain(name: str) -> str:
    """Without what peft puts in front and diffusers' former attention processors in between."""
    return name.removeprefix("base_model.model.").replace(".processor.", ".")


def _description(metadata: Mapping[str, str]) -> dict[str, Any]:
    try:
        found = parse_json(metadata.get(DESCRIPTION_KEY, "{}"))
    except Malformed:
        return {}
    return found if isinstance(found, dict) else {}


def _described_alpha(described: Mapping[str, Any], target: LoraTarget) -> float | None:
    """A layer's alpha by peft's `LoraConfig`, as that of a scale of alpha / rank; None where it says nothing."""

    part = layer_name(target).partition(".")[0]

    def of_layer(usual: str, pattern: str) -> float | None:
        patterns, path = described.get(f"{part}.{pattern}"), target.path.split(".")
        for name in (".".join(path[start:]) for start in range(len(path))):
            if isinstance(patterns, dict) and name in patterns:
                return _number(patterns[name])
        return _number(described.get(f"{part}.{usual}"))

    alpha, rank = of_layer("lora_alpha", "alpha_pattern"), of_layer("r", "rank_pattern")
    if alpha is None or not described.get(f"{part}.use_rslora"):
        return alpha
    return None if rank is None or rank <= 0 else alpha * sqrt(rank)


def _number(value: object) -> float | None:
    return float(value) if isinstance(value, int | float) and not isinstance(value, bool) else None
