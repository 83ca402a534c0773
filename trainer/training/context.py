"""What every step of a training uses: base model, network and data, each on the device that needs it."""

from __future__ import annotations

from dataclasses import dataclass, replace

import torch

from advisor.planning.caption_warnings import cut_captions
from advisor.settings.config import TrainingConfig
from trainer.adapters.network import Network
from trainer.data.conditioning import Texts
from trainer.data.crops import Crops
from trainer.data.latents import FreshLatents, Latents, cache_latents
from trainer.data.load import gather_masks
from trainer.data.masks import Masks
from trainer.data.training_set import TrainingSet
from trainer.device.choose import free_memory
from trainer.device.offload import onloaded
from trainer.models.families.family import BaseModel
from trainer.training.failures import ENCODING
from trainer.training.reporter import Reporter


@dataclass(frozen=True)
class TrainingContext:
    """Base model, network and data of a training; none of it is replaced while it trains."""

    config: TrainingConfig
    base: BaseModel
    network: Network
    latents: Latents
    texts: Texts
    crops: Crops
    device: torch.device
    training_set: TrainingSet
    masks: Masks | None = None


@dataclass(frozen=True)
class Data:
    """What a training is fed with."""

    latents: Latents
    texts: Texts
    crops: Crops
    masks: Masks | None


def make_data(base: BaseModel, training_set: TrainingSet, reporter: Reporter, *, trains_text: bool) -> Data:
    """Fill the caches; the denoiser is not looked at.

    Args:
        trains_text: a text encoder is trained, so that captions are encoded in each step.

    Raises:
        LoraError: an image or mask cannot be used, or a cache cannot be written.
        Interrupted: the user wanted to stop.
    """
    config, device = reporter.config, reporter.device
    with onloaded((base.vae,), device):
        latents = _latents(base, training_set, reporter)
    texts, crops = Texts(base, training_set, config), Crops(training_set.items, config)
    for warning in cut_captions(texts.cut(), config, is_own_count=not texts.has_clip_tokens):
        reporter.events.warning(warning.code, warning.message)
    masks = _masks(base, training_set, reporter)
    if config.memory.cache_text and _can_cache_text(texts, reporter, trains_text=trains_text):
        with reporter.during("encoding the captions"):
            reporter.events.phase("cache_text", len(training_set.items))
            with onloaded(base.text_encoders, device):
                texts.cache(reporter.run, reporter.progress("cache_text"))
    else:
        for encoder in base.text_encoders:
            encoder.to(device)
    return Data(latents, texts, crops, masks)


def make_context(
    base: BaseModel, network: Network, data: Data, training_set: TrainingSet, reporter: Reporter
) -> TrainingContext:
    """Move to the device what the steps need there."""
    config, device = reporter.config, reporter.device
    base.denoiser.to(device)
    network.to(device)
    if isinstance(data.latents, FreshLatents):
        base.vae.to(device)
    else:
        if not config.sampling.draws:
            base = replace(base, vae=None)
        free_memory(device)
    return TrainingContext(
        config, base, network, data.latents, data.texts, data.crops, device, training_set, data.masks
    )


def _latents(base: BaseModel, training_set: TrainingSet, reporter: Reporter) -> Latents:
    config, events = reporter.config, reporter.events
    if config.memory.cache_latents and not config.dataset.random_crop:
        with reporter.during(ENCODING):
            events.phase("cache_latents", len(training_set.items) * config.dataset.views)
            return cache_latents(
                base, training_set, config, run=reporter.run, progress=reporter.progress("cache_latents")
            )
    if config.memory.cache_latents:
        message = "Random crops differ each time, so pictures are encoded anew each time: slower, and more memory"
        events.warning("latents_not_cached", message)
    return FreshLatents(base, training_set, config)


def _masks(base: BaseModel, training_set: TrainingSet, reporter: Reporter) -> Masks | None:
    if not reporter.config.dataset.masks:
        return None
    with reporter.during("reading the masks"):
        reporter.events.phase("cache_masks", len(training_set.items))
        return gather_masks(
            reporter.config,
            reporter.run,
            training_set,
            reporter.events,
            latent_px=base.structure.vae.factor,
            progress=reporter.progress("cache_masks"),
        )


def _can_cache_text(texts: Texts, reporter: Reporter, *, trains_text: bool) -> bool:
    if trains_text:
        why = "the text encoder is trained"
    elif not texts.can_be_cached:
        why = "captions differ each time"
    else:
        return True
    reporter.events.warning("text_not_cached", f"Captions are encoded in each step, because {why}")
    return False
