"""What a training will take, put together from memory, time and size."""

from __future__ import annotations

from advisor import memory, timing
from advisor.buckets import Size, bucket_counts
from advisor.config import TrainingConfig
from advisor.facts import Facts
from advisor.families.structure import Structure
from advisor.plan import Estimate
from advisor.rules.presets import structure_of
from advisor.rules.steps import folder_repeats, total_steps
from advisor.size import disk_bytes, lora_bytes


def estimate(facts: Facts, config: TrainingConfig) -> Estimate:
    """Memory, steps, time and disk of a run, by formulas that say how sure they are."""
    structure, gpu, number = structure_of(facts), facts.gpu, facts.dataset.num_images
    size = largest_bucket(facts, config)
    parts, steps = memory.vram_parts(config, structure, size=size), total_steps(facts, config)
    seconds = timing.run_seconds(config, structure, facts.hardware, gpu=gpu, steps=steps, num_images=number)
    unknown = "time: nothing is known of this card's speed"
    return Estimate(
        vram_bytes=sum(parts.values()),
        vram_parts=parts,
        steps=steps,
        seconds=seconds,
        lora_bytes=lora_bytes(config, structure),
        disk_bytes=disk_bytes(config, structure, number),
        phase_bytes=_phases(config, structure, size),
        notes=(memory.NOTE, timing.NOTE if seconds is not None else unknown),
    )


def largest_bucket(facts: Facts, config: TrainingConfig) -> Size | None:
    """The largest size that a picture is trained at; None without pictures."""
    counts = bucket_counts(facts.dataset.sizes, config.dataset, folder_repeats(facts, config))
    return max(counts, key=lambda size: size[0] * size[1], default=None)


def _phases(config: TrainingConfig, structure: Structure, size: Size | None) -> dict[str, int]:
    square = config.dataset.resolution_px, config.dataset.resolution_px  # samples are drawn at the resolution
    found = {"caching": memory.phase_bytes("caching", config, structure, size=size)}
    if config.sampling.prompts and config.sampling.every_epochs:
        found["sampling"] = memory.phase_bytes("sampling", config, structure, size=square)
    return found
