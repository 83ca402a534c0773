"""What a training will take, put together from memory, time and size."""

from __future__ import annotations

from advisor import memory, size, timing
from advisor.config import TrainingConfig
from advisor.facts import Facts
from advisor.plan import Estimate
from advisor.rules.presets import structure_of
from advisor.rules.steps import total_steps


def estimate(facts: Facts, config: TrainingConfig) -> Estimate:
    """Memory, steps, time and disk of a run, by simple formulas that say so."""
    structure, gpu, number = structure_of(facts), facts.gpu, facts.dataset.num_images
    parts, steps = memory.vram_parts(config, structure), total_steps(facts, config)
    seconds = timing.run_seconds(config, structure, facts.hardware, gpu=gpu, steps=steps, num_images=number)
    unknown = "time: nothing is known of this card's speed"
    return Estimate(
        vram_bytes=sum(parts.values()),
        vram_parts=parts,
        steps=steps,
        seconds=seconds,
        lora_bytes=size.lora_bytes(config, structure),
        disk_bytes=size.disk_bytes(config, structure, number),
        notes=(memory.NOTE, timing.NOTE if seconds is not None else unknown),
    )
