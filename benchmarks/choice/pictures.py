"""Pictures of many prompts and seeds, by the base model with whatever is attached to it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import torch
from PIL import Image

from advisor.settings.config import TrainingConfig
from trainer.adapters.file_network import attach_file
from trainer.adapters.lora import LoraLayer
from trainer.diffusion.sampling import Request, draw_batch
from trainer.models.families.family import BaseModel
from trainer.models.load import load_base_model

BATCH = 16
STEPS = 6
"""What the truth is drawn with: with 8 a run's scores were the same within 0.01."""


def load(config: TrainingConfig) -> BaseModel:
    """The run's base model on the processor, in bfloat16: twice as fast where there are instructions for it."""
    base = load_base_model(config.model, dtype=torch.bfloat16, vae_dtype=torch.float32, device=torch.device("cpu"))
    for part in (base.denoiser, base.vae):
        part.to(memory_format=torch.channels_last)
    return base


@contextmanager
def merged(base: BaseModel, lora: Path) -> Iterator[None]:
    """Within, a LoRA is worked into the base model's weights, which draws faster than with the adapters attached."""
    network = attach_file(base, lora)
    network.detach()
    kept = []
    for adapter in network.layers.values():
        assert isinstance(adapter, LoraLayer), "a kind that this benchmark does not train"
        weight = adapter.layer.weight.data
        kept.append((weight, weight.clone()))
        delta = adapter.up.flatten(1) @ adapter.down.flatten(1) * adapter.scale
        weight.copy_(weight.float() + delta.view(weight.shape))
    try:
        yield
    finally:
        for weight, before in kept:
            weight.copy_(before)


def draw_all(
    base: BaseModel, config: TrainingConfig, seeded: Sequence[tuple[str, int]], steps: int = STEPS
) -> list[Image.Image]:
    """The picture of each prompt from its seed."""
    sampling = config.sampling.model_copy(update={"steps": steps})
    side = config.dataset.resolution_px
    requests = [Request.of(sampling, prompt, seed=seed, side_px=side) for prompt, seed in seeded]
    batches = (requests[start : start + BATCH] for start in range(0, len(requests), BATCH))
    return [picture for batch in batches for picture in draw_batch(base, batch, config)]
