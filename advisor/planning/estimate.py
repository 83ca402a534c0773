"""What a training will take, put together from memory, time and size."""

from __future__ import annotations

from advisor.dataset.buckets import Size
from advisor.estimate import ram, timing, vram
from advisor.estimate.calibration import corrections, machine_key
from advisor.estimate.disk import CHARACTERS_PER_TOKEN, disk_bytes, lora_bytes, num_samples
from advisor.facts import Facts
from advisor.families.structure import Structure
from advisor.machine.hardware import Gpu
from advisor.plan import Estimate
from advisor.rules.bucket_sizes import largest_bucket
from advisor.rules.card_class import structure_of
from advisor.rules.schedule import epoch_counts, epochs_ended, total_steps
from advisor.settings.config import TrainingConfig


def estimate(facts: Facts, config: TrainingConfig) -> Estimate:
    """Memory, steps, time, energy and disk of a run, by formulas that say how sure they are."""
    structure, gpu, number = structure_of(facts), facts.gpu, facts.dataset.num_images
    size, steps = largest_bucket(facts, config), total_steps(facts, config)
    ended, tokens = epochs_ended(facts, config), facts.dataset.mean_caption_length / CHARACTERS_PER_TOKEN
    predicted = timing.step_seconds(config, structure, facts.hardware, gpu)
    seen = corrections(facts.receipts, machine_key(facts.hardware, gpu), config, step_seconds=predicted)
    parts = vram.corrected_parts(vram.vram_parts(config, structure, size=size), seen.memory)
    times = timing.run_times(
        config, structure, facts.hardware, gpu=gpu, steps=steps, num_images=number, epochs=ended, correction=seen.time,
        uncertainty=seen.time_uncertainty, caption_tokens=tokens,
    )  # fmt: skip
    unknown = "time: nothing is known of this card's speed"
    low, high = (None, None) if times is None else (times.run / times.uncertainty, times.run * times.uncertainty)
    shown = exposures(facts, config)
    return Estimate(
        vram_bytes=sum(parts.values()),
        vram_parts=parts,
        steps=steps,
        seconds=None if times is None else times.run,
        seconds_low=low,
        seconds_high=high,
        seconds_per_step=None if times is None else times.step,
        epochs=config.schedule.epochs,
        exposures_per_picture=shown,
        sampling_seconds=None if times is None else times.sampling,
        num_samples=num_samples(config, ended),
        energy_wh=_energy(gpu, None if times is None else times.run),
        ram_bytes=ram.ram_bytes(config, structure, num_images=number, on_gpu=gpu is not None, caption_tokens=tokens),
        lora_bytes=lora_bytes(config, structure),
        disk_bytes=disk_bytes(config, structure, number, steps=steps, epochs=ended, caption_tokens=tokens),
        phase_bytes=_phases(config, structure, size),
        allocated_bytes=vram.allocated_bytes(parts),
        reserved_bytes=vram.reserved_bytes(config, parts),
        notes=(vram.memory_note(config, parts), unknown if times is None else times.note, *seen.notes),
    )


def exposures(facts: Facts, config: TrainingConfig) -> float:
    """How often each picture is trained, on average over the folders; `max_steps` may end it earlier."""
    number = facts.dataset.num_images
    if not number:
        return 0.0
    batch = config.schedule.batch_size * config.schedule.gradient_accumulation
    whole = sum(epoch_counts(facts, config).values()) * config.schedule.epochs
    limit = config.schedule.max_steps * batch
    return round((min(whole, limit) if limit else whole) / number, 2)


def _energy(gpu: Gpu | None, seconds: float | None) -> float | None:
    """Watt-hours at most: the card at its power limit all the time; None where the driver does not tell that."""
    if gpu is None or gpu.power_limit_watts is None or seconds is None:
        return None
    return gpu.power_limit_watts * seconds / 3600


def _phases(config: TrainingConfig, structure: Structure, size: Size | None) -> dict[str, int]:
    square = config.dataset.resolution_px, config.dataset.resolution_px  # samples are drawn at the resolution
    found: dict[str, int] = {
        phase: vram.phase_bytes(phase, config, structure, size=size) for phase in vram.encoding_phases(config)
    }
    if config.sampling.draws:
        found["sampling"] = vram.phase_bytes("sampling", config, structure, size=square)
    return found
