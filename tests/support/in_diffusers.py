"""A base model as diffusers' own pipeline, and what diffusers says of a LoRA that it loads."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor

from trainer.models.families.family import BaseModel


def make_pipeline(base: BaseModel) -> Any:
    from diffusers import DDIMScheduler, StableDiffusionPipeline, StableDiffusionXLPipeline

    parts: dict[str, Any] = {
        "vae": base.vae,
        "text_encoder": base.text_encoders[0],
        "tokenizer": base.tokenizers[0].clip,
        "unet": base.denoiser,
        "scheduler": DDIMScheduler(steps_offset=1, clip_sample=False),
    }
    if len(base.text_encoders) == 1:
        return StableDiffusionPipeline(
            **parts, safety_checker=None, feature_extractor=None, requires_safety_checker=False
        )
    return StableDiffusionXLPipeline(
        **parts, text_encoder_2=base.text_encoders[1], tokenizer_2=base.tokenizers[1].clip, add_watermarker=False
    )


def answers_of(pipeline: Any, base: BaseModel) -> Callable[[], tuple[Tensor, Tensor]]:
    """Text states and the U-Net's answer for one caption, as diffusers calls them."""
    ids = [tokens[:, 0] for tokens in base.family.tokenize(base, ["tok, 1girl"])]
    noisy, times = torch.ones(1, 4, 16, 16), torch.tensor([500])

    @torch.no_grad()
    def answer() -> tuple[Tensor, Tensor]:
        if len(ids) == 1:
            states = pipeline.text_encoder(ids[0]).last_hidden_state
            return states, pipeline.unet(noisy, times, states).sample
        first = pipeline.text_encoder(ids[0], output_hidden_states=True).hidden_states[-2]
        second = pipeline.text_encoder_2(ids[1], output_hidden_states=True)
        states = torch.cat([first, second.hidden_states[-2]], dim=-1)
        added = {"text_embeds": second.text_embeds, "time_ids": torch.tensor([[128.0, 128, 0, 0, 128, 128]])}
        return states, pipeline.unet(noisy, times, states, added_cond_kwargs=added).sample

    return answer


def num_placed(pipeline: Any) -> int:
    """Layers that have an adapter from a file."""
    parts = [getattr(pipeline, name, None) for name in ("unet", "text_encoder", "text_encoder_2")]
    names = [name for part in parts if part is not None for name, _ in part.named_parameters()]
    return sum(".lora_A." in name for name in names)


@contextmanager
def said() -> Iterator[list[str]]:
    """Within: what diffusers, transformers and peft say; their loggers keep it from pytest's own list."""
    from diffusers.utils import logging as of_diffusers
    from transformers.utils import logging as of_transformers

    heard: list[str] = []
    handler = logging.Handler()
    handler.emit = lambda record: heard.append(record.getMessage())  # type: ignore[method-assign]
    loggers = [of_diffusers.get_logger("diffusers"), of_transformers.get_logger("transformers")]
    loggers.append(logging.getLogger("peft"))
    levels = [logger.level for logger in loggers]
    for logger in loggers:
        logger.addHandler(handler)
        logger.setLevel(logging.WARNING)
    try:
        yield heard
    finally:
        for logger, level in zip(loggers, levels, strict=True):
            logger.removeHandler(handler)
            logger.setLevel(level)


def apart(one: Tensor, other: Tensor) -> float:
    """The length of the difference, relative to `other`."""
    return float((one - other).norm() / other.norm())
