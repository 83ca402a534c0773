"""Which cards, or how many processes, train a run together, and what is said of it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from advisor.checkpoints.identify import identify
from advisor.errors import HardwareError, LoraError
from advisor.estimate.device_speed import speed_of
from advisor.estimate.several_processes import Shares, card_bytes, times_faster
from advisor.families.structure import Structure
from advisor.machine.hardware import Gpu, Hardware
from advisor.settings.config import TrainingConfig
from advisor.units import counted, gib
from wizard.processes.process_options import ProcessOptions
from wizard.processes.trainer_job import TrainerJob

WORTH = 1.1
"""Below so many times as fast several cards are not worth it."""


def job_in_processes(
    job: TrainerJob, config: TrainingConfig, options: ProcessOptions, hardware: Hardware
) -> tuple[TrainerJob, tuple[str, ...]]:
    """The job with the processes that are asked for, as far as a step has pictures for them, and what to say of it.

    Raises:
        LoraError: what is asked for is not there, contradicts itself, or cannot compute what was planned.
    """
    options.refuse_contradictions(on_processor=job.on_processor)
    structure = _structure(config)
    if options.processes is not None:
        shares = Shares.of(config.schedule, options.processes)
        slow = ". They share the processor's cores, so it is no faster" if shares.processes > 1 else ""
        told = (f"{shares.sentence}{slow}", *_unused(shares, options.processes, "processes"))
        return replace(job, processes=shares.processes), told
    cards = cards_asked_for(options, hardware, planned=(job.gpu_uuid,))
    _refuse_unfit(cards, config)
    shares = Shares.of(config.schedule, len(cards))
    used = cards[: shares.processes]
    least = min(used, key=lambda gpu: gpu.free_bytes)
    uuids = tuple(gpu.uuid for gpu in used)
    job = replace(job, processes=len(used), gpu_uuid=least.uuid, gpu_uuids=uuids if len(used) > 1 else ())
    if len(cards) == 1:
        return job, (f"Training on {cards[0].name} (card {cards[0].index})",)
    return job, (*_told_of_cards(used, config, structure, shares, hardware), *_unused(shares, len(cards), "cards"))


def cards_asked_for(options: ProcessOptions, hardware: Hardware, *, planned: Sequence[str]) -> tuple[Gpu, ...]:
    """The cards in the order in which they are taken: those that are named, else those planned, then by free memory.

    Args:
        planned: UUIDs of cards that runs were planned for; those that come more often are taken first.

    Raises:
        HardwareError: they are not there, or cannot be told apart.
    """
    found = {gpu.index: gpu for gpu in hardware.gpus if gpu.uuid}
    if not found:
        raise HardwareError("--gpus and --gpu need NVIDIA's cards, and none is found here (`loracle doctor`)")
    if options.gpu is not None:
        words = [word.strip() for word in options.gpu.split(",")]
        wrong = [word for word in words if not word.isdecimal() or int(word) not in found]
        if wrong or len(set(words)) < len(words):
            there = ", ".join(f"{index} ({gpu.name})" for index, gpu in sorted(found.items()))
            raise HardwareError(f"--gpu {options.gpu}: name each card once, with commas between. There are {there}")
        return tuple(found[int(word)] for word in words)
    ranked = sorted(found.values(), key=lambda gpu: (-planned.count(gpu.uuid), -gpu.free_bytes, gpu.index))
    if options.gpus == "all":
        return tuple(ranked)
    if options.gpus is None or not options.gpus.isdecimal() or not 1 <= int(options.gpus) <= len(ranked):
        raise HardwareError(f"--gpus {options.gpus}: take `all`, or how many of {counted(len(ranked), 'card')}")
    return tuple(ranked[: int(options.gpus)])


def _refuse_unfit(cards: tuple[Gpu, ...], config: TrainingConfig) -> None:
    """Refuse cards that cannot compute in the dtype that was planned for another."""
    if config.memory.compute_dtype != "bfloat16":
        return
    old = [f"{gpu.name} (card {gpu.index})" for gpu in cards if not gpu.has_bf16]
    if old:
        raise HardwareError(
            f"{', '.join(old)} has no bfloat16, in which this run is planned: leave it out with --gpu, or plan for it "
            "(`loracle plan RUN --gpu N`), by whose rules the others can train too"
        )


def _told_of_cards(
    cards: tuple[Gpu, ...], config: TrainingConfig, structure: Structure | None, shares: Shares, hardware: Hardware
) -> list[str]:
    """Who takes what, how much faster that is, and whose memory may be too little."""
    if len(cards) == 1:
        reason = "A step has one picture (batch 1 without accumulation), so a second card would have nothing to do"
        return [f"{reason}: training on {cards[0].name} (card {cards[0].index})"]
    if structure is None:
        return [shares.sentence]
    speeds = [speed_of(config, hardware, gpu) for gpu in cards]
    known = [speed for speed in speeds if speed is not None]
    told = shares.sentence
    if len(known) == len(speeds):
        times = times_faster(config, structure, known)
        told += f"; a step should be about {times:.1f} times as fast as on {cards[0].name} alone"
        if times < WORTH:
            told += ": one card would do"
    needed = card_bytes(config, structure, shares)
    short = [gpu for gpu in cards if gpu.free_bytes < needed]
    return [
        f"{told}. Each card needs about {gib(needed)}",
        *(f"! {gpu.name} (card {gpu.index}) has only {gib(gpu.free_bytes)} free" for gpu in short),
    ]


def _unused(shares: Shares, asked: int, what: str) -> list[str]:
    if shares.processes in (1, asked):
        return []
    return [f"A step has {shares.pictures} pictures, so {shares.processes} of the {asked} {what} train"]


def _structure(config: TrainingConfig) -> Structure | None:
    try:
        return identify(Path(config.model.path)).structure
    except LoraError:
        return None  # the trainer says what is wrong with it
