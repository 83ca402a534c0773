"""What a step keeps for its backward pass, and when that and the gradients are the most together.

A closed form over coefficients that were counted on the real step; how: docs/decisions/0010-memory.md.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import ceil, prod

from advisor.adapters.layout import adapter_plans
from advisor.dataset.buckets import Size
from advisor.estimate.adapter_copies import gathering_bytes, gradient_bytes
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
    checkpointed = config.memory.gradient_checkpointing
    step = memory_coefficients(config).of_step(checkpointed=checkpointed, **_kind(config))
    of_denoiser, keeps = _denoiser_parameters(config, structure), work.keeps_gradients
    rank = config.network.rank if keeps_products and config.network.kind in ("lora", "locon") else 0
    found = [(int(gathering_bytes(copy, trained=trained, keeps=keeps)), 0)]
    for number, moment in enumerate(step.moments):
        gradients = gradient_bytes(copy, trained=trained, reached=moment.gradients * of_denoiser, keeps=keeps)
        kept = _saved(config, structure, work, step, checkpointed=checkpointed, number=number)
        kept += work.pixels * rank * moment.pixel_rank_bytes
        at_work = moment.unpacked * unpacking_bytes(config.memory, config.model.family, structure)
        at_work += _delta_weight_bytes(config, structure) if number or moment.unpacked else 0
        found.append((int(gradients), int(kept * over_half(config) + at_work)))
    return max(found, key=sum)


def saved_bytes(
    config: TrainingConfig, structure: Structure, *, size: Size | None = None, batch_parts: int = 1
) -> float:  # not rounded: equally fast choices must stay equal
    """Activations that a forward pass without checkpointing saves for its backward pass, but for adapters' products."""
    work = _step_size(config, structure, size, batch_parts)
    first = memory_coefficients(config).of_step(checkpointed=False, **_kind(config))
    return _saved(config, structure, work, first, checkpointed=False) * over_half(config)


def _step_size(config: TrainingConfig, structure: Structure, size: Size | None, batch_parts: int) -> StepSize:
    batch = config.schedule.batch_size
    parts = max(1, min(batch_parts, batch))
    count = ceil(batch / parts)
    reads = config.optimizer.trains_text_encoder or config.network.text_adapter
    tokens = config.dataset.chunks * structure.text_positions if reads else 0
    keeps = parts > 1 or config.schedule.gradient_accumulation > 1
    return StepSize(count * image_area(config, size) / structure.vae.factor**2, count, count * tokens, keeps)


def _kind(config: TrainingConfig) -> dict[str, bool]:
    return {"quantised": config.memory.quantised is not None, "convolutions": config.network.conv_rank > 0}


def _saved(
    config: TrainingConfig,
    structure: Structure,
    work: StepSize,
    step: StepMemory,
    *,
    checkpointed: bool,
    number: int = 0,
) -> float:
    """Activation bytes in half precision at the moment of that number, without what adapters keep of their own."""
    standard, moment = standard_of(config), step.moments[number]
    scale = structure.activation_channels(checkpointed=checkpointed) / standard.activation_channels(
        checkpointed=checkpointed
    )
    text = work.tokens * step.token_bytes * structure.text_channels / standard.text_channels
    image = work.pixels * moment.pixel_bytes + work.images * moment.image_bytes
    return image * scale + (text if number == 0 else 0)


def _denoiser_parameters(config: TrainingConfig, structure: Structure) -> int:
    """Trained weights of the denoiser's adapters."""
    plans = adapter_plans(config.model.family, structure, config.network, text_encoder=False)
    return sum(prod(shape) for plan in plans for shape in plan.shapes.values())


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
