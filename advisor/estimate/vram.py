"""How much memory a training needs, by part: a closed form whose coefficients were counted on the real step.

Weights, adapters, gradients and optimizer follow from the networks' measures. Activations saved for the backward pass
grow with the latent pixels of a batch; each family has its numbers (`advisor.families.coefficients`,
docs/decisions/0010-memory.md).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from advisor.dataset.buckets import Size
from advisor.estimate.adapter_copies import copy_bytes
from advisor.estimate.disk import adapter_parameters
from advisor.estimate.quantised_base import denoiser_bytes, text_bytes, text_unpacking_bytes
from advisor.estimate.step_peak import memory_coefficients, over_half, standard_of, step_peak
from advisor.estimate.swapped_blocks import absent_at_peak_bytes, freed_bytes
from advisor.estimate.vae_slices import slice_px
from advisor.families import family
from advisor.families.structure import Structure
from advisor.settings.config import TrainingConfig
from advisor.units import GIB, MIB, gib

Phase = Literal["loading", "reading", "caching", "step", "sampling"]
"""Of a run: load the base model, read captions where that comes first, encode images, train, draw samples."""

CONTEXT_BYTES = 400 * MIB
"""The CUDA context with its loaded kernels: the most of the published figures, 141 MiB on a T4, 256 on an RTX 3090,
300 to 400 elsewhere (docs/memory.md)."""

WORKSPACE_BYTES = 96 * MIB
"""cuBLAS keeps 8 MiB (32 from Hopper on), cuBLASLt 1 MiB. What cuDNN takes for convolutions is unknown: it depends on
the algorithm that it chooses, and nobody published it for these models."""

ALLOCATOR_SHARE = 0.12
"""What torch's allocator reserves above what is allocated, as a share of it: the median of 79 published runs, and above
all of those with fused attention and a whole base, which are the nearest to ours (4 to 9 %; docs/memory.md)."""

PROCESS_OVERHEAD_BYTES = int(0.7 * GIB)
"""Python with torch and diffusers loaded, on a processor."""

PICTURE_BYTES = 12
"""Of a pixel in three channels of float32: of the whole picture, which lies beside the slice that the VAE is at."""

OPTIMIZER_BYTES = {
    "adamw": 8, "adamw8bit": 2.1, "lion": 4, "adafactor": 4.1, "prodigy": 16, "came": 8.2, "schedule_free_adamw": 8,
}  # fmt: skip
"""Bytes of optimizer state per trained weight; others count as AdamW."""


def vram_parts(
    config: TrainingConfig,
    structure: Structure,
    *,
    size: Size | None = None,
    batch_parts: int = 1,
    elsewhere: bool = False,
) -> dict[str, int]:
    """Peak bytes of a training step by part; on a processor, of the training process.

    Args:
        size: the largest training size of the pictures; None: the resolution's square.
        batch_parts: into how many parts each batch is split.
        elsewhere: in a trainer whose adapters have no copies (`advisor.estimate.adapter_copies`) and keep no products.
    """
    trained, copy = adapter_parameters(config, structure), 0 if elsewhere else copy_bytes(config)
    gradients, activations = step_peak(
        config, structure, trained=trained, copy=copy, size=size, batch_parts=batch_parts, keeps_products=not elsewhere
    )
    parts = _resident(config, structure, trained, copy) | {"gradients": gradients, "activations": activations}
    if config.memory.preset != "cpu":
        parts["denoiser"] -= absent_at_peak_bytes(config.memory, config.model.family, structure, activations)
    return parts | {"overhead": _overhead(config, sum(parts.values()))}


def vram_bytes(config: TrainingConfig, structure: Structure, *, size: Size | None = None, batch_parts: int = 1) -> int:
    """Peak bytes of a training step."""
    return sum(vram_parts(config, structure, size=size, batch_parts=batch_parts).values())


def allocated_bytes(parts: Mapping[str, int]) -> int:
    """What torch has allocated at the peak, of the parts of a step's memory: all but what lies around it."""
    return sum(parts.values()) - parts["overhead"]


def reserved_bytes(config: TrainingConfig, parts: Mapping[str, int]) -> int:
    """What torch's allocator holds of a card at the peak; on a processor it is what is allocated."""
    around = PROCESS_OVERHEAD_BYTES if config.memory.preset == "cpu" else CONTEXT_BYTES + WORKSPACE_BYTES
    return sum(parts.values()) - around


def memory_note(config: TrainingConfig, parts: Mapping[str, int]) -> str:
    """What the figure is made of, for the user."""
    allocated = allocated_bytes(parts)
    counted = f"memory: {gib(allocated)} allocated, counted on a simulated step"
    if config.memory.preset == "cpu":
        return f"{counted}; {gib(parts['overhead'])} for Python and its libraries"
    reserved = f"torch will have about {gib(reserved_bytes(config, parts))} reserved for it"
    driver = gib(CONTEXT_BYTES + WORKSPACE_BYTES)
    return f"{counted}; {reserved}, the driver takes about {driver}; what cuDNN takes for convolutions is unknown"


def corrected_parts(parts: dict[str, int], correction: float) -> dict[str, int]:
    """The parts with what runs on this machine took above the prediction, as one more where there is any."""
    more = int(allocated_bytes(parts) * (correction - 1))
    return parts | {"measured_here": more} if more > 0 else parts


def phase_bytes(
    phase: Phase, config: TrainingConfig, structure: Structure, *, size: Size | None = None, batch_parts: int = 1
) -> int:
    """Peak bytes of one phase of a run."""
    if phase == "step":
        return vram_bytes(config, structure, size=size, batch_parts=batch_parts)
    trained = adapter_parameters(config, structure)
    kept, vae = _resident(config, structure, trained, copy_bytes(config)), structure.vae.parameters * 4
    if phase == "loading":
        found = networks_bytes(config, structure) + vae + 4 * trained
    elif phase == "reading":
        beside = vae if config.memory.preset == "cpu" else 0  # on a card it waits in the machine's memory
        found = beside + _text_weights(config, structure) + _reading_bytes(config, structure)
    elif phase == "caching":
        found = _beside_the_vae(config, structure, trained) + vae + _vae_work(config, structure, size).encode
    else:
        vae = 0 if kept["vae"] else vae
        found = sum(kept.values()) + vae + _vae_work(config, structure, size).decode
    return found + _overhead(config, found)


def encoding_phases(config: TrainingConfig) -> tuple[Phase, ...]:
    """What a run does before its steps: captions are read first where the denoiser comes after them."""
    return ("reading", "caching") if family(config.model.family).text_before_denoiser else ("caching",)


def waiting_text_bytes(config: TrainingConfig, structure: Structure) -> int:
    """Bytes of text encoders that are not used any more and wait all the same; 0 where they made room."""
    return 0 if family(config.model.family).text_before_denoiser else _text_weights(config, structure)


def networks_bytes(config: TrainingConfig, structure: Structure) -> int:
    """Bytes of denoiser and text encoders, as far as they lie in memory at once."""
    denoiser = denoiser_bytes(config.memory, config.model.family, structure)
    text = _text_weights(config, structure)
    return max(denoiser, text) if family(config.model.family).text_before_denoiser else denoiser + text


def drawing_bytes(config: TrainingConfig, structure: Structure, *, size: Size | None = None) -> int:
    """Peak bytes of drawing with a finished LoRA: there is no optimizer, and on a card text encoders wait in RAM."""
    trained = adapter_parameters(config, structure)
    found = _denoiser_there(config, structure) + structure.vae.parameters * 4
    found += _text_weights(config, structure) if config.memory.preset == "cpu" else 0
    found += 4 * trained + decode_bytes(config, structure, size=size)
    return found + _overhead(config, found)


def decode_bytes(config: TrainingConfig, structure: Structure, *, size: Size | None = None) -> int:
    """What decoding an image takes beside the networks at its peak; denoising it with guidance takes less."""
    return _vae_work(config, structure, size).decode


@dataclass(frozen=True)
class _VaeWork:
    encode: int
    decode: int


def _vae_work(config: TrainingConfig, structure: Structure, size: Size | None) -> _VaeWork:
    known, standard = memory_coefficients(config), standard_of(config)
    wider = structure.vae.finest_channels / standard.vae.finest_channels

    def work(pixel_bytes: float, slices: int) -> int:
        long_px, short_px = sorted(size or (config.dataset.resolution_px,) * 2, reverse=True)
        at_once = slice_px(long_px, slices, structure.vae.factor)
        beside = PICTURE_BYTES * long_px * short_px if at_once < long_px else 0
        return int(pixel_bytes * wider * at_once * short_px) + beside

    memory = config.memory
    return _VaeWork(
        work(known.encode_pixel_bytes, memory.encode_slices), work(known.decode_pixel_bytes, memory.decode_slices)
    )


def _reading_bytes(config: TrainingConfig, structure: Structure) -> int:
    """What reading a caption takes beside the text encoder at its peak."""
    share = structure.text_parameters / standard_of(config).text_parameters
    tokens = structure.text_positions * config.dataset.chunks
    work = memory_coefficients(config).read_token_bytes * share * tokens * over_half(config)
    return int(work) + text_unpacking_bytes(config.memory, config.model.family, structure)


def _beside_the_vae(config: TrainingConfig, structure: Structure, trained: int) -> int:
    """What lies in the memory that pictures are encoded in; on a card networks wait in the machine's."""
    is_on_cpu = config.memory.preset == "cpu"
    if family(config.model.family).text_before_denoiser:
        return _text_weights(config, structure) if is_on_cpu else 0
    return 4 * trained + (networks_bytes(config, structure) if is_on_cpu else 0)


def _resident(config: TrainingConfig, structure: Structure, trained: int, copy: int) -> dict[str, int]:
    """Bytes by part that stay allocated throughout."""
    memory = config.memory
    return {
        "denoiser": _denoiser_there(config, structure),
        "text_encoder": 0 if memory.cache_text else _text_weights(config, structure),
        "vae": 0 if memory.cache_latents else structure.vae.parameters * 4,
        "adapter": trained * ((8 if config.loss.ema else 4) + copy),
        "optimizer": int(trained * OPTIMIZER_BYTES.get(config.optimizer.name, 8)),
    }


def _denoiser_there(config: TrainingConfig, structure: Structure) -> int:
    """Bytes of the denoiser where it is computed: all of it, but on a card without most of the blocks that wait."""
    whole = denoiser_bytes(config.memory, config.model.family, structure)
    if config.memory.preset == "cpu":
        return whole
    return whole - freed_bytes(config.memory, config.model.family, structure)


def _text_weights(config: TrainingConfig, structure: Structure) -> int:
    return text_bytes(config.memory, config.model.family, structure)


def _overhead(config: TrainingConfig, others: int) -> int:
    if config.memory.preset == "cpu":
        return PROCESS_OVERHEAD_BYTES
    return CONTEXT_BYTES + WORKSPACE_BYTES + int(ALLOCATOR_SHARE * others)
