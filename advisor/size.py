"""How large a LoRA file is, and what a run writes to disk."""

from __future__ import annotations

from collections.abc import Iterator
from functools import lru_cache
from math import ceil, isqrt, prod

from advisor.config import NetworkConfig, TrainingConfig
from advisor.families import family
from advisor.families.structure import LoraTarget, Structure

BYTES_OF = {"float32": 4.0, "float16": 2.0, "bfloat16": 2.0, "int8": 1.0, "nf4": 0.53}
"""Bytes of one weight; nf4 keeps one scale for every 64 weights beside its four bits."""

METADATA_BYTES = 32 * 1024
"""Room in a LoRA's header for what it tells of its training: dates, tags, settings."""

ENTRY_BYTES = 112
"""Room in the header for one tensor's dtype, shape and place, beside its name."""

ADAPTER_STATE_COPIES = 3
"""What resuming needs of each adapter weight: itself and Adam's two moments."""

STATES_KEPT = 2
"""The newest state and the one before it, should the newest be damaged."""

Shape = tuple[int, ...]


def lora_bytes(config: TrainingConfig, structure: Structure) -> int:
    """Bytes of one LoRA file: the weights exactly, and a header of planned length that the writer pads."""
    return planned_header_bytes(config, structure) + tensor_bytes(config, structure)


def tensor_bytes(config: TrainingConfig, structure: Structure) -> int:
    """Bytes of a LoRA's weights; for SD1.x, both parts, float16: 1.125 MiB for each rank and an alpha a layer."""
    weights = sum(prod(shape) for _, shape in lora_tensors(config, structure))
    return int(weights * BYTES_OF[config.saving.dtype])


def planned_header_bytes(config: TrainingConfig, structure: Structure) -> int:
    """Bytes before a LoRA's weights: the length itself, and the header padded with blanks to what is planned here."""
    entries = sum(len(name) + ENTRY_BYTES for name, _ in lora_tensors(config, structure))
    return 8 + ceil((entries + METADATA_BYTES) / 8) * 8


def lora_tensors(config: TrainingConfig, structure: Structure) -> Iterator[tuple[str, Shape]]:
    """The name and shape of each tensor in a LoRA file, in kohya's names."""
    for target in targets(config, structure):
        for suffix, shape in _tensors_of(target, config.network):
            yield f"{target.name}.{suffix}", shape


def adapter_parameters(config: TrainingConfig, structure: Structure) -> int:
    """Weights that are trained."""
    return sum(
        prod(shape)
        for target in targets(config, structure)
        for suffix, shape in _tensors_of(target, config.network)
        if suffix != "alpha"
    )


def targets(config: TrainingConfig, structure: Structure) -> tuple[LoraTarget, ...]:
    """The layers that get an adapter; those of the text encoder only where it is trained."""
    trains_text = config.optimizer.text_encoder_learning_rate > 0
    found = _targets(config.model.family, structure, config.network.conv_rank > 0)
    return tuple(target for target in found if trains_text or target.part == "unet")


def disk_bytes(config: TrainingConfig, structure: Structure, num_images: int) -> int:
    """Bytes that a run writes: every LoRA kept, what resuming needs, and the caches."""
    saves = config.schedule.epochs // config.saving.every_epochs if config.saving.every_epochs else 0
    kept = min(saves, config.saving.keep_last) if config.saving.keep_last else saves
    loras = max(1, kept) * lora_bytes(config, structure)
    state = STATES_KEPT * ADAPTER_STATE_COPIES * 4 * adapter_parameters(config, structure)
    return loras + state + num_images * _cache_bytes_of_one(config, structure)


def _cache_bytes_of_one(config: TrainingConfig, structure: Structure) -> int:
    total = 0
    if config.memory.cache_latents:
        side = config.dataset.resolution_px / structure.vae.factor
        total += int(side * side * structure.vae.latent_channels * 4)
    if config.memory.cache_text:
        total += sum(text.width * text.max_positions * 4 for text in structure.text)
    return total


@lru_cache(maxsize=64)
def _targets(name: str, structure: Structure, conv: bool) -> tuple[LoraTarget, ...]:
    return family(name).lora_targets(structure, conv=conv)


def _tensors_of(target: LoraTarget, network: NetworkConfig) -> tuple[tuple[str, Shape], ...]:
    rank = network.conv_rank if target.kernel == 3 else network.rank
    if network.kind == "loha":
        return _loha(target, rank)
    if network.kind == "lokr":
        return _lokr(target, rank, network.factor)
    tail = () if target.kernel == 0 else (1, 1)
    inner = () if target.kernel == 0 else (target.kernel, target.kernel)
    tensors: tuple[tuple[str, Shape], ...] = (
        ("alpha", ()),
        ("lora_down.weight", (rank, target.in_features, *inner)),
        ("lora_up.weight", (target.out_features, rank, *tail)),
    )
    return (*tensors, ("dora_scale", (target.out_features, 1, *tail))) if network.kind == "dora" else tensors


def _loha(target: LoraTarget, rank: int) -> tuple[tuple[str, Shape], ...]:
    width, height = target.in_features * max(target.kernel, 1) ** 2, target.out_features
    pairs = (("hada_w1_a", (height, rank)), ("hada_w1_b", (rank, width)))
    return (("alpha", ()), *pairs, ("hada_w2_a", (height, rank)), ("hada_w2_b", (rank, width)))


def _lokr(target: LoraTarget, rank: int, factor: int) -> tuple[tuple[str, Shape], ...]:
    small_out, large_out = _factors(target.out_features, factor)
    small_in, large_in = _factors(target.in_features, factor)
    kernel: Shape = () if target.kernel == 0 else (target.kernel, target.kernel)
    first = ("lokr_w1", (small_out, small_in))
    if rank >= max(large_out, large_in) / 2:
        return ("alpha", ()), first, ("lokr_w2", (large_out, large_in, *kernel))
    wide = large_in * max(target.kernel, 1) ** 2
    return ("alpha", ()), first, ("lokr_w2_a", (large_out, rank)), ("lokr_w2_b", (rank, wide))


def _factors(number: int, factor: int) -> tuple[int, int]:
    """`number` as smaller times larger; the smaller is the largest divisor not above `factor` (-1: the root)."""
    most = isqrt(number) if factor < 1 else min(factor, number)
    smaller = next(candidate for candidate in range(most, 0, -1) if number % candidate == 0)
    return min(smaller, number // smaller), max(smaller, number // smaller)
