"""How large a LoRA file is, and what a run writes to disk."""

from __future__ import annotations

import json
from collections.abc import Iterator
from math import ceil, prod

from advisor.adapters.diffusers_names import SUFFIXES, adapter_description, diffusers_tensors
from advisor.adapters.file_names import file_tensors, layer_names
from advisor.adapters.layout import MAGNITUDE, AdapterPlan, Shape, adapter_plans, num_adapter_parameters
from advisor.families.structure import Structure
from advisor.settings.config import TrainingConfig

BYTES_OF = {"float32": 4.0, "float16": 2.0, "bfloat16": 2.0, "int8": 1.0, "nf4": 0.53}
"""Bytes of one weight; nf4 keeps one scale for every 64 weights beside its four bits."""

METADATA_BYTES = 32 * 1024
"""Room in a LoRA's header for what it tells of its training: dates, tags, settings."""

ENTRY_BYTES = 112
"""Room in the header for one tensor's dtype, shape and place, beside its name."""

ADAPTER_STATE_COPIES = 3
"""What resuming needs of each adapter weight: itself and Adam's two moments; a moving average is one more."""

STATES_KEPT = 2
"""The newest state and the one before it, should the newest be damaged; while a third is written all are there."""

FILE_BYTES = 4096 + 512
"""A cached tensor's header, and the rest of the disk's last block."""
STEP_LOG_BYTES = 900
"""Events and TensorBoard's figures of one step; a run of 12 steps wrote 590 for each."""
PNG_BYTES_PER_PIXEL = 3
"""At most."""
CAPTION_TOKENS = 50.0
"""Of a caption, where none were looked at: a dozen tags, or two sentences."""
CHARACTERS_PER_TOKEN = 4.0
"""Of captions, in a language model's vocabulary: 3.9 to 4.6 of tags and of sentences, by Qwen3's."""


def lora_bytes(config: TrainingConfig, structure: Structure) -> int:
    """Bytes of one LoRA file: the weights exactly, and a header of planned length that the writer pads."""
    return planned_header_bytes(config, structure) + tensor_bytes(config, structure)


def tensor_bytes(config: TrainingConfig, structure: Structure) -> int:
    """Bytes of a LoRA's weights; for SD1.x, both parts, float16: 1.125 MiB for each rank and an alpha a layer."""
    each = int(BYTES_OF[config.saving.dtype])
    return sum(
        prod(shape) * (4 if name.endswith(MAGNITUDE) else each) for name, shape in lora_tensors(config, structure)
    )


def planned_header_bytes(config: TrainingConfig, structure: Structure) -> int:
    """Bytes before a LoRA's weights: the length itself, and the header padded with blanks to what is planned here."""
    entries = sum(len(name) + ENTRY_BYTES for name, _ in lora_tensors(config, structure))
    return 8 + ceil((entries + METADATA_BYTES) / 8) * 8


def lora_tensors(config: TrainingConfig, structure: Structure) -> Iterator[tuple[str, Shape]]:
    """The name and shape of each tensor in a LoRA file."""
    return file_tensors(adapters_of(config, structure), layer_names(config))


def copy_bytes(config: TrainingConfig, structure: Structure) -> int:
    """Bytes of the file in diffusers' names beside each LoRA; 0 where none is wanted."""
    if not config.saving.diffusers_copy:
        return 0
    each = int(BYTES_OF[config.saving.dtype])
    tensors = diffusers_tensors(adapters_of(config, structure))
    weights = sum(prod(shape) * (4 if name.endswith(SUFFIXES[MAGNITUDE]) else each) for name, shape in tensors)
    return planned_copy_header_bytes(config, structure) + weights


def planned_copy_header_bytes(config: TrainingConfig, structure: Structure) -> int:
    """Bytes before that file's weights: it also describes the adapters, as text within JSON."""
    plans = adapters_of(config, structure)
    entries = sum(len(name) + ENTRY_BYTES for name, _ in diffusers_tensors(plans))
    description = len(json.dumps(adapter_description(plans), ensure_ascii=False))
    return 8 + ceil((entries + description + METADATA_BYTES) / 8) * 8


def adapter_parameters(config: TrainingConfig, structure: Structure) -> int:
    """Weights that are trained."""
    text_encoder = config.optimizer.trains_text_encoder
    return num_adapter_parameters(config.model.family, structure, config.network, text_encoder=text_encoder)


def disk_bytes(
    config: TrainingConfig,
    structure: Structure,
    num_images: int,
    *,
    steps: int = 0,
    epochs: int | None = None,
    caption_tokens: float = CAPTION_TOKENS,
) -> int:
    """Bytes that a run writes: every LoRA kept, what resuming needs, caches, samples and logs.

    Args:
        steps: optimizer steps of the run.
        epochs: how many come to their end; None: all.
        caption_tokens: of one caption, on average.
    """
    saving = config.saving
    saves = config.schedule.epochs // saving.every_epochs if saving.every_epochs else 0
    saves += steps // saving.every_steps if saving.every_steps else 0
    kept = min(saves, saving.keep_last + 1) if saving.keep_last else saves
    loras = max(1, kept) * (lora_bytes(config, structure) + copy_bytes(config, structure))
    copies = ADAPTER_STATE_COPIES + (1 if config.loss.ema else 0)
    state = (STATES_KEPT + 1) * copies * 4 * adapter_parameters(config, structure)
    samples = num_samples(config, epochs) * config.dataset.resolution_px**2 * PNG_BYTES_PER_PIXEL
    logs = steps * STEP_LOG_BYTES + samples
    texts = num_texts(config, num_images) * (text_bytes(config, structure, caption_tokens) + FILE_BYTES)
    caches = num_images * _cache_bytes_of_one(config, structure) + texts
    return loras + state + logs + caches


def num_texts(config: TrainingConfig, num_images: int) -> int:
    """Texts that are encoded before training: each picture's caption, in all its forms where it changes."""
    return num_images * (1 + config.memory.text_variants) if config.memory.cache_text else 0


def text_bytes(config: TrainingConfig, structure: Structure, caption_tokens: float = CAPTION_TOKENS) -> int:
    """Bytes of what is kept of a text."""
    value_bytes = BYTES_OF[config.memory.compute_dtype]
    return structure.cached_text_bytes(tokens=caption_tokens, chunks=config.dataset.chunks, value_bytes=value_bytes)


def _cache_bytes_of_one(config: TrainingConfig, structure: Structure) -> int:
    """Latents, with each picture's mirror image where it is flipped, and masks."""
    total, views = 0, config.dataset.views
    side = config.dataset.resolution_px / structure.vae.factor
    if config.memory.cache_latents and not config.dataset.random_crop:
        total += views * (int(side * side * structure.vae.latent_channels * 4) + FILE_BYTES)
    if config.dataset.masks:
        total += views * (int(side * side * 4) + FILE_BYTES)
    return total


def num_samples(config: TrainingConfig, epochs: int | None = None) -> int:
    """Pictures that are drawn during a training, those of the base model before the first step among them.

    Args:
        epochs: how many come to their end; None: all.
    """
    sampling, ended = config.sampling, config.schedule.epochs if epochs is None else epochs
    return len(sampling.prompts) * (1 + ended // sampling.every_epochs) if sampling.draws else 0


def adapters_of(config: TrainingConfig, structure: Structure) -> tuple[AdapterPlan, ...]:
    """All adapters of a training, in the file's order."""
    text_encoder = config.optimizer.trains_text_encoder
    return adapter_plans(config.model.family, structure, config.network, text_encoder=text_encoder)
