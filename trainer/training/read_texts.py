"""Reading all texts before the denoiser is loaded, for families whose text encoder has no room beside it."""

from __future__ import annotations

from dataclasses import replace

import torch

from advisor.settings.config import TrainingConfig
from trainer.data.conditioning import Texts
from trainer.device.choose import free_memory
from trainer.device.offload import onloaded
from trainer.models.families.family import BaseModel, Conditioning
from trainer.training.reporter import Reporter


def with_denoiser_instead(base: BaseModel, texts: Texts, reporter: Reporter) -> BaseModel:
    """The base model with its denoiser loaded and without text encoders, whose memory is free; texts to draw
    are encoded before.

    Args:
        base: its denoiser is not loaded yet; its text encoders are lost.
        texts: the captions, all of them in the cache.

    Raises:
        ModelError: the denoiser's file does not fit.
        Interrupted: the user wanted to stop.
    """
    with torch.no_grad(), onloaded(base.text_encoders, reporter.device):
        drawn = {text: _kept(base, text, reporter.config) for text in _drawn(reporter.config)}
    texts.release()
    for encoder in base.text_encoders:
        encoder.to("meta")  # whoever still holds it
    free_memory(reporter.device)
    reporter.events.phase("load", 1)
    base = base.whole()
    reporter.progress("load")(1, 1)
    return replace(base, text_encoders=(), texts=drawn)


def _kept(base: BaseModel, text: str, config: TrainingConfig) -> Conditioning:
    chunks, clip_skip = config.dataset.chunks, config.model.clip_skip
    return base.encoded(text, chunks=chunks, clip_skip=clip_skip, weighted=True).to(torch.device("cpu"))


def _drawn(config: TrainingConfig) -> set[str]:
    """The texts that pictures are drawn of while it trains."""
    sampling = config.sampling
    return {*sampling.prompts, sampling.negative} if sampling.draws else set()
