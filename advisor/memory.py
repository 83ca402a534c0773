"""How much memory a training step needs, by part: a simple closed form, fitted to a few simulated steps.

The coefficients come from simulated SD1.5 and SDXL steps (docs/decisions/0003-simple-estimates.md). They stand
for U-Nets of the usual make; a widely different one may be off by a quarter.
"""

from __future__ import annotations

from advisor.config import TrainingConfig
from advisor.families.structure import Structure, UNetStructure
from advisor.hardware import GIB
from advisor.parameters import mid_depth, text_parameters, unet_parameters, vae_parameters
from advisor.size import BYTES_OF, adapter_parameters

NOTE = "memory: simple formula, not measured"
"""What every estimate says of itself."""

RESNET_BYTES, TRANSFORMER_BYTES = 52.2, 27.05
"""Kept for the way back per latent pixel and channel, in half precision: by a residual and by a transformer block."""

CHECKPOINTED_RESNET_BYTES, CHECKPOINTED_TRANSFORMER_BYTES = 9.35, 18.0
"""The same with checkpointing; only transformers on the finest level count, where one is computed again."""

TEXT_BYTES_PER_TOKEN_AND_WIDTH = 68
"""Kept by one layer of a trained text encoder for each token and channel, in half precision."""

WEIGHT_AND_GRADIENT_BYTES, AVERAGE_BYTES = 8, 4
"""For each trained weight, all float32: itself with its gradient, and the moving average where there is one."""

CARD_OVERHEAD_BYTES = GIB // 2
"""The CUDA context and the libraries' workspaces."""

PROCESS_OVERHEAD_BYTES = int(0.7 * GIB)
"""Python with torch and diffusers loaded."""

OPTIMIZER_BYTES = {"adamw": 8, "adamw8bit": 2.1, "lion": 4, "adafactor": 4.1, "prodigy": 16, "came": 8.2}
"""Kept by an optimizer for each trained weight; others count as AdamW."""


def vram_parts(config: TrainingConfig, structure: Structure) -> dict[str, int]:
    """Peak bytes of a training step by part; on a processor, of the training process."""
    trained = adapter_parameters(config, structure)
    per_weight = BYTES_OF[config.memory.base_dtype]
    on_card = config.memory.preset != "cpu"
    return {
        "denoiser": int(unet_parameters(structure) * per_weight),
        "text_encoder": int(text_parameters(structure) * _text_bytes(config)) if not config.memory.cache_text else 0,
        "vae": 0 if config.memory.cache_latents else int(vae_parameters(structure.vae) * 4),
        "adapter": trained * (WEIGHT_AND_GRADIENT_BYTES + (AVERAGE_BYTES if config.loss.ema else 0)),
        "optimizer": int(trained * OPTIMIZER_BYTES.get(config.optimizer.name, 8)),
        "activations": _activation_bytes(config, structure) + _text_activation_bytes(config, structure),
        "overhead": CARD_OVERHEAD_BYTES if on_card else PROCESS_OVERHEAD_BYTES,
    }


def vram_bytes(config: TrainingConfig, structure: Structure) -> int:
    """Peak bytes of a training step."""
    return sum(vram_parts(config, structure).values())


def _text_bytes(config: TrainingConfig) -> float:
    """A quantised base keeps its text encoder in the compute dtype."""
    return BYTES_OF[config.memory.compute_dtype]


def _activation_bytes(config: TrainingConfig, structure: Structure) -> int:
    resnets, transformers, finest = _channel_sums(structure.unet)
    if config.memory.gradient_checkpointing:
        per_pixel = resnets * CHECKPOINTED_RESNET_BYTES + finest * CHECKPOINTED_TRANSFORMER_BYTES
    else:
        per_pixel = resnets * RESNET_BYTES + transformers * TRANSFORMER_BYTES
    pixels = (config.dataset.resolution_px / structure.vae.factor) ** 2 * config.schedule.batch_size
    return int(pixels * per_pixel * _precision_factor(config))


def _text_activation_bytes(config: TrainingConfig, structure: Structure) -> int:
    if config.optimizer.text_encoder_learning_rate == 0:
        return 0
    chunks = config.dataset.max_tokens // 75
    channels = sum(text.width * text.layers * text.max_positions for text in structure.text)
    kept = channels * chunks * TEXT_BYTES_PER_TOKEN_AND_WIDTH * _precision_factor(config)
    return int(kept * config.schedule.batch_size * (0.1 if config.memory.gradient_checkpointing else 1))


def _precision_factor(config: TrainingConfig) -> float:
    return BYTES_OF[config.memory.compute_dtype] / BYTES_OF["float16"]


def _channel_sums(unet: UNetStructure) -> tuple[float, float, float]:
    """Channels per latent pixel: over residual blocks, over transformer blocks, over those on the finest level."""
    layers, last = 2 * unet.layers_per_block + 1, len(unet.block_out_channels) - 1
    resnets = transformers = 0.0
    for level, width in enumerate(unet.block_out_channels):
        resnets += layers * width / 4**level
        transformers += layers * unet.transformer_depth[level] * width / 4**level
    coarsest = unet.block_out_channels[last] / 4**last
    middle = mid_depth(unet) * coarsest if unet.mid_attention else 0.0
    finest = layers * unet.transformer_depth[0] * unet.block_out_channels[0]
    return resnets + 2 * coarsest, transformers + middle, finest
