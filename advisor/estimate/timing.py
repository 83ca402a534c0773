"""How long a training takes: FLOPs over the machine's throughput, corrected by measured runs."""

from __future__ import annotations

from dataclasses import dataclass

from advisor.dataset.buckets import Size
from advisor.estimate.device_speed import Speed, speed_of
from advisor.estimate.disk import CAPTION_TOKENS, num_samples, num_texts
from advisor.estimate.flops import decode_flops, encode_flops, read_flops
from advisor.estimate.step_work import denoising_work, step_work
from advisor.estimate.vae_slices import computed_px
from advisor.families.sd1 import STANDARD
from advisor.families.structure import Structure
from advisor.machine.hardware import Gpu, Hardware
from advisor.settings.config import TrainingConfig

START_SECONDS, SAVE_SECONDS = 20.0, 1.0
"""Seconds of loading SD1.5, and of writing one LoRA."""


@dataclass(frozen=True)
class Times:
    """Seconds of a run, by phase."""

    step: float
    caching: float
    sampling: float
    """Drawing the base model's pictures and those after epochs."""
    start_and_saving: float
    steps: int
    uncertainty: float
    """A factor, either way."""
    source: str

    @property
    def run(self) -> float:
        """The whole run."""
        return self.start_and_saving + self.caching + self.steps * self.step + self.sampling

    @property
    def note(self) -> str:
        """How sure this is."""
        times = f"1/{self.uncertainty:g} and {self.uncertainty:g} times as long"
        return f"time: counted operations over what {self.source}; it may take between {times}"


def step_seconds(
    config: TrainingConfig, structure: Structure, hardware: Hardware, gpu: Gpu | None, *, size: Size | None = None
) -> float | None:
    """Seconds of one optimizer step, uncorrected; None where nothing is known of the card's speed.

    Args:
        size: of the pictures in pixels; None: the resolution's square.
    """
    speed = speed_of(config, hardware, gpu)
    return None if speed is None else speed.seconds(step_work(config, structure, size=size))


def run_times(
    config: TrainingConfig,
    structure: Structure,
    hardware: Hardware,
    *,
    gpu: Gpu | None,
    steps: int,
    num_images: int,
    epochs: int | None = None,
    correction: float = 1.0,
    uncertainty: float | None = None,
    caption_tokens: float = CAPTION_TOKENS,
) -> Times | None:
    """What a whole run takes; None where nothing is known of the card's speed.

    Args:
        epochs: how many come to their end; None: all.
        correction: measured over predicted on this machine.
        uncertainty: of what was measured; None: nothing was.
        caption_tokens: of one caption, on average.
    """
    speed = speed_of(config, hardware, gpu)
    if speed is None:
        return None
    step = speed.seconds(step_work(config, structure)) * correction
    pixels = _vae_pixels(config, structure, config.memory.encode_slices)
    encode = encode_flops(config, structure, pixels) / speed.flops_per_second
    read = num_texts(config, num_images) * read_flops(config, structure, caption_tokens) / speed.flops_per_second
    images = num_images * config.dataset.views if config.memory.cache_latents else 0
    every = config.saving.every_epochs
    saves = config.schedule.epochs // every if every else 1
    start = START_SECONDS * min(3.0, structure.denoiser_parameters / STANDARD.denoiser_parameters + 0.1)
    return Times(
        step=step,
        caching=(images * encode + read) * correction,
        sampling=_sampling(speed, config, structure, epochs) * correction,
        start_and_saving=start + saves * SAVE_SECONDS,
        steps=steps,
        uncertainty=uncertainty or speed.uncertainty,
        source=speed.source + " should make of them" if uncertainty is None else "was measured on this machine",
    )


def image_seconds(speed: Speed, config: TrainingConfig, structure: Structure) -> float:
    """Seconds of drawing an image of the resolution's square: its denoising steps, and the VAE's decoder."""
    denoising = config.sampling.steps * speed.seconds(denoising_work(config, structure))
    pixels = _vae_pixels(config, structure, config.memory.decode_slices)
    return denoising + decode_flops(config, structure, pixels) / speed.flops_per_second


def _vae_pixels(config: TrainingConfig, structure: Structure, slices: int) -> int:
    """Of a square of the resolution, with what slices overlap."""
    side_px = config.dataset.resolution_px
    return side_px * computed_px(side_px, slices, structure.vae.factor)


def _sampling(speed: Speed, config: TrainingConfig, structure: Structure, epochs: int | None) -> float:
    """Seconds of all images that are drawn while training."""
    return num_samples(config, epochs) * image_seconds(speed, config, structure)
