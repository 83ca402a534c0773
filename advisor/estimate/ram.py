"""How much of the machine's own memory (RAM) a training takes at its peak."""

from __future__ import annotations

from advisor.estimate.disk import CAPTION_TOKENS, adapter_parameters, lora_bytes, num_texts, text_bytes
from advisor.estimate.swapped_blocks import waiting_bytes
from advisor.estimate.vram import Phase, encoding_phases, networks_bytes, phase_bytes, waiting_text_bytes
from advisor.families.structure import Structure
from advisor.settings.config import TrainingConfig
from advisor.units import GIB, MIB

GPU_PROCESS_BYTES = 2 * GIB
"""Python with torch and diffusers, and what CUDA's libraries take of the machine's memory. Unmeasured: no card here."""

LOADING_SHARE = 0.08
"""What reading and converting weights one by one takes beside them: SDXL in bfloat16 took 8.38e9 bytes where networks
and process are 7.86e9; SD1.5 took less (benchmarks/loading_memory.py)."""

CACHE_KEPT_BYTES = 256 * MIB
"""So much of each cache is kept in memory at most (trainer.data.tensor_cache)."""

DECODED_BYTES_PER_PIXEL = 3 * 4 + 4
"""A picture on its way to the VAE: float32 in three channels, and the decoder's own."""
IMAGES_AHEAD = 4
"""Decoded and waiting, for each thread (trainer.data.latents)."""

SAVING_COPIES = 3
"""A LoRA while it is saved: its weights, the file's bytes, and these once more with the padded header."""


def ram_bytes(
    config: TrainingConfig,
    structure: Structure,
    *,
    num_images: int,
    on_gpu: bool,
    caption_tokens: float = CAPTION_TOKENS,
) -> int:
    """Peak bytes of the training process in the machine's memory.

    Weights are read one by one, so the networks are there once, and the file is not (benchmarks/loading_memory.py).

    Args:
        caption_tokens: of one caption, on average.
    """
    beside = _kept_caches(config, structure, num_images, caption_tokens) + _decoded_bytes(config)
    if not on_gpu:
        drawing: tuple[Phase, ...] = ("sampling",) if config.sampling.draws else ()
        phases: tuple[Phase, ...] = ("loading", *encoding_phases(config), "step", *drawing)
        return max(phase_bytes(phase, config, structure) for phase in phases) + beside
    networks = networks_bytes(config, structure) + structure.vae.parameters * 4
    waiting = networks * (1 + LOADING_SHARE)
    saving = SAVING_COPIES * lora_bytes(config, structure)
    adapters = 4 * adapter_parameters(config, structure)
    return int(GPU_PROCESS_BYTES + max(waiting + adapters, saving + _left_behind(config, structure)) + beside)


def _left_behind(config: TrainingConfig, structure: Structure) -> int:
    """Networks that wait in the machine's memory while steps are made."""
    text = waiting_text_bytes(config, structure) if config.memory.cache_text else 0
    return structure.vae.parameters * 4 + text + waiting_bytes(config.memory, config.model.family, structure)


def _kept_caches(config: TrainingConfig, structure: Structure, num_images: int, caption_tokens: float) -> int:
    total = 0
    if config.memory.cache_latents:
        side = config.dataset.resolution_px / structure.vae.factor
        latents = num_images * config.dataset.views * side * side * structure.vae.latent_channels * 2 * 4
        total += int(min(CACHE_KEPT_BYTES, latents))
    texts = num_texts(config, num_images) * text_bytes(config, structure, caption_tokens)
    return total + min(CACHE_KEPT_BYTES, texts)


def _decoded_bytes(config: TrainingConfig) -> int:
    return IMAGES_AHEAD * config.machine.cpu_threads * config.dataset.resolution_px**2 * DECODED_BYTES_PER_PIXEL
