"""What a training step takes of a card in another trainer, and the settings with which it fits there.

Why these figures and this order: docs/decisions/0031-the-other-trainers-memory.md.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from advisor.estimate.tradeoffs import LEAST_RESOLUTION_SHARE
from advisor.estimate.vram import ALLOCATOR_SHARE, vram_parts
from advisor.families import family
from advisor.families.structure import Structure
from advisor.machine.hardware import Gpu
from advisor.run_folder.layout import RunFolder
from advisor.run_folder.plan_record import PlanRecord
from advisor.settings.config import RESOLUTION_STEP_PX, TrainingConfig, flat_settings, setting, with_values
from advisor.units import gib

BATCH = ("schedule.batch_size", "schedule.gradient_accumulation")
CHECKPOINTING, RESOLUTION = "memory.gradient_checkpointing", "dataset.resolution_px"
"""Settings that an export may change so that a step fits."""
SWAPPED = "memory.swapped_blocks"
ELSEWHERE = {"memory.checkpointed_blocks": 0, SWAPPED: 0}
"""Others checkpoint all blocks or none, and their exports have the whole denoiser on the card, but for those that swap
blocks too."""

AUTOCAST = {"sd1": 1.44, "sd2": 1.44, "sdxl": 1.3}
"""By family: activations under CUDA's autocast over ours, counted on sd-scripts' step. Norms and what they keep are
float32 there, and each adapted layer keeps a cast copy of its input."""
AUTOCAST_CHECKPOINTED = {"sd1": 1.1, "sd2": 1.1, "sdxl": 1.36}
"""The same with gradient checkpointing."""


@dataclass(frozen=True)
class Need:
    """Bytes of a step's peak."""

    ours: int
    """In our trainer, as the plan says."""
    counted: int
    """In the other one, by a count of its step."""
    most: int
    """The same by published reports, where these have more."""


@dataclass(frozen=True)
class TrainerMemory:
    """How a trainer's memory differs from ours, and how sure that is."""

    activations: Mapping[str, float]
    """By family: its activations over ours, where they are kept."""
    checkpointed: Mapping[str, float]
    """The same with gradient checkpointing."""
    reported_bytes: Mapping[str, int]
    """By family: what published reports have beyond the count. Others have none."""
    source: str
    """Where the figures come from, as a phrase."""
    quantises: bool = False
    """It can keep the base model in 8 or 4 bits."""
    swaps_blocks: bool = False
    """Blocks of the denoiser can wait in the machine's memory as with us."""
    int8_families: frozenset[str] = frozenset()
    """Where it does not: families that it can keep in 8 bits all the same."""

    def source_for(self, family: str) -> str:
        """Where a family's figures come from."""
        return self.source if family in self.activations else "not counted there for this family: taken to be as ours"

    def need(self, config: TrainingConfig, structure: Structure) -> Need:
        """A step's peak with pictures of the resolution's square."""
        memory = config.memory
        ours = vram_parts(config, structure)
        kept = {SWAPPED} if self.swaps_blocks else set[str]()
        config = with_values(config, {path: value for path, value in ELSEWHERE.items() if path not in kept})
        whole = vram_parts(config, structure, elsewhere=True)
        is_kept = self.quantises or (memory.quantised == "int8" and config.model.family in self.int8_families)
        if memory.quantised is not None and not is_kept:
            in_16_bits = with_values(config, {"memory.base_dtype": memory.compute_dtype})
            whole = vram_parts(in_16_bits, structure, elsewhere=True)
        factors = self.checkpointed if memory.gradient_checkpointing else self.activations
        more = factors.get(config.model.family, 1.0) if memory.compute_dtype != "float32" else 1.0  # no casts there
        counted = sum(whole.values()) + int((more - 1) * whole["activations"] * (1 + ALLOCATOR_SHARE))
        return Need(sum(ours.values()), counted, counted + self.reported_bytes.get(config.model.family, 0))


@dataclass(frozen=True)
class Fitted:
    """A configuration as the export has it."""

    config: TrainingConfig
    notes: tuple[str, ...] = ()
    """Both figures, and what was changed."""


def fitted(config: TrainingConfig, run: Path, memory: TrainerMemory, title: str) -> Fitted:
    """The configuration with which a step fits into the card that the run was planned for, even if reports are right.

    The batch comes first, its effective size kept by accumulation, then checkpointing. Smaller pictures learn less, so
    the resolution is lowered only where the counted figure does not fit. What the user chose stays.
    """
    record, structure = RunFolder(run).known_plan(), family(config.model.family).standard
    gpu = _planned_card(record)
    if record is None or gpu is None or structure is None or config.memory.preset == "cpu":
        return Fitted(config)
    chosen = record.chosen_paths(dict(flat_settings(config)))
    found = config
    for found, most_counts in _choices(config, chosen):
        need = memory.need(found, structure)
        if (need.most if most_counts else need.counted) <= gpu.free_bytes:
            break
    return Fitted(found, tuple(_notes(config, found, memory, structure, gpu=gpu, title=title)))


def _planned_card(record: PlanRecord | None) -> Gpu | None:
    """The card that a run was planned for; None: it has no plan, or none for a card."""
    hardware = None if record is None else record.fields.hardware
    return None if hardware is None or hardware.gpu is None else hardware.gpu.as_gpu()


def _choices(config: TrainingConfig, chosen: frozenset[str]) -> Iterator[tuple[TrainingConfig, bool]]:
    """Configurations from the least harm to the most, and whether the most that is reported has to fit."""
    batches = [config, *_smaller_batches(config)] if not chosen & set(BATCH) else [config]
    yield from ((found, True) for found in batches)
    if not config.memory.gradient_checkpointing and CHECKPOINTING not in chosen:
        batches = [with_values(found, {CHECKPOINTING: True}) for found in batches]
        yield from ((found, True) for found in batches)
    smallest = batches[-1]
    yield smallest, False
    if RESOLUTION in chosen:
        return
    planned = config.dataset.resolution_px
    least = max(RESOLUTION_STEP_PX, config.dataset.min_bucket_px, int(planned * LEAST_RESOLUTION_SHARE))
    for resolution_px in range(planned - RESOLUTION_STEP_PX, least - 1, -RESOLUTION_STEP_PX):
        yield with_values(smallest, {RESOLUTION: resolution_px}), False


def _smaller_batches(config: TrainingConfig) -> Iterator[TrainingConfig]:
    """The same pictures a step in smaller batches."""
    schedule = config.schedule
    effective = schedule.batch_size * schedule.gradient_accumulation
    for batch_size in range(schedule.batch_size - 1, 0, -1):
        if effective % batch_size == 0:
            yield with_values(config, dict(zip(BATCH, (batch_size, effective // batch_size), strict=True)))


def _notes(
    planned: TrainingConfig, found: TrainingConfig, memory: TrainerMemory, structure: Structure, *, gpu: Gpu, title: str
) -> Iterator[str]:
    need = memory.need(planned, structure)
    reported = f", up to {gib(need.most)} by published reports" if need.most > need.counted else ""
    yield (
        f"Memory: a step of the plan takes about {gib(need.counted)} in {title}{reported}, and {gib(need.ours)} in our "
        f"trainer ({memory.source_for(planned.model.family)}); {gpu.name} has {gib(gpu.free_bytes)} free."
    )
    changed = [
        f"{path} {_shown(setting(planned, path))} -> {_shown(setting(found, path))}"
        for path in (*BATCH, CHECKPOINTING, RESOLUTION)
        if setting(planned, path) != setting(found, path)
    ]
    now = memory.need(found, structure)
    if changed:
        yield (
            f"So that it fits there, this export alone has {', '.join(changed)}: about {gib(now.counted)}"
            f"{f', at most {gib(now.most)}' if now.most > now.counted else ''}. Your plan stays as it is."
        )
    if now.counted > gpu.free_bytes:
        yield "Memory: that does not fit. Close other programs, or lower dataset.resolution_px or the batch."
    elif now.most > gpu.free_bytes:
        yield "Memory: should it run out there, lower dataset.resolution_px; nothing else is left that harms less."


def _shown(value: object) -> str:
    return {True: "on", False: "off"}.get(value, str(value)) if isinstance(value, bool) else str(value)
