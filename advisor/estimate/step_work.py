"""The work of a training step: arithmetic, the card's memory traffic, and the operations that a processor starts."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

from advisor.dataset.buckets import Size
from advisor.estimate.checkpointing import between, checkpointed_share
from advisor.estimate.flops import forward_flops, step_flops
from advisor.estimate.quantised_base import packed_layers
from advisor.estimate.step_peak import saved_bytes
from advisor.estimate.swapped_blocks import freed_bytes
from advisor.families import family
from advisor.families.coefficients import StepCalls
from advisor.families.sd1 import SD1
from advisor.families.structure import Structure
from advisor.settings.config import QuantisedDtype, TrainingConfig

ACTIVATION_TRAFFIC = 8
"""Reads and writes per saved activation byte and step. Unmeasured."""

UNPACKED_BYTES: dict[QuantisedDtype, float] = {"int8": 3.0, "nf4": 11.0}
"""Bytes read and written to unpack a weight once: int8 is read and written as 16 bits; nf4 goes through an index of 32
bits and a table, and is multiplied by its scale where it lies (`trainer.layers.quantise`)."""

KIND_CALLS = {"lora": 1.0, "locon": 1.21, "dora": 3.42, "loha": 1.49, "lokr": 1.23}
"""How many times the operations of a LoRA's step another kind has, by `python -P -m benchmarks.step_calls`."""


FORWARD_SHARE = 0.5
"""Of a step's traffic and calls, those of its forward pass: of the calls that gradient checkpointing repeats, so many
are counted for each family."""


@dataclass(frozen=True)
class StepWork:
    """What one optimizer step asks of a card and of the processor that feeds it."""

    flops: float
    moved_bytes: float
    """Read and written in the card's memory beside the arithmetic: activations, weights that are unpacked."""
    calls: float
    """Operations that torch dispatches, each of which takes the processor some time."""
    brought_bytes: float = 0.0
    """Weights that come out of the machine's memory (`memory.swapped_blocks`)."""


def step_work(
    config: TrainingConfig, structure: Structure, *, size: Size | None = None, batch_parts: int = 1
) -> StepWork:
    """The work of one optimizer step, all its batches together.

    Args:
        size: of the pictures in pixels; None: the resolution's square.
        batch_parts: into how many parts each batch is split.
    """
    passes = config.schedule.gradient_accumulation * max(1, min(batch_parts, config.schedule.batch_size))
    # With checkpointing activations are kept for a while only, but written and read as without.
    kept = saved_bytes(config, structure, size=size, batch_parts=batch_parts)
    moved = ACTIVATION_TRAFFIC * kept + _unpacked(config, structure)
    return StepWork(
        step_flops(config, structure, size=size),
        passes * moved,
        passes * _calls(config, structure),
        passes * 2 * freed_bytes(config.memory, config.model.family, structure),  # forward and backward
    )


def denoising_work(config: TrainingConfig, structure: Structure, *, size: Size | None = None) -> StepWork:
    """The work of one denoising step of one image: with guidance two forward passes in one batch, and no gradients.

    Args:
        size: of the image in pixels; None: the resolution's square.
    """
    count = 2 if config.sampling.guidance > 1 else 1
    schedule = config.schedule.model_copy(update={"batch_size": count, "gradient_accumulation": 1})
    optimizer = config.optimizer.model_copy(update={"text_encoder_learning_rate": 0.0})
    memory = config.memory.model_copy(update={"gradient_checkpointing": False, "cache_text": True})
    alone = config.model_copy(update={"schedule": schedule, "optimizer": optimizer, "memory": memory})
    moved = ACTIVATION_TRAFFIC * saved_bytes(alone, structure, size=size) + _unpacked(alone, structure)
    return StepWork(
        count * forward_flops(config, structure, size=size),
        FORWARD_SHARE * moved,
        FORWARD_SHARE * _calls(alone, structure),
        freed_bytes(config.memory, config.model.family, structure),
    )


def _unpacked(config: TrainingConfig, structure: Structure) -> float:
    """Bytes moved to unpack the base's weights in one pass: for the forward pass, again if it is repeated, and for the
    gradient of each layer's input."""
    memory = config.memory
    if memory.quantised is None:
        return 0.0
    times = 2 + checkpointed_share(config, structure).repeated
    return times * UNPACKED_BYTES[memory.quantised] * packed_layers(config.model.family, structure).weights


def _calls(config: TrainingConfig, structure: Structure) -> float:
    """Operations that torch dispatches from one batch to its gradients."""
    known = family(config.model.family)
    source = known if known.call_coefficients is not None else SD1
    assert source.call_coefficients is not None
    assert source.standard is not None
    memory, known_calls = config.memory, source.call_coefficients
    counted = known_calls.checkpointed if memory.gradient_checkpointing else known_calls.plain
    without, with_all = (_of_denoiser(config, calls) for calls in (known_calls.plain, known_calls.checkpointed))
    denoiser = between(without, with_all, checkpointed_share(config, structure).calls)
    text = 0 if memory.cache_text else counted.text_forward
    text = counted.text_trained if config.optimizer.trains_text_encoder else text
    share = _layers(source.name, structure) / _layers(source.name, source.standard)
    return denoiser * share + text


def _of_denoiser(config: TrainingConfig, counted: StepCalls) -> float:
    quantised = {None: 0, "int8": counted.int8, "nf4": counted.nf4}[config.memory.quantised]
    return counted.denoiser * KIND_CALLS[config.network.kind] + quantised


@lru_cache(maxsize=64)
def _layers(family_name: str, structure: Structure) -> int:
    """Layers of the denoiser that a LoRA adapts."""
    return sum(1 for target in family(family_name).lora_targets(structure) if target.part == "unet")
