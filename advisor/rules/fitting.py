"""Making it fit: the first of a row of choices, from the least harm to the most, whose memory the machine has free.

The row only ever goes down in batch size and resolution, and a high card's row passes through the medium one's before
it leaves them: so more memory never means a smaller batch or a lower resolution.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

from advisor.config import Preset, TrainingConfig, parse_config
from advisor.facts import Facts
from advisor.memory import vram_bytes
from advisor.rules.columns import column
from advisor.rules.presets import start_resolution, structure_of, text_rate

LEAST_RESOLUTION_SHARE = 0.5
"""Under half of the starting resolution a face is a handful of pixels, and we rather say that it does not fit."""


@dataclass(frozen=True)
class Choice:
    """One way to run."""

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
    """The choice taken."""

    config: TrainingConfig
    """With the choice in it, and what the user chose."""
    choice: Choice
    needed_bytes: int
    free_bytes: int

    @property
    def fits(self) -> bool:
        """Whether anything fitted; otherwise the choice is the smallest there is."""
        return self.needed_bytes <= self.free_bytes


def fit(facts: Facts, config: TrainingConfig) -> Fit:
    """The best choice that fits; it looks at what the rules so far settled and leaves alone what the user chose."""
    gpu, structure = facts.gpu, structure_of(facts)
    free = facts.hardware.ram_free_bytes if gpu is None else gpu.free_bytes
    best: Fit | None = None
    for choice in choices(facts, config):
        tried = _with_choice(facts, config, choice)
        best = Fit(tried, choice, vram_bytes(tried, structure), free)
        if best.fits:
            break
    assert best is not None
    return best


def choices(facts: Facts, config: TrainingConfig) -> Iterator[Choice]:
    """All ways to run, from the least harm to the most."""
    preset = config.memory.preset
    if facts.gpu is None or preset == "cpu":
        start = Choice(1, start_resolution(facts, config, preset), checkpointing=column(config).checkpoints_first)
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
    least, most = column(config).batches[preset]
    has_8bit = facts.hardware.has_bitsandbytes and facts.gpu is not None and facts.gpu.is_tested
    start = Choice(most, start_resolution(facts, config, preset))
    if preset == "low" and has_8bit:
        start = replace(start, optimizer="adamw8bit")
    if column(config).checkpoints_first:
        yield start
        start = replace(start, checkpointing=True)
    for batch_size in range(most, least - 1, -1):
        yield replace(start, batch_size=batch_size)
    last = replace(start, batch_size=least, checkpointing=True)
    yield last
    if has_8bit:
        yield replace(last, optimizer="adamw8bit")


def _under_the_range(facts: Facts, config: TrainingConfig, last: Choice) -> Iterator[Choice]:
    effective = column(config).batches[config.memory.preset][0]
    smallest = replace(last, batch_size=1, accumulation=effective)
    yield smallest
    if facts.gpu is not None and facts.gpu.is_tested:
        yield replace(smallest, base_dtype="int8")
        smallest = replace(smallest, base_dtype="nf4")
        yield smallest
    lowest = max(64, int(smallest.resolution_px * LEAST_RESOLUTION_SHARE))
    for resolution_px in range(smallest.resolution_px - 64, lowest - 1, -64):
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
        "optimizer.text_encoder_learning_rate": text_rate(config) if choice.text_encoder else 0.0,
    }
    tree = config.model_dump()
    for path, value in values.items():
        if path not in facts.chosen_paths:
            group, _, name = path.partition(".")
            tree[group][name] = value
    trained = tree["optimizer"]["text_encoder_learning_rate"] > 0
    if "memory.cache_text" not in facts.chosen_paths:
        tree["memory"]["cache_text"] = not trained and not captions_vary(config)
    return parse_config(tree)


def captions_vary(config: TrainingConfig) -> bool:
    """Whether a picture's caption is another one each time, so that its text cannot be encoded once for all."""
    dataset = config.dataset
    return bool(dataset.shuffle_captions or dataset.wildcards or dataset.caption_dropout or dataset.tag_dropout)
