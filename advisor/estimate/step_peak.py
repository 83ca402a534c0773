"""What a step keeps for its backward pass, and when that and the gradients are the most together.

A closed form over coefficients that were counted on the real step; how: docs/decisions/0010-memory.md.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import ceil

from advisor.adapters.layout import adapter_plans, num_adapter_parameters
from advisor.dataset.buckets import Size
from advisor.estimate.adapter_copies import gathering_bytes, gradient_bytes
from advisor.estimate.checkpointing import between, checkpointed_share
from advisor.estimate.disk import BYTES_OF
from advisor.estimate.quantised_base import unpacking_bytes
from advisor.families import family
from advisor.families.coefficients import MemoryCoefficients, StepMemory
from advisor.families.sd1 import SD1
from advisor.families.structure import Structure
from advisor.settings.config import TrainingConfig

DELTA_WEIGHT_COPIES = {"dora": 4, "loha": 5, "lokr": 4}
"""Weight-sized buffers alive while the backward pass forms the weight delta, in kinds that form one.

Counted on SDXL for DoRA and LoHa; LoKr is taken to be as DoRA."""


@dataclass(frozen=True)
class StepSize:
    """The size of one forward and backward pass."""

    pixels: float
    """Latent pixels of all images of a micro-batch."""
    images: int
    """Images of a micro-batch."""
    tokens: float
    """Text tokens of these images; 0 where nothing that reads them is trained."""
    keeps_gradients: bool
    """Gradients of an earlier micro-batch or batch are allocated from the start."""


def step_peak(
    config: TrainingConfig,
    structure: Structure,
    *,
    trained: int,
    copy: int,
    size: Size | None = None,
    batch_parts: int = 1,
    keeps_products: bool = True,
) -> tuple[int, int]:
    """(gradient bytes, activation bytes) at the moment of the backward pass when their sum is largest.

    Args:
        trained: weights of all adapters.
        copy: bytes of the copy of one of them; 0: there is none.
        size: the largest training size of the pictures; None: the resolution's square.
        batch_parts: into how many parts each batch is split.
        keeps_products: adapters keep their rank-wide products for the backward pass.
    """
    work = _step_size(config, structure, size, batch_parts)
    step = _step(config, checkpointed=config.memory.gradient_checkpointing)
    of_denoiser, keeps = _denoiser_parameters(config, structure), work.keeps_gradients
    found = [(int(gathering_bytes(copy, trained=trained, keeps=keeps)), 0)]
    for number, moment in enumerate(step.moments):
        gradients = gradient_bytes(copy, trained=trained, reached=moment.gradients * of_denoiser, keeps=keeps)
        kept = _of_images(config, structure, work, number=number)
        if number == 0:
            kept = _first(config, structure, work, keeps_products=keeps_products)
        at_work = moment.unpacked * unpacking_bytes(config.memory, config.model.family, structure)
        at_work += _delta_weight_bytes(config, structure) if number or moment.unpacked else 0
        found.append((int(gradients), int(kept * over_half(config) + at_work)))
    return max(found, key=sum)


def saved_bytes(
    config: TrainingConfig, structure: Structure, *, size: Size | None = None, batch_parts: int = 1
) -> float:  # not rounded: equally fast choices must stay equal
    """Activations that a forward pass without checkpointing saves for its backward pass, but for adapters' products."""
    work = _step_size(config, structure, size, batch_parts)
    kept = _of_images(config, structure, work, checkpointed=False) + _of_text(
        config, structure, work, checkpointed=False
    )
    return kept * over_half(config)


def _step_size(config: TrainingConfig, structure: Structure, size: Size | None, batch_parts: int) -> StepSize:
    batch = config.schedule.batch_size
    parts = max(1, min(batch_parts, batch))
    count = ceil(batch / parts)
    reads = config.optimizer.trains_text_encoder or config.network.text_adapter
    tokens = config.dataset.chunks * structure.text_positions if reads else 0
    keeps = parts > 1 or config.schedule.gradient_accumulation > 1
    return StepSize(count * image_area(config, size) / structure.vae.factor**2, count, count * tokens, keeps)


def _step(config: TrainingConfig, *, checkpointed: bool) -> StepMemory:
    return memory_coefficients(config).of_step(
        checkpointed=checkpointed,
        quantised=config.memory.quantised is not None,
        convolutions=config.network.conv_rank > 0,
    )


def _first(config: TrainingConfig, structure: Structure, work: StepSize, *, keeps_products: bool) -> float:
    """Activation bytes in half precision as the backward pass begins, with the settings' share of checkpointing."""
    checkpointed = config.memory.gradient_checkpointing
    plain, all_of_it = (
        _of_images(config, structure, work, checkpointed=way)
        + keeps_products * _of_adapters(config, work, checkpointed=way)
        for way in (False, True)
    )
    images = between(plain, all_of_it, checkpointed_share(config, structure).saved)
    return images + _of_text(config, structure, work, checkpointed=checkpointed)


def _of_images(
    config: TrainingConfig, structure: Structure, work: StepSize, *, checkpointed: bool = True, number: int = 0
) -> float:
    """Activation bytes of the denoiser in half precision at the moment of that number, without its adapters' own."""
    moment, standard = _step(config, checkpointed=checkpointed).moments[number], standard_of(config)
    scale = structure.activation_channels(checkpointed=checkpointed) / standard.activation_channels(
        checkpointed=checkpointed
    )
    return (work.pixels * moment.pixel_bytes + work.images * moment.image_bytes) * scale


def _of_adapters(config: TrainingConfig, work: StepSize, *, checkpointed: bool) -> float:
    """The same that adapters keep of their own as the backward pass begins."""
    rank = config.network.rank if config.network.kind in ("lora", "locon") else 0
    return work.pixels * rank * _step(config, checkpointed=checkpointed).moments[0].pixel_rank_bytes


def _of_text(config: TrainingConfig, structure: Structure, work: StepSize, *, checkpointed: bool) -> float:
    """The same of trained text encoders, which are checkpointed as a whole."""
    share = structure.text_channels / standard_of(config).text_channels
    return work.tokens * _step(config, checkpointed=checkpointed).token_bytes * share


def _denoiser_parameters(config: TrainingConfig, structure: Structure) -> int:
    """Trained weights of the denoiser's adapters."""
    return num_adapter_parameters(config.model.family, structure, config.network, text_encoder=False)


def _delta_weight_bytes(config: TrainingConfig, structure: Structure) -> float:
    """Bytes of the largest linear layer's weight-delta buffers; 0 for kinds that form no delta."""
    copies = DELTA_WEIGHT_COPIES.get(config.network.kind, 0)
    if not copies:
        return 0.0
    plans = adapter_plans(config.model.family, structure, config.network, text_encoder=False)
    largest = max(
        (one.target.in_features * one.target.out_features for one in plans if not one.target.kernel), default=0
    )
    return copies * largest * BYTES_OF[config.memory.compute_dtype]


def over_half(config: TrainingConfig) -> float:
    """Bytes of a number in the compute dtype over those in half precision."""
    return BYTES_OF[config.memory.compute_dtype] / BYTES_OF["float16"]


def memory_coefficients(config: TrainingConfig) -> MemoryCoefficients:
    """The family's coefficients; SD1's where it has none of its own."""
    found = family(config.model.family).memory_coefficients or SD1.memory_coefficients
    assert found is not None
    return found


def standard_of(config: TrainingConfig) -> Structure:
    """The published model that those were counted on."""
    own = family(config.model.family)
    found = own.standard if own.memory_coefficients else SD1.standard
    assert found is not None
    return found


def image_area(config: TrainingConfig, size: Size | None) -> int:
    """Pixels of a picture of that size; None: of the resolution's square."""
    return config.dataset.resolution_px**2 if size is None else size[0] * size[1]
