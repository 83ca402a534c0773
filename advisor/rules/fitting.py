"""Making it fit: the first of a row of choices, from the least harm to the most, whose memory the machine has free.

The row only ever goes down in batch size and resolution, and a high card's row passes through the medium one's before
it leaves them: so more memory never means a smaller batch or a lower resolution.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

from advisor.estimate.calibration import corrections, machine_key
from advisor.estimate.tradeoffs import BASE, LEAST_RESOLUTION_SHARE
from advisor.estimate.vram import corrected_parts, phase_bytes, vram_parts
from advisor.facts import Facts
from advisor.rules.bucket_sizes import largest_bucket, with_bucket_limits
from advisor.rules.card_class import start_resolution, structure_of, text_rate
from advisor.rules.defaults_table import defaults_for
from advisor.settings.config import RESOLUTION_STEP_PX, Preset, TrainingConfig, with_values

TEXT_RATE_PATH = "optimizer.text_encoder_learning_rate"


@dataclass(frozen=True)
class Choice:
    """One combination of the settings that decide about memory."""

    batch_size: int
    resolution_px: int
    checkpointing: bool = False
    optimizer: str = "adamw"
    accumulation: int = 1
    base_dtype: str | None = None
    """None: the compute dtype."""
    text_encoder: bool = True
    """Whether it is trained, where the rules would."""


@dataclass(frozen=True)
class Fit:
    """The first choice that fits into memory, or the smallest where none does."""

    config: TrainingConfig
    """With the choice in it, and what the user chose."""
    choice: Choice
    needed_bytes: int
    """Peak bytes of a training step."""
    free_bytes: int
    drawing_bytes: int = 0
    """Peak bytes of sampling with the base in the compute dtype, where only sampling made the base int8; else 0."""

    @property
    def fits(self) -> bool:
        """Whether anything fitted; otherwise the choice is the smallest there is."""
        return self.needed_bytes <= self.free_bytes


def fit(facts: Facts, config: TrainingConfig) -> Fit:
    """The best choice that fits; it looks at what the rules so far settled and leaves alone what the user chose."""
    best: Fit | None = None
    for choice in choices(facts, config):
        best = tried(facts, config, choice)
        if best.fits:
            break
    assert best is not None
    return _with_room_to_draw(facts, config, best)


def fit_without(facts: Facts, config: TrainingConfig, fitted: Fit, path: str) -> tuple[Facts, Fit]:
    """Facts and fit as if the user's own answers had left this setting alone: what the rules would take instead of it.

    Args:
        fitted: the fit of these facts, which stays where the user did not choose the setting.
    """
    if path not in facts.answers.settings:
        return facts, fitted
    others = {name: value for name, value in facts.answers.settings.items() if name != path}
    free = replace(facts, answers=facts.answers.model_copy(update={"settings": others}))
    return free, fit(free, config)


def tried(facts: Facts, config: TrainingConfig, choice: Choice) -> Fit:
    """A choice with its peak memory."""
    config = _with_choice(facts, config, choice)
    seen = corrections(facts.receipts, machine_key(facts.hardware, facts.gpu), config)
    size = largest_bucket(facts, config)
    needed = corrected_parts(vram_parts(config, structure_of(facts), size=size), seen.memory)
    return Fit(config, choice, sum(needed.values()), facts.free_bytes)


def saved_bytes(facts: Facts, config: TrainingConfig, fitted: Fit, **back: Any) -> int:
    """Bytes of a step that the fitted choice saves over one with the fields in `back`."""
    return tried(facts, config, replace(fitted.choice, **back)).needed_bytes - fitted.needed_bytes


def _with_room_to_draw(facts: Facts, config: TrainingConfig, fitted: Fit) -> Fit:
    """Where steps fit and samples cannot be drawn, the base model in 8 bits if that helps.

    Batch and resolution stay: they are worth more than samples.
    """
    needed = drawing_bytes(facts, fitted.config)
    if facts.gpu is None or not fitted.fits or needed <= fitted.free_bytes or fitted.choice.base_dtype is not None:
        return fitted
    smaller = tried(facts, config, replace(fitted.choice, base_dtype="int8"))
    helps = smaller.fits and drawing_bytes(facts, smaller.config) <= smaller.free_bytes
    return replace(smaller, drawing_bytes=needed) if helps else fitted


def drawing_bytes(facts: Facts, config: TrainingConfig) -> int:
    """Peak memory while samples are drawn; 0 where none are."""
    if not config.sampling.draws:
        return 0
    return phase_bytes("sampling", config, structure_of(facts))


def choices(facts: Facts, config: TrainingConfig) -> Iterator[Choice]:
    """All ways to run, from the least harm to the most."""
    preset = config.memory.preset
    if facts.gpu is None or preset == "cpu":
        start = Choice(1, start_resolution(facts, config, preset), checkpointing=defaults_for(config).checkpoints_first)
        yield start
        yield replace(start, checkpointing=True)
        return
    passed: tuple[Preset, ...] = ("high", "medium") if preset == "high" else (preset,)
    last = None
    for name in passed:
        for last in _in_range(facts, config, name):
            yield last
    assert last is not None
    yield from _under_the_range(facts, config, last)


def _in_range(facts: Facts, config: TrainingConfig, preset: Preset) -> Iterator[Choice]:
    least, most = defaults_for(config).batches[preset]
    has_8bit = facts.hardware.has_bitsandbytes and facts.gpu is not None and facts.gpu.is_tested
    start = Choice(most, start_resolution(facts, config, preset))
    if preset == "low" and has_8bit:
        start = replace(start, optimizer="adamw8bit")
    if defaults_for(config).checkpoints_first:
        yield start
        start = replace(start, checkpointing=True)
    for batch_size in range(most, least - 1, -1):
        yield replace(start, batch_size=batch_size)
    last = replace(start, batch_size=least, checkpointing=True)
    yield last
    if has_8bit:
        yield replace(last, optimizer="adamw8bit")


def _under_the_range(facts: Facts, config: TrainingConfig, last: Choice) -> Iterator[Choice]:
    is_chosen = "schedule.batch_size" in facts.chosen_paths
    effective = 1 if is_chosen else defaults_for(config).batches[config.memory.preset][0]
    smallest = replace(last, batch_size=1, accumulation=effective)
    yield smallest
    for base_dtype in BASE:
        smallest = replace(smallest, base_dtype=base_dtype)
        yield smallest
    step = RESOLUTION_STEP_PX
    lowest = max(step, int(smallest.resolution_px * LEAST_RESOLUTION_SHARE))
    for resolution_px in range(smallest.resolution_px - step, lowest - 1, -step):
        smallest = replace(smallest, resolution_px=resolution_px)
        yield smallest
    if config.memory.preset == "low":
        yield replace(smallest, text_encoder=False)


def _with_choice(facts: Facts, config: TrainingConfig, choice: Choice) -> TrainingConfig:
    values: dict[str, Any] = {
        "schedule.batch_size": choice.batch_size,
        "schedule.gradient_accumulation": choice.accumulation,
        "dataset.resolution_px": choice.resolution_px,
        "memory.gradient_checkpointing": choice.checkpointing,
        "memory.base_dtype": choice.base_dtype or config.memory.compute_dtype,
        "optimizer.name": choice.optimizer,
    }
    rate = config.optimizer.text_encoder_learning_rate
    if TEXT_RATE_PATH not in facts.chosen_paths:
        rate = values[TEXT_RATE_PATH] = text_rate(config) if choice.text_encoder else 0.0
    values["memory.cache_text"] = not rate and not captions_vary(config)
    chosen = facts.chosen_paths
    config = with_values(config, {path: value for path, value in values.items() if path not in chosen})
    return with_bucket_limits(facts, config)


def captions_vary(config: TrainingConfig) -> bool:
    """Whether a picture's caption is another one each time, so that its text cannot be encoded once for all."""
    dataset = config.dataset
    draws = dataset.wildcards or dataset.caption_lines == "random"
    return bool(dataset.shuffle_captions or draws or dataset.caption_dropout or dataset.tag_dropout)
