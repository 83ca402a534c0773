"""How long a training takes: operations of a step over a rough rate of the card. A simple formula, not measured."""

from __future__ import annotations

from advisor.config import TrainingConfig
from advisor.families.structure import Structure
from advisor.hardware import Gpu, Hardware
from advisor.parameters import text_parameters, unet_parameters_by_level, vae_parameters

NOTE = "time: simple formula from the card's cores and clock, not measured; it may be twice or half as long"
"""What every estimate says of itself."""

STEP_OPERATIONS_PER_WEIGHT = 1.78e12 / (90_484_044 * 64 * 64)
"""Operations of a step per weight and latent pixel: 1.78e12 counted for SD1.5 at 512 px, whose weights, each by its
level's share of the area, are 90.5 million a latent pixel."""

CHECKPOINTING_SLOWDOWN = {"sd1": 1.69, "sd2": 1.69, "sdxl": 1.78}
"""A step's time with checkpointing over the time without; measured by SimpleTuner on an H100."""

TENSOR_CORE_SHARE, PLAIN_SHARE = 0.4, 0.3
"""Operations reached over the plain float32 peak: with half precision on tensor cores, and without."""

CPU_OPERATIONS_PER_CORE = 35e9
"""Reached by one core in float32: SD1.5 at 256 px took 6.3 s a step on two threads."""

CARD_STEP_SECONDS = 0.1
"""Launching a step's kernels takes this long however fast the card is."""

ENCODE_OPERATIONS_PER_PIXEL = 4.2e6
"""Operations of the usual VAE's encoder for one pixel of a picture."""

START_SECONDS, SAVE_SECONDS = 20.0, 1.0
"""Loading the base model; writing one LoRA."""


def step_seconds(config: TrainingConfig, structure: Structure, hardware: Hardware, gpu: Gpu | None) -> float | None:
    """Seconds of one optimizer step; None where nothing is known of the card's speed."""
    reached = _operations_per_second(config, hardware, gpu)
    if reached is None:
        return None
    levels = unet_parameters_by_level(structure)[:-1]
    weights = sum(number * 0.25**level for level, number in enumerate(levels))
    pixels = (config.dataset.resolution_px / structure.vae.factor) ** 2
    operations = weights * pixels * STEP_OPERATIONS_PER_WEIGHT
    if config.optimizer.text_encoder_learning_rate > 0:
        operations += 4 * text_parameters(structure) * structure.text[0].max_positions
    if config.memory.gradient_checkpointing:
        operations *= CHECKPOINTING_SLOWDOWN.get(config.model.family, 1.7)
    launching = CARD_STEP_SECONDS if gpu is not None else 0.0
    batch_seconds = operations * config.schedule.batch_size / reached + launching
    return batch_seconds * config.schedule.gradient_accumulation


def run_seconds(
    config: TrainingConfig, structure: Structure, hardware: Hardware, *, gpu: Gpu | None, steps: int, num_images: int
) -> float | None:
    """Seconds of a whole run: loading, encoding the pictures, the steps, saving; None where nothing is known."""
    step = step_seconds(config, structure, hardware, gpu)
    reached = _operations_per_second(config, hardware, gpu)
    if step is None or reached is None:
        return None
    share = vae_parameters(structure.vae) / 83_653_863
    encode = ENCODE_OPERATIONS_PER_PIXEL * config.dataset.resolution_px**2 * share / reached
    every = config.saving.every_epochs
    saves = config.schedule.epochs // every if every else 1
    start = START_SECONDS * min(1.0, sum(unet_parameters_by_level(structure)) / 859_520_964 + 0.1)
    return start + num_images * encode + steps * step + saves * SAVE_SECONDS


def _operations_per_second(config: TrainingConfig, hardware: Hardware, gpu: Gpu | None) -> float | None:
    if gpu is None:
        return CPU_OPERATIONS_PER_CORE * max(1, hardware.cpu_cores)
    if not gpu.cuda_cores or not gpu.max_clock_mhz:
        return None
    peak = 2.0 * gpu.cuda_cores * gpu.max_clock_mhz * 1e6
    has_tensor_cores = gpu.compute_capability is not None and gpu.compute_capability >= (7, 0)
    halves = config.memory.compute_dtype != "float32" and has_tensor_cores and not gpu.has_broken_fp16
    return peak * (TENSOR_CORE_SHARE if halves else PLAIN_SHARE)
