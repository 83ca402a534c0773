"""Blocks of the denoiser that wait in the machine's memory until they are computed (`memory.swapped_blocks`): which of
them do, and how many bytes that frees on the card."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from itertools import groupby

from advisor.estimate.quantised_base import layers_bytes
from advisor.families import family
from advisor.families.structure import LoraTarget, Structure
from advisor.settings.config import MemoryConfig, TrainingConfig

BLOCK_PATH = re.compile(r".*?\b(?:transformer_blocks|resnets|layers|noise_refiner|context_refiner)\.\d+(?=\.)")
"""A block's path at the start of those of its layers: of a transformer, or a residual block of a U-Net."""

SECTIONS = ("noise_refiner", "context_refiner", "layers", "down_blocks", "mid_block", "up_blocks")
"""Parts of a denoiser that have blocks, where the table of layers has them in another order than they are computed."""
PLACE = re.compile(r"(\w+_blocks?|\w+refiner|layers)(?:\.(\d+))?(?:\.(resnets|attentions)\.(\d+))?")

MOST_HERE = 2
"""Of the blocks that wait, so many are on the card at once: the one that is computed, and the one that follows."""


@dataclass(frozen=True)
class Block:
    """A block of the denoiser, as far as its layers' weights can wait; biases and norms are small and stay."""

    path: str
    """In the denoiser."""
    layers: tuple[LoraTarget, ...]
    weights: int
    """Of these layers."""


@lru_cache(maxsize=64)
def denoiser_blocks(family_name: str, structure: Structure) -> tuple[Block, ...]:
    """All that can wait, in the order in which they are computed."""
    by_path: dict[str, list[LoraTarget]] = {}
    for target in family(family_name).packed_layers(structure):
        if found := BLOCK_PATH.match(target.path):
            by_path.setdefault(found[0], []).append(target)
    blocks = (Block(path, tuple(one), sum(layer.weights for layer in one)) for path, one in by_path.items())
    return tuple(sorted(blocks, key=_place))


@lru_cache(maxsize=256)
def waiting_blocks(family_name: str, structure: Structure, count: int) -> tuple[Block, ...]:
    """Those that wait where `count` do: the largest, and of equally large ones some as far apart as can be.

    Between blocks that are far apart more is computed, while which the next one comes.
    """
    blocks = denoiser_blocks(family_name, structure)
    chosen = set[str]()
    for _, group in groupby(sorted(blocks, key=_size, reverse=True), key=_size):
        alike = tuple(group)
        number = min(len(alike), count - len(chosen))
        chosen |= {alike[place * len(alike) // number].path for place in range(number)}
    return tuple(block for block in blocks if block.path in chosen)


def most_swapped(config: TrainingConfig, structure: Structure) -> int:
    """How many blocks can wait at most."""
    return len(denoiser_blocks(config.model.family, structure))


def waiting_bytes(memory: MemoryConfig, family_name: str, structure: Structure) -> int:
    """Bytes of all blocks that wait in the machine's memory."""
    return sum(_bytes_of_blocks(memory, family_name, structure))


def freed_bytes(memory: MemoryConfig, family_name: str, structure: Structure) -> int:
    """Bytes of the denoiser that are not on the card at its peak: of the blocks that wait all but the largest two.

    As many come in one pass, forward or backward: the two that the pass before ended with are there still.
    """
    return sum(sorted(_bytes_of_blocks(memory, family_name, structure))[:-MOST_HERE])


def absent_at_peak_bytes(memory: MemoryConfig, family_name: str, structure: Structure, activations: int) -> int:
    """What of the largest two blocks is not on the card either when a step's memory is at its peak.

    That is as the backward pass begins, when the last two are there; or, where these are small, when the largest two
    are, with half of the activations, since the largest blocks are in the middle of a U-Net.
    """
    each = list(_bytes_of_blocks(memory, family_name, structure))
    largest, last = sum(sorted(each)[-MOST_HERE:]), sum(each[-MOST_HERE:])
    return min(largest - last, activations // 2)


def _bytes_of_blocks(memory: MemoryConfig, family_name: str, structure: Structure) -> Iterator[int]:
    blocks = waiting_blocks(family_name, structure, memory.swapped_blocks) if memory.swapped_blocks else ()
    return (layers_bytes(memory, block.layers) for block in blocks)


def _place(block: Block) -> tuple[int, int, int, bool]:
    """Where in the order: the part, the block in it, the layer in that; a residual block comes before attention."""
    found = PLACE.search(block.path)
    if found is None or found[1] not in SECTIONS:
        return (0, 0, 0, False)
    return SECTIONS.index(found[1]), int(found[2] or 0), int(found[4] or 0), found[3] == "attentions"


def _size(block: Block) -> int:
    return block.weights
