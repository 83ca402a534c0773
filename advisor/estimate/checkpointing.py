"""Gradient checkpointing of a denoiser's first blocks: how much it does of what checkpointing all of them does."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import accumulate

from advisor.families import family
from advisor.families.structure import LoraTarget, Structure
from advisor.settings.config import TrainingConfig

COMPUTED_ONCE = ("proj_in", "proj_out", "downsamplers", "upsamplers")
"""Parts of a U-Net's blocks that lie between those that checkpointing computes a second time."""


@dataclass(frozen=True)
class CheckpointedShare:
    """Shares of what checkpointing all blocks does: 0 without it, 1 with all."""

    saved: float
    """Of the activations that are not kept as the backward pass begins."""
    repeated: float
    """Of the multiplications and additions that are done a second time."""
    calls: float
    """Of the operations that are dispatched a second time."""


NOTHING, ALL = CheckpointedShare(0.0, 0.0, 0.0), CheckpointedShare(1.0, 1.0, 1.0)


def checkpointed_share(config: TrainingConfig, structure: Structure) -> CheckpointedShare:
    """What the settings' gradient checkpointing does of what that of all blocks would."""
    memory, number = config.memory, structure.whole_blocks
    if not memory.gradient_checkpointing:
        return NOTHING
    blocks = memory.checkpointed_blocks
    if not 0 < blocks < number:
        return ALL
    known = family(config.model.family).memory_coefficients
    if known is None or not known.saved_by_first:
        # The last one's would be computed again as the backward pass begins: to keep them takes no more.
        return CheckpointedShare(min(1.0, blocks / (number - 1)), blocks / number, blocks / number)
    repeated, calls = _repeated(config.model.family, structure)
    return CheckpointedShare(_at(known.saved_by_first, blocks / number), repeated[blocks - 1], calls[blocks - 1])


def between(plain: float, checkpointed: float, share: float) -> float:
    """A figure with that share of checkpointing, from those without and with all of it: these to the bit at 0 and 1."""
    return plain * (1 - share) + checkpointed * share


def _at(counted: Sequence[float], part: float) -> float:
    """The entry of the first `part` of the blocks; a model of another number of them has one between two."""
    place = part * len(counted)
    below = min(int(place), len(counted) - 1)
    ends = (0.0, *counted)
    return ends[below] + (place - below) * (ends[below + 1] - ends[below])


@lru_cache(maxsize=64)
def _repeated(family_name: str, structure: Structure) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """Shares of (arithmetic, operations) that a U-Net's first block, the first two, ... have, by its layers."""
    levels = structure.halvings + 1
    work, layers = [0.0] * (2 * levels + 1), [0.0] * (2 * levels + 1)
    for target in family(family_name).lora_targets(structure, conv=True):
        if target.part == "unet" and not any(part in target.path for part in COMPUTED_ONCE):
            block, level = _place(target, levels)
            work[block] += target.weights / 4**level
            layers[block] += 1
    return _cumulated(work), _cumulated(layers)


def _place(target: LoraTarget, levels: int) -> tuple[int, int]:
    """(the layer's block, its level) where 0 is the first and the finest."""
    side, number, *_ = target.path.split(".")
    if side == "down_blocks":
        return int(number), int(number)
    return (levels, levels - 1) if side == "mid_block" else (levels + 1 + int(number), levels - 1 - int(number))


def _cumulated(shares: Sequence[float]) -> tuple[float, ...]:
    whole = sum(shares)
    return tuple(so_far / whole for so_far in accumulate(shares))
