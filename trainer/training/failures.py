"""Failures of the training itself, as errors that say what to change."""

from __future__ import annotations

from dataclasses import replace

import torch

from advisor.dataset.buckets import Size
from advisor.errors import MemoryFacts, OutOfMemory, TrainingStopped
from advisor.machine.memory_snapshot import Room, taken_by_others
from advisor.settings.config import TrainingConfig
from trainer.device.choose import GPUS_WITH_OWN_MEMORY, peak_memory_bytes
from trainer.device.device_memory import room_of

TRAINING = "training"
"""What is being done while steps are made; the batch counts only then."""
LOADING = "loading the base model"
ENCODING = "encoding the pictures"
SAVING = "saving and checking the LoRA"
PHASES = {TRAINING: "step", ENCODING: "caching"}
"""What the prediction of memory calls what is being done; all else is as large as what was loaded."""


class Spilled(Exception):
    """The GPU's driver puts memory into the machine's, so that steps take many times as long."""

    def __init__(self, times: float) -> None:
        """Say how many times slower the steps have become."""
        super().__init__(f"steps take {times:.0f} times as long")
        self.times = times


def memory_facts(device: torch.device, where: str, largest: Size | None, before: Room | None = None) -> MemoryFacts:
    """What the launcher's ladder goes by: where memory ran out, how much there was, and what others took of it.

    Args:
        before: the memory when the training began.
    """
    now = room_of(device)
    return MemoryFacts(
        phase=PHASES.get(where, "loading"),
        device=device.type,
        largest=largest,
        peak_bytes=peak_memory_bytes(device),
        total_bytes=now.total_bytes,
        free_bytes=now.free_bytes,
        others_bytes=0 if before is None else taken_by_others(before, now),
    )


def spilled(error: Spilled, facts: MemoryFacts) -> OutOfMemory:
    """The error for a spill, as the ladder wants it."""
    return OutOfMemory(spilled_message(error.times), replace(facts, spill=round(error.times, 1)))


def spilled_message(times: float) -> str:
    """What a spill is, and what helps.

    Args:
        times: how many times slower the steps have become.
    """
    return (
        f"A step takes {times:.0f} times as long as it should and the card's memory is full: its driver puts the "
        "rest into the machine's memory. Close other programs that use the card, or give it less to do "
        "(memory.gradient_checkpointing true, schedule.batch_size, dataset.resolution_px); in NVIDIA's control panel "
        '"CUDA - Sysmem Fallback Policy: Prefer No Sysmem Fallback" makes it an error at once'
    )


def out_of_memory(
    config: TrainingConfig,
    device: torch.device,
    where: str,
    facts: MemoryFacts,
) -> OutOfMemory:
    """The error that says what to change, the least harmful first.

    Args:
        where: what was being done, e.g. `TRAINING`.
        facts: as `memory_facts` has them.
    """
    what = "the machine has no memory left" if device.type == "cpu" else "the graphics card has no memory left"
    ways, is_step = list[str](), where == TRAINING
    if is_step and config.schedule.batch_size > 1:
        ways.append("schedule.batch_size 1, with schedule.gradient_accumulation as much larger (same result, slower)")
    if is_step and not config.memory.gradient_checkpointing:
        ways.append("memory.gradient_checkpointing true (same result, about 70 % slower)")
    elif is_step and config.memory.checkpointed_blocks:
        ways.append("memory.checkpointed_blocks 0, which is all of them (same result, slower)")
    elif is_step and device.type in GPUS_WITH_OWN_MEMORY and not config.memory.swapped_blocks:
        ways.append("memory.swapped_blocks 1000, which is all of them (same result, slower)")
    smaller = config.dataset.resolution_px - 64
    if where != LOADING and smaller >= config.dataset.min_bucket_px:
        ways.append(f"dataset.resolution_px {smaller} (smaller pictures, less detail)")
    ways.append("or close other programs that use the same memory")
    size = f"{config.dataset.resolution_px} px, batch {config.schedule.batch_size}, rank {config.network.rank}"
    return OutOfMemory(
        f"While {where}, {what} ({size}). Change in loracle.toml, one after the other: {'; '.join(ways)}",
        facts,
    )


def not_finite(config: TrainingConfig, step: int, kept: str | None) -> TrainingStopped:
    """The error for a loss or gradient that is no number any more."""
    ways = list[str]()
    if config.memory.compute_dtype == "float16":
        ways.append("memory.compute_dtype bfloat16 (from the RTX 30 series on) or float32: float16 overflows easily")
    ways.append("learning rates a third as high (optimizer.*)")
    if config.schedule.warmup_steps == 0 and config.schedule.warmup_share == 0:
        ways.append("a warm-up (schedule.warmup_share 0.1)")
    last = f"The last good LoRA is {kept}" if kept else "No LoRA had been saved yet"
    return TrainingStopped(
        f"At step {step} the loss or its gradient was no finite number any more, so nothing good could follow. {last}. "
        f"Try: {'; '.join(ways)}"
    )
