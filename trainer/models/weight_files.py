"""Weights read from safetensors files into networks that were built without any, one tensor at a time."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

import torch
from torch import Tensor, nn

from advisor.errors import ModelError
from advisor.files import open_regular
from advisor.settings.config import QuantisedDtype
from advisor.shown_text import short, visible_line
from advisor.tensor_files.header import TensorInfo, read_header
from advisor.tensor_files.scaled_fp8 import scale_of
from trainer.layers.quantised_layers import layers_to_quantise, quantise_layer
from trainer.models.clip_text import text_root

SHOWN = 5
"""How many names a message holds."""

SAFETENSORS_DTYPES: Mapping[str, torch.dtype] = {
    "F64": torch.float64, "F32": torch.float32, "F16": torch.float16, "BF16": torch.bfloat16,
    "F8_E4M3": torch.float8_e4m3fn, "F8_E5M2": torch.float8_e5m2, "F8_E4M3FNUZ": torch.float8_e4m3fnuz,
    "F8_E5M2FNUZ": torch.float8_e5m2fnuz, "F8_E8M0": torch.float8_e8m0fnu, "I64": torch.int64, "I32": torch.int32,
    "I16": torch.int16, "I8": torch.int8, "U64": torch.uint64, "U32": torch.uint32, "U16": torch.uint16,
    "U8": torch.uint8, "BOOL": torch.bool,
}  # fmt: skip
"""torch's dtypes by safetensors' names."""
NOT_TRAINABLE = frozenset({"F8_E4M3FNUZ", "F8_E5M2FNUZ", "F8_E8M0", "U64", "U32", "U16"})
"""Those that no base model keeps weights in."""


@dataclass(frozen=True)
class _Place:
    file: BinaryIO
    start: int
    info: TensorInfo


@dataclass(frozen=True)
class Source:
    """Where a network's weight is found in its file."""

    name: str
    """What the file calls the tensor that it is in."""
    part: int = 0
    parts: int = 1
    """It is this one of so many equal parts along the first axis, counted from 0."""
    transposed: bool = False

    def of(self, tensor: Tensor) -> Tensor:
        """The weight, in memory of its own where it is only a part; a tensor that cannot be taken apart comes whole."""
        if self.transposed and tensor.ndim == 2:
            return tensor.t().contiguous()
        if self.parts > 1 and tensor.ndim > 0:
            rows = tensor.shape[0] // self.parts
            return tensor[self.part * rows : (self.part + 1) * rows].clone()
        return tensor


Sources = Mapping[str, Source]
"""For each of a network's own names the place in the file."""


class Weights:
    """The tensors of one or more safetensors files, read one at a time.

    They are read and not mapped: mapped pages count as this process's memory, and a file changed later would change the
    model.
    """

    def __init__(self, places: Mapping[str, _Place], where: Path) -> None:
        """Know which open file holds which tensor."""
        self._places = places
        self.where = where

    @property
    def names(self) -> frozenset[str]:
        """What the tensors are called in the files."""
        return frozenset(self._places)

    def tensor(self, name: str) -> Tensor:
        """One tensor, in memory of its own; in float32 where it is kept in float8 with a factor beside it.

        Raises:
            ModelError: its dtype is none of a network's, or the file has become shorter.
        """
        plain, scale = self._plain(name), scale_of(name, self._places)
        if scale is None:
            return plain
        return plain.float() * self._plain(scale).float().reshape(-1, *[1] * (plain.ndim - 1))

    def _plain(self, name: str) -> Tensor:
        place = self._places[name]
        dtype = None if place.info.dtype in NOT_TRAINABLE else SAFETENSORS_DTYPES.get(place.info.dtype)
        if dtype is None:
            raise ModelError(f"{self.where}: {name} is kept as {place.info.dtype}, which cannot be trained on")
        raw = torch.empty(place.info.end - place.info.start, dtype=torch.uint8)
        place.file.seek(place.start)
        if place.file.readinto(raw.numpy()) != raw.numel():  # type: ignore[attr-defined]
            raise ModelError(f"{self.where} ends within {name}: copy or download it anew")
        return raw.view(dtype).reshape(place.info.shape)


@contextmanager
def open_weights(paths: Sequence[Path], where: Path) -> Iterator[Weights]:
    """The tensors of these files, which stay open until the block ends.

    Raises:
        ModelError: a file cannot be read; `where` is named.
    """
    try:
        with ExitStack() as stack:
            places: dict[str, _Place] = {}
            for path in paths:
                header = read_header(path)
                file = stack.enter_context(open_regular(path))
                for name, info in header.tensors.items():
                    if name in places:
                        raise ModelError(f"{where}: two of its files hold {short(name)}: download the folder again")
                    places[name] = _Place(file, header.data_start + info.start, info)
            yield Weights(places, where)
    except OSError as error:
        raise ModelError(f"{where} cannot be read: {error}; copy or download it anew") from error


def fill(
    network: nn.Module,
    sources: Sources,
    weights: Weights,
    *,
    dtype: torch.dtype,
    device: torch.device,
    quantised: QuantisedDtype | None = None,
) -> None:
    """Give a network built on `meta` its weights and freeze it.

    Args:
        quantised: what its layers are kept in; each is packed as it is read, so that there are never more than two of
            them whole.

    Raises:
        ModelError: weights are missing or of another shape; they are named.
    """
    refuse_missing([one.name for one in sources.values() if one.name not in weights.names], weights.where)
    state = {}
    packed = {} if quantised is None else {f"{path}.weight": path for path in layers_to_quantise(network)}
    parameters = network.state_dict()
    for (own, parameter), whole in zip(parameters.items(), _read_ahead(weights, sources, parameters), strict=True):
        source = sources[own]
        tensor = _fitted(source.of(whole), parameter.shape, source.name, weights.where)
        if quantised is not None and own in packed:
            quantise_layer(network, packed[own], tensor.to(device), quantised, dtype)
        else:
            state[own] = tensor.to(device=device, dtype=dtype)
    network.load_state_dict(state, assign=True)
    network.requires_grad_(False)
    network.eval()


def _read_ahead(weights: Weights, sources: Sources, wanted: Iterable[str]) -> Iterator[Tensor]:
    """The tensor of each wanted weight; the next one is read by another thread while one is worked on."""
    with ThreadPoolExecutor(1) as pool:
        read: Future[Tensor] | None = None
        for own in wanted:
            before, read = read, pool.submit(weights.tensor, sources[own].name)
            if before is not None:
                yield before.result()
        if read is not None:
            yield read.result()


def fill_positions(text_encoder: nn.Module, device: torch.device) -> None:
    """Give a text encoder the numbering of its places, which no file needs to hold."""
    embeddings = text_root(text_encoder).embeddings
    count = embeddings.position_embedding.weight.shape[0]
    embeddings.position_ids = torch.arange(count, device=device).expand(1, -1)


def same_names(names: Mapping[str, str]) -> dict[str, Source]:
    """Whole tensors under these names."""
    return {own: Source(name) for own, name in names.items()}


def refuse_missing(names: Sequence[str], where: Path) -> None:
    """Raise a ModelError if any name is missing."""
    if names:
        names = sorted(set(names))
        raise ModelError(f"{where} lacks {named(names)}: it is cut short or no full model; choose another base model")


def refuse_unexpected(names: Sequence[str], where: Path) -> None:
    """Raise a ModelError if any name is unexpected."""
    if names:
        raise ModelError(
            f"{where} has weights that this family has no place for: {named(names)}; it is of another kind, choose "
            "another base model"
        )


def named(names: Sequence[str]) -> str:
    """The first few names, and how many more there are."""
    first = ", ".join(visible_line(name) for name in sorted(names)[:SHOWN])
    return f"{first} and {len(names) - SHOWN} more" if len(names) > SHOWN else first


def _fitted(tensor: Tensor, shape: torch.Size, name: str, where: Path) -> Tensor:
    """The tensor in a shape that may differ by sides of 1 only (linear layers kept as 1x1 convolutions)."""
    if [side for side in tensor.shape if side > 1] != [side for side in shape if side > 1]:
        raise ModelError(
            f"{where}: {name} has the shape {list(tensor.shape)}, wanted is {list(shape)}: the file is damaged or of "
            "another kind"
        )
    return tensor.reshape(shape)
