"""FLOPs of a training step: a closed form whose coefficients were counted on the real step."""

from __future__ import annotations

from functools import lru_cache
from math import sqrt

from advisor.dataset.buckets import Size
from advisor.estimate.parameter_counts import text_parameters, unet_parameters_by_level, vae_parameters
from advisor.families import family
from advisor.families.coefficients import FlopCoefficients
from advisor.families.sd1 import SD1
from advisor.families.sd1 import STANDARD as SD1_STRUCTURE
from advisor.families.structure import Structure, UNetStructure
from advisor.settings.config import TrainingConfig

ENCODE_FLOPS_PER_PIXEL = 4.2e6
"""FLOPs of the usual VAE's encoder per image pixel."""
DECODE_FLOPS_PER_PIXEL = 9.8e6
"""FLOPs of its decoder: 9.6e6 at 512 px, 10.0e6 at 1024 (`Simulation.drawing_operations`)."""


def step_flops(config: TrainingConfig, structure: Structure, *, size: Size | None = None) -> float:
    """FLOPs (multiplications and additions) of one optimizer step, all its batches together.

    Args:
        size: of the pictures in pixels; None: the resolution's square.
    """
    known, standard = _known(config)
    checkpointing = config.memory.gradient_checkpointing
    counted = known.checkpointed if checkpointing else known.plain
    width, height = size or (config.dataset.resolution_px,) * 2
    pixels = width * height / structure.vae.factor**2
    wider = _weights_per_pixel(structure) / _weights_per_pixel(standard)
    pairs = counted.pixel_pair * _attention(structure.unet) / _attention(standard.unet)
    rank = _rank(config)
    image = counted.image * wider + pixels * (counted.pixel * wider + pixels * pairs)
    image += pixels * rank * counted.pixel_rank * sqrt(wider)
    chunks = config.dataset.chunks
    larger = text_parameters(structure) / text_parameters(standard)
    if config.optimizer.trains_text_encoder:
        image += chunks * (counted.text * larger + rank * counted.text_rank * sqrt(larger))
    elif not config.memory.cache_text:
        image += chunks * known.text_forward * larger
    if not config.memory.cache_latents:
        image += encode_flops(structure, width * height)
    return image * config.schedule.batch_size * config.schedule.gradient_accumulation


def forward_flops(config: TrainingConfig, structure: Structure, *, size: Size | None = None) -> float:
    """FLOPs of the denoiser's forward pass for one image, its adapters attached: what gradient checkpointing repeats of
    it, and what it does not.

    Args:
        size: of the image in pixels; None: the resolution's square.
    """
    schedule = config.schedule.model_copy(update={"batch_size": 1, "gradient_accumulation": 1})
    optimizer = config.optimizer.model_copy(update={"text_encoder_learning_rate": 0.0})
    plain, repeated = (
        config.model_copy(
            update={
                "schedule": schedule,
                "optimizer": optimizer,
                "memory": config.memory.model_copy(
                    update={"gradient_checkpointing": checkpointing, "cache_text": True, "cache_latents": True}
                ),
            }
        )
        for checkpointing in (False, True)
    )
    known, standard = _known(config)
    width, height = size or (config.dataset.resolution_px,) * 2
    wider = _weights_per_pixel(structure) / _weights_per_pixel(standard)
    once = width * height / structure.vae.factor**2 * known.unrepeated_pixel * wider
    return step_flops(repeated, structure, size=size) - step_flops(plain, structure, size=size) + once


def decode_flops(structure: Structure, pixels: float) -> float:
    """FLOPs of the VAE's decoder for an image of so many pixels."""
    return DECODE_FLOPS_PER_PIXEL * pixels * vae_parameters(structure.vae) / vae_parameters(SD1_STRUCTURE.vae)


def encode_flops(structure: Structure, pixels: float) -> float:
    """FLOPs of the VAE's encoder for an image of so many pixels."""
    share = vae_parameters(structure.vae) / vae_parameters(SD1_STRUCTURE.vae)
    return ENCODE_FLOPS_PER_PIXEL * pixels * share


def _rank(config: TrainingConfig) -> float:
    """The rank of the adapters; convolutions' own counts for what their share of the layers makes it."""
    return config.network.rank + (config.network.conv_rank or 0)


def _known(config: TrainingConfig) -> tuple[FlopCoefficients, Structure]:
    """The family's coefficients, SD1's where it has none, and the model they were counted on."""
    own = family(config.model.family)
    source = own if own.flop_coefficients is not None else SD1
    assert source.flop_coefficients is not None
    assert source.standard is not None
    return source.flop_coefficients, source.standard


@lru_cache(maxsize=64)
def _weights_per_pixel(structure: Structure) -> float:
    """Weights applied per latent pixel: each level's by its share of the area."""
    levels = unet_parameters_by_level(structure)[:-1]
    return sum(number * 0.25**level for level, number in enumerate(levels))


def _attention(unet: UNetStructure) -> float:
    """Channels of self-attention, weighted by the square of each level's share of the area."""
    layers = 2 * unet.layers_per_block + 1
    levels = zip(unet.transformer_depth, unet.block_out_channels, strict=True)
    return sum(layers * depth * width / 16**level for level, (depth, width) in enumerate(levels)) or 1.0
