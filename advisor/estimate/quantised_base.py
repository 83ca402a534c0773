"""Bytes of networks in int8 or nf4, as the trainer's quantised layers (`trainer.layers.quantised_layers`) keep it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

from advisor.estimate.disk import BYTES_OF
from advisor.families import family
from advisor.families.structure import LoraTarget, Structure
from advisor.settings.config import MemoryConfig, QuantisedDtype
from advisor.units import MIB

INT8_SCALE_BYTES = 4
"""One scale per output channel."""
NF4_BLOCK, NF4_SCALE_BYTES = 64, 2
"""Weights that share a scale, and its bytes."""
NF4_MEANINGS = 512
"""Entries of each layer's lookup table: two for each byte."""
NF4_INDEX_BYTES = 4 * MIB
"""Peak bytes of the indices while a layer is dequantised."""


@dataclass(frozen=True)
class PackedLayers:
    """The quantised layers of a denoiser."""

    layers: int
    weights: int
    """Of all of them."""
    rows: int
    """Their output channels."""
    largest: int
    """Weights of the largest."""


@lru_cache(maxsize=64)
def packed_layers(family_name: str, structure: Structure) -> PackedLayers:
    """Linear layers and convolutions but the outermost and the embeddings."""
    return _measured(family(family_name).packed_layers(structure))


def denoiser_bytes(memory: MemoryConfig, family_name: str, structure: Structure) -> int:
    """Bytes of the denoiser's weights with their scales and lookup tables."""
    whole = structure.denoiser_parameters
    if memory.quantised is None:
        return int(whole * BYTES_OF[memory.base_dtype])
    packed, computed = packed_layers(family_name, structure), BYTES_OF[memory.compute_dtype]
    return int((whole - packed.weights) * computed) + _packed_bytes(packed, memory.quantised, computed)


def layers_bytes(memory: MemoryConfig, layers: Sequence[LoraTarget]) -> int:
    """Bytes of the weights of some of the layers that a quantised base has in fewer bits, as this base has them."""
    packed = _measured(layers)
    if memory.quantised is None:
        return int(packed.weights * BYTES_OF[memory.base_dtype])
    return _packed_bytes(packed, memory.quantised, BYTES_OF[memory.compute_dtype])


def text_bytes(memory: MemoryConfig, family_name: str, structure: Structure) -> int:
    """Bytes of the text encoders' weights; in some families those of linear layers are in int8 on a quantised base."""
    whole, computed = structure.text_parameters, BYTES_OF[memory.compute_dtype]
    packs = family(family_name).quantised_text
    if memory.quantised is None or packs is None:
        return int(whole * computed)
    packed = packs(structure)
    return int((whole - packed.weights) * computed) + packed.weights + INT8_SCALE_BYTES * packed.rows


def text_unpacking_bytes(memory: MemoryConfig, family_name: str, structure: Structure) -> int:
    """Peak bytes of a dequantised weight of the text encoders, where these are packed."""
    packs = family(family_name).quantised_text
    if memory.quantised is None or packs is None:
        return 0
    return int(packs(structure).largest * BYTES_OF[memory.compute_dtype])


def unpacking_bytes(memory: MemoryConfig, family_name: str, structure: Structure) -> int:
    """Peak bytes of a layer's dequantised weight, beside the packed one."""
    if memory.quantised is None:
        return 0
    largest = int(packed_layers(family_name, structure).largest * BYTES_OF[memory.compute_dtype])
    return largest + (NF4_INDEX_BYTES if memory.quantised == "nf4" else 0)


def _measured(layers: Sequence[LoraTarget]) -> PackedLayers:
    sizes = [layer.weights for layer in layers]
    return PackedLayers(len(sizes), sum(sizes), sum(layer.out_features for layer in layers), max(sizes))


def _packed_bytes(packed: PackedLayers, kind: QuantisedDtype, computed: float) -> int:
    if kind == "int8":
        return packed.weights + INT8_SCALE_BYTES * packed.rows
    scales = packed.weights * NF4_SCALE_BYTES // NF4_BLOCK
    return packed.weights // 2 + scales + int(packed.layers * NF4_MEANINGS * computed)
