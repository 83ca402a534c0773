"""What it runs on."""

from __future__ import annotations

from advisor.facts import Facts
from advisor.rules.rule import Advice, rule
from advisor.rules.sources import OURS, THE_MACHINE, TUTORIAL
from advisor.settings.config import TrainingConfig


@rule(sets="machine.cpu_threads", source=TUTORIAL)
def cpu_threads(facts: Facts, _: TrainingConfig) -> Advice:
    """Half of the logical threads."""
    threads = facts.hardware.cpu_threads
    value = max(1, threads // 2)
    return Advice(value, f"half of this processor's {threads} threads, which the tutorial found to gain a little speed")


@rule(sets="machine.data_workers", source=OURS)
def data_workers(facts: Facts, config: TrainingConfig) -> Advice:
    """0 with cached latents, which are read faster than any step; else 2."""
    if config.memory.cache_latents:
        return Advice(0, f"{facts.dataset.num_images:,} pictures are read from the cache, faster than any step")
    return Advice(2, "pictures are decoded anew each time: two processes keep ahead of the training")


@rule(sets="machine.gpu_uuid", source=THE_MACHINE)
def gpu_uuid(facts: Facts, _: TrainingConfig) -> Advice:
    """The card planned for, pinned."""
    gpu = facts.gpu
    if gpu is None:
        return Advice("", "no card is used")
    if not gpu.uuid:
        return Advice("", f"{gpu.name} tells no identifier: the first card found is used")
    if len(facts.hardware.gpus) == 1:
        return Advice(gpu.uuid, f"{gpu.name}, the only card; pinned, so that a second one changes nothing")
    which = f"{gpu.name}, of {len(facts.hardware.gpus)} cards the one chosen or with most free memory"
    return Advice(gpu.uuid, f"{which}; `loracle train RUN --gpus all` lets all of them train it together")


RULES = (cpu_threads, data_workers, gpu_uuid)
"""Read from the hardware."""
