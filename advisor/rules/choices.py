"""All ways to make a training fit, the least harmful first: what `advisor.rules.fitting` tries one after the other."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

from advisor.estimate.tradeoffs import BASE, LEAST_RESOLUTION_SHARE
from advisor.facts import Facts
from advisor.rules.card_class import start_resolution
from advisor.rules.defaults_table import EFFECTIVE_BATCH, defaults_for
from advisor.settings.config import RESOLUTION_STEP_PX, Preset, TrainingConfig

ALL_BLOCKS = 1000
"""As many as there are."""


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
    blocks: int = 0
    """Of the denoiser, that are checkpointed, counted from the first; 0: all of them."""
    swapped: int = 0
    """Of the denoiser, that wait in the machine's memory."""


def choices(facts: Facts, config: TrainingConfig) -> Iterator[tuple[Choice, ...]]:
    """All ways to run, in groups from the least harm to the most; those of a group teach the same in another time."""
    preset = config.memory.preset
    if facts.gpu is None or preset == "cpu":
        start = Choice(1, start_resolution(facts, config, preset))
        yield (
            (replace(start, checkpointing=True),) if defaults_for(config).checkpoints_on_cpu else batches(facts, start)
        )
        return
    has_8bit = facts.hardware.has_bitsandbytes and facts.gpu is not None and facts.gpu.is_tested
    passed: tuple[Preset, ...] = ("high", "medium") if preset == "high" else (preset,)
    for name in passed:
        start = Choice(EFFECTIVE_BATCH, start_resolution(facts, config, name))
        if preset != "low" or not has_8bit:
            yield batches(facts, start)
        if has_8bit:
            start = replace(start, optimizer="adamw8bit")
            yield batches(facts, start)
    yield from _smaller(facts, config, start)


def _smaller(facts: Facts, config: TrainingConfig, start: Choice) -> Iterator[tuple[Choice, ...]]:
    """Ways to run that harm the result: fewer bits of the base, then fewer pixels, then no text encoder.

    Before pixels are given up, blocks of the denoiser wait in the machine's memory: of the whole base, if that fits.
    """
    for base_dtype in BASE:
        start = replace(start, base_dtype=base_dtype)
        yield batches(facts, start)
    yield from _swapped(facts, start)
    step = RESOLUTION_STEP_PX
    lowest = max(step, int(start.resolution_px * LEAST_RESOLUTION_SHARE))
    for resolution_px in range(start.resolution_px - step, lowest - 1, -step):
        start = replace(start, resolution_px=resolution_px)
        yield batches(facts, start)
        yield from _swapped(facts, start)
    if config.memory.preset == "low":
        yield batches(facts, replace(start, text_encoder=False))


def _swapped(facts: Facts, start: Choice) -> Iterator[tuple[Choice, ...]]:
    """The same with as many blocks in the machine's memory as there are, on cards that have memory of their own."""
    if facts.gpu is None or facts.gpu.vendor == "apple":
        return
    for base_dtype in (None, *BASE):
        each = batches(facts, replace(start, base_dtype=base_dtype, swapped=ALL_BLOCKS))
        yield tuple(choice for choice in each if choice.checkpointing)


def batches(facts: Facts, start: Choice) -> tuple[Choice, ...]:
    """The ways to make a step of `start.batch_size` pictures; the last needs the least memory.

    Where the user chose the batch, that is a step.
    """
    whole = start.batch_size
    sizes = (1,) if "schedule.batch_size" in facts.chosen_paths else (n for n in range(1, whole + 1) if whole % n == 0)
    each = [replace(start, batch_size=whole // parts, accumulation=parts) for parts in sizes]
    return (*each, *(replace(choice, checkpointing=True) for choice in each))
