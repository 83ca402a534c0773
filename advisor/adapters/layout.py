"""Which layers get an adapter, how wide it is, and which tensors it is made of.

The one source for the trainer, which makes these tensors, and for the file's size. Names and shapes are those of
kohya's networks (LoRA, LoCon) and of LyCORIS (LoHa, LoKr, DoRA), as ComfyUI and A1111 read them.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from math import isqrt, prod
from types import MappingProxyType

from advisor.errors import ConfigError
from advisor.families import family
from advisor.families.structure import LoraTarget, Structure
from advisor.settings.config import AdapterKind, NetworkConfig

Shape = tuple[int, ...]
Shapes = Mapping[str, Shape]
"""Of the trained tensors by what follows the layer's name and a point, in the file's order; `alpha` is not among
them."""

IN_DIFFUSERS: tuple[AdapterKind, ...] = ("lora", "locon", "dora")
"""Kinds that diffusers and peft have names for in all parts of a model."""

MAGNITUDE = "dora_scale"
"""DoRA's lengths: always float32 in the file, since half of it would already change what a DoRA of zeros gives."""


@dataclass(frozen=True)
class AdapterPlan:
    """One layer's adapter."""

    target: LoraTarget
    rank: int
    alpha: float
    shapes: Shapes


@lru_cache(maxsize=16)
def adapter_plans(
    family_name: str, structure: Structure, network: NetworkConfig, *, text_encoder: bool
) -> tuple[AdapterPlan, ...]:
    """All adapters in the file's order; a block of rank 0 has none.

    Raises:
        ConfigError: `block_ranks` does not fit the model's blocks.
    """
    facts = family(family_name)
    ranks = _block_ranks(network.block_ranks, facts.num_blocks(structure))
    plans = []
    for target in facts.lora_targets(structure, conv=network.conv_rank > 0, text_adapter=network.text_adapter):
        if target.part != "unet" and not text_encoder:
            continue
        rank, alpha = network.rank, network.alpha
        if target.block is not None and ranks:
            rank = ranks[target.block]
        if target.kernel == 3 and rank:
            rank = network.conv_rank
            alpha = network.conv_alpha or network.alpha / network.rank * network.conv_rank
        if rank:
            plans.append(AdapterPlan(target, rank, alpha, adapter_shapes(target, network, rank)))
    return tuple(plans)


@lru_cache(maxsize=256)
def num_adapter_parameters(
    family_name: str, structure: Structure, network: NetworkConfig, *, text_encoder: bool
) -> int:
    """Weights of all these adapters; a plan that is searched for asks thousands of times.

    Raises:
        ConfigError: `block_ranks` does not fit the model's blocks.
    """
    plans = adapter_plans(family_name, structure, network, text_encoder=text_encoder)
    return sum(prod(shape) for plan in plans for shape in plan.shapes.values())


def block_rates(factors: tuple[float, ...], num_blocks: int) -> tuple[float, ...]:
    """The factor on each block's learning rate; empty where all have the same.

    Raises:
        ConfigError: it is not one a block.
    """
    if factors and len(factors) != num_blocks:
        mend = f"this model has {num_blocks} blocks, so {num_blocks} factors are needed, not {len(factors)}"
        raise ConfigError("optimizer.block_learning_rates", list(factors), mend)
    return factors


def _block_ranks(ranks: tuple[int, ...], num_blocks: int) -> tuple[int, ...]:
    """The rank of each block; kohya's list for SDXL has one more at either end, where no layer is adapted."""
    if any(rank < 0 for rank in ranks):
        raise ConfigError("network.block_ranks", list(ranks), "a rank is 1 or more; 0 leaves a block without adapters")
    if len(ranks) == num_blocks + 2:
        return ranks[1:-1]
    if ranks and len(ranks) != num_blocks:
        mend = f"this model has {num_blocks} blocks, so {num_blocks} ranks are needed, not {len(ranks)}"
        raise ConfigError("network.block_ranks", list(ranks), mend)
    return ranks


def adapter_shapes(target: LoraTarget, network: NetworkConfig, rank: int) -> Shapes:
    """The tensors of one adapter of the network's kind."""
    return MappingProxyType(_SHAPES[network.kind](target, rank, network))


def lokr_factors(number: int, factor: int) -> tuple[int, int]:
    """`number` as smaller times larger for LoKr, as LyCORIS splits it.

    The smaller is `factor` where that divides the number, else the largest divisor that is neither above `factor` nor
    above the root; without a factor (below 1) the largest up to the root.
    """
    if factor > 0 and number % factor == 0:
        return min(factor, number // factor), max(factor, number // factor)
    most = isqrt(number) if factor < 1 else min(factor, isqrt(number))
    smaller = next(candidate for candidate in range(most, 0, -1) if number % candidate == 0)
    return smaller, number // smaller


def _lora(target: LoraTarget, rank: int, _: NetworkConfig) -> dict[str, Shape]:
    inner, ones = _kernel(target), _ones(target)
    return {
        "lora_down.weight": (rank, target.in_features, *inner),
        "lora_up.weight": (target.out_features, rank, *ones),
    }


def _dora(target: LoraTarget, rank: int, network: NetworkConfig) -> dict[str, Shape]:
    lengths = (1, target.in_features) if network.dora_axis == "input" else (target.out_features, 1)
    return {**_lora(target, rank, network), MAGNITUDE: (*lengths, *_ones(target))}


def _loha(target: LoraTarget, rank: int, _: NetworkConfig) -> dict[str, Shape]:
    width, height = target.in_features * max(target.kernel, 1) ** 2, target.out_features
    return {
        "hada_w1_a": (height, rank), "hada_w1_b": (rank, width), "hada_w2_a": (height, rank),
        "hada_w2_b": (rank, width),
    }  # fmt: skip


def _lokr(target: LoraTarget, rank: int, network: NetworkConfig) -> dict[str, Shape]:
    small_out, large_out = lokr_factors(target.out_features, network.factor)
    small_in, large_in = lokr_factors(target.in_features, network.factor)
    first = {"lokr_w1": (small_out, small_in)}
    if rank >= max(large_out, large_in) / 2:
        return {**first, "lokr_w2": (large_out, large_in, *_kernel(target))}
    wide = large_in * max(target.kernel, 1) ** 2
    return {**first, "lokr_w2_a": (large_out, rank), "lokr_w2_b": (rank, wide)}


def _kernel(target: LoraTarget) -> Shape:
    return (target.kernel, target.kernel) if target.kernel else ()


def _ones(target: LoraTarget) -> Shape:
    return (1, 1) if target.kernel else ()


_SHAPES: Mapping[str, Callable[[LoraTarget, int, NetworkConfig], dict[str, Shape]]] = {
    "lora": _lora, "locon": _lora, "dora": _dora, "loha": _loha, "lokr": _lokr,
}  # fmt: skip
