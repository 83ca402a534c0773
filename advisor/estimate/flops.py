"""FLOPs of a training step: a closed form whose coefficients were counted on the real step."""

from __future__ import annotations

from dataclasses import replace
from math import sqrt

from advisor.dataset.buckets import Size
from advisor.estimate.checkpointing import between, checkpointed_share
from advisor.families import family
from advisor.families.coefficients import FlopCoefficients, StepFlops
from advisor.families.sd1 import SD1
from advisor.families.structure import Structure
from advisor.settings.config import TrainingConfig


def step_flops(config: TrainingConfig, structure: Structure, *, size: Size | None = None) -> float:
    """FLOPs (multiplications and additions) of one optimizer step, all its batches together.

    Args:
        size: of the pictures in pixels; None: the resolution's square.
    """
    known, standard = _known(config)
    counted = _counted(config, structure, known)
    width, height = size or (config.dataset.resolution_px,) * 2
    pixels = width * height / structure.vae.factor**2
    wider = structure.weights_per_pixel / standard.weights_per_pixel
    pairs = counted.pixel_pair * structure.attention_channels / standard.attention_channels
    rank = _rank(config)
    image = counted.image * wider + pixels * (counted.pixel * wider + pixels * pairs)
    image += pixels * rank * counted.pixel_rank * sqrt(wider)
    chunks = config.dataset.chunks
    larger = structure.text_parameters / standard.text_parameters
    if config.optimizer.trains_text_encoder:
        image += chunks * (counted.text * larger + rank * counted.text_rank * sqrt(larger))
    elif not config.memory.cache_text:
        image += chunks * known.text_forward * larger
    if not config.memory.cache_latents:
        image += encode_flops(config, structure, width * height)
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
                    update={
                        "gradient_checkpointing": checkpointing,
                        "checkpointed_blocks": 0,
                        "cache_text": True,
                        "cache_latents": True,
                    }
                ),
            }
        )
        for checkpointing in (False, True)
    )
    known, standard = _known(config)
    width, height = size or (config.dataset.resolution_px,) * 2
    wider = structure.weights_per_pixel / standard.weights_per_pixel
    once = width * height / structure.vae.factor**2 * known.unrepeated_pixel * wider
    return step_flops(repeated, structure, size=size) - step_flops(plain, structure, size=size) + once


def decode_flops(config: TrainingConfig, structure: Structure, pixels: float) -> float:
    """FLOPs of the VAE's decoder for an image of so many pixels."""
    known, standard = _known(config)
    return known.decode_pixel * pixels * structure.vae.parameters / standard.vae.parameters


def encode_flops(config: TrainingConfig, structure: Structure, pixels: float) -> float:
    """FLOPs of the VAE's encoder for an image of so many pixels."""
    known, standard = _known(config)
    share = structure.vae.parameters / standard.vae.parameters
    return known.encode_pixel * pixels * share


def read_flops(config: TrainingConfig, structure: Structure, tokens: float) -> float:
    """FLOPs of reading a caption of so many tokens before training; 0 where that is part of the steps."""
    known, standard = _known(config)
    return known.read_token * tokens * structure.text_parameters / standard.text_parameters


def _counted(config: TrainingConfig, structure: Structure, known: FlopCoefficients) -> StepFlops:
    """The coefficients of a step with its share of checkpointing; a trained text encoder has all of it or none."""
    share = checkpointed_share(config, structure).repeated
    plain, all_of_it = known.plain, known.checkpointed
    return replace(
        all_of_it if config.memory.gradient_checkpointing else plain,
        image=between(plain.image, all_of_it.image, share),
        pixel=between(plain.pixel, all_of_it.pixel, share),
        pixel_pair=between(plain.pixel_pair, all_of_it.pixel_pair, share),
        pixel_rank=between(plain.pixel_rank, all_of_it.pixel_rank, share),
    )


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
