"""What to change when memory ran out: the next rung down, with the least harm, that saves bytes.

Pure: settings and the prediction of memory by parts go in, a rung comes out. A rung is offered only where the
prediction says that it saves; what the user chose is passed over, and named where nothing else is left.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from types import MappingProxyType
from typing import Any

from advisor.dataset.buckets import Size
from advisor.estimate.device_speed import Speed
from advisor.estimate.slowdown import slowdown
from advisor.estimate.step_work import StepWork, step_work
from advisor.estimate.swapped_blocks import MOST_HERE, most_swapped
from advisor.estimate.tradeoffs import (
    BASE,
    CHECKPOINTING,
    LEAST_RESOLUTION_SHARE,
    OPTIMIZER_8BIT,
    SLICES,
    SMALLER_IMAGES,
    SPLIT,
    SWAPPING,
)
from advisor.estimate.vram import Phase, phase_bytes, reserved_bytes, vram_parts
from advisor.families.structure import Structure
from advisor.settings.config import MOST_SLICES, RESOLUTION_STEP_PX, TrainingConfig, changed, setting
from advisor.units import MIB
from advisor.units import size as size_text

LEAST_SAVING_BYTES = MIB
"""What saves less is not worth a restart."""

BATCH_PARTS = "batch_parts"
"""The one thing a rung changes that is no setting: into how many parts each batch is split."""


@dataclass(frozen=True)
class Situation:
    """The state of a run whose memory ran out."""

    config: TrainingConfig
    """As it was trained, with the rungs taken before."""
    structure: Structure
    planned_px: int
    """The plan's resolution, before any rung."""
    batch_parts: int = 1
    """Into how many parts each batch was split."""
    phase: Phase = "step"
    size: Size | None = None
    """The largest training size of the pictures; None: the resolution's square."""
    chosen: frozenset[str] = frozenset()
    """Paths of settings that the user chose."""
    base_dtypes: tuple[str, ...] = ()
    """Precisions under the compute dtype that the trainer can keep the base model in."""
    has_8bit_optimizer: bool = False
    """AdamW's 8-bit form works here."""
    can_swap: bool = False
    """The card has memory of its own, so that blocks can wait in the machine's."""
    speed: Speed | None = None
    """Of the card or processor that it runs on; None: nothing is known of it."""

    @property
    def predicted_bytes(self) -> int:
        """What it needs by the prediction."""
        return phase_bytes(self.phase, self.config, self.structure, size=self.size, batch_parts=self.batch_parts)

    @property
    def overhead_bytes(self) -> int:
        """What lies around the allocated memory while steps are made: the allocator's reserve, the driver's own."""
        return self._parts["overhead"]

    @property
    def reserved_bytes(self) -> int:
        """What torch's allocator holds of the card while steps are made."""
        return reserved_bytes(self.config, self._parts)

    @property
    def work(self) -> StepWork:
        """What a step asks of the card and of the processor that feeds it."""
        return step_work(self.config, self.structure, size=self.size, batch_parts=self.batch_parts)

    @property
    def _parts(self) -> dict[str, int]:
        return vram_parts(self.config, self.structure, size=self.size, batch_parts=self.batch_parts)


@dataclass(frozen=True)
class Rung:
    """One step down."""

    name: str
    """E.g. `smaller_parts`, `checkpointing`, `resolution`."""
    harm: int
    """0: the result stays the same. The more, the later it is offered."""
    price: str
    """What it costs, for the user."""
    slowdown: float = 1.0
    """A step's time after it over the time before."""
    settings: Mapping[str, Any] = field(default_factory=lambda: MappingProxyType({}))
    """What it changes, by path."""
    batch_parts: int | None = None
    """Into how many parts each batch is split from now on; None: as before."""
    saved_bytes: int = 0
    locked: tuple[str, ...] = ()
    """The paths among them that the user chose."""

    def sentence(self) -> str:
        """What it does, saves and costs."""
        changes = [f"{path} {_shown(value)}" for path, value in self.settings.items()]
        if self.batch_parts is not None:
            changes.append(f"each batch in {self.batch_parts} parts")
        return f"{', '.join(changes)}: saves about {size_text(self.saved_bytes)}; {self.price}"


def next_rung(situation: Situation, *, most_harm: int | None = None) -> Rung | None:
    """The rung with the least harm, of those the one that saves most; None where only the user's choices are left.

    Args:
        most_harm: none that does more.
    """
    found = next((rung for rung in rungs(situation) if not rung.locked), None)
    return None if found is not None and most_harm is not None and found.harm > most_harm else found


def locked_rungs(situation: Situation) -> tuple[Rung, ...]:
    """What would help, but changes something that the user chose."""
    return tuple(rung for rung in rungs(situation) if rung.locked)


def rungs(situation: Situation) -> tuple[Rung, ...]:
    """All that would save memory where it ran out, in the order in which they are tried."""
    found = list[Rung]()
    for offer in OFFERS:
        for rung in offer(situation):
            then = after(situation, rung)
            saved = situation.predicted_bytes - then.predicted_bytes
            if saved >= LEAST_SAVING_BYTES:
                locked = tuple(path for path in rung.settings if path in situation.chosen)
                longer = slowdown(situation.work, then.work, situation.speed)
                price = f"{rung.price}; a step takes {longer.text}"
                found.append(
                    replace(rung, saved_bytes=saved, locked=locked, slowdown=round(longer.likely, 2), price=price)
                )
    return tuple(sorted(found, key=lambda rung: (rung.harm, -rung.saved_bytes)))


def after(situation: Situation, rung: Rung) -> Situation:
    """The situation with the rung taken."""
    config = situation.config
    for path, value in rung.settings.items():
        config = changed(config, path, value)
    size, before = situation.size, situation.config.dataset.resolution_px
    if size is not None and config.dataset.resolution_px < before:
        share = config.dataset.resolution_px / before
        size = int(size[0] * share), int(size[1] * share)
    parts = situation.batch_parts if rung.batch_parts is None else rung.batch_parts
    return replace(situation, config=config, batch_parts=parts, size=size)


def stopped(situation: Situation) -> str:
    """What to say where no rung is left."""
    locked = locked_rungs(situation)
    if not locked:
        return "Nothing is left to try that would save memory: close other programs, or train on another card"
    sentences = "; ".join(rung.sentence() for rung in locked)
    return f"What would still help changes what you chose, so it is left to you: {sentences}"


def _smaller_parts(situation: Situation) -> Iterator[Rung]:
    if situation.batch_parts < situation.config.schedule.batch_size:
        parts = min(2 * situation.batch_parts, situation.config.schedule.batch_size)
        yield Rung("smaller_parts", SPLIT.harm, SPLIT.result, batch_parts=parts)


def _checkpointing(situation: Situation) -> Iterator[Rung]:
    if not situation.config.memory.gradient_checkpointing:
        settings = {"memory.gradient_checkpointing": True}
        yield Rung("checkpointing", CHECKPOINTING.harm, CHECKPOINTING.result, settings=settings)


def _more_blocks(situation: Situation) -> Iterator[Rung]:
    memory, number = situation.config.memory, situation.structure.whole_blocks
    if memory.gradient_checkpointing and 0 < memory.checkpointed_blocks < number:
        twice = 2 * memory.checkpointed_blocks
        settings = {"memory.checkpointed_blocks": twice if twice < number else 0}
        yield Rung("more_blocks", CHECKPOINTING.harm, CHECKPOINTING.result, settings=settings)


def _slices(situation: Situation) -> Iterator[Rung]:
    if situation.phase == "caching":
        twice = min(2 * situation.config.memory.encode_slices, MOST_SLICES)
        yield Rung("slices", SLICES.harm, SLICES.result, settings={"memory.encode_slices": twice})


def _swapping(situation: Situation) -> Iterator[Rung]:
    """A quarter of the blocks more, once batches are split and checkpointing is in all blocks: these cost less time."""
    config = situation.config
    memory, most = config.memory, most_swapped(config, situation.structure)
    is_checkpointed = memory.gradient_checkpointing and not memory.checkpointed_blocks
    is_checkpointed |= not situation.chosen.isdisjoint(("memory.gradient_checkpointing", "memory.checkpointed_blocks"))
    is_split = situation.batch_parts >= config.schedule.batch_size
    if situation.can_swap and is_checkpointed and is_split and memory.swapped_blocks < most:
        settings = {"memory.swapped_blocks": min(most, memory.swapped_blocks + MOST_HERE + -(-most // 4))}
        yield Rung("swapping", SWAPPING.harm, SWAPPING.result, settings=settings)


def _optimizer(situation: Situation) -> Iterator[Rung]:
    optimizer = situation.config.optimizer
    if situation.has_8bit_optimizer and optimizer.name == "adamw" and not optimizer.arguments:
        price = "what AdamW remembers of earlier steps is dropped, so the next few dozen are rougher"
        yield Rung("optimizer", OPTIMIZER_8BIT.harm, price, settings={"optimizer.name": "adamw8bit"})


def _base_dtype(situation: Situation) -> Iterator[Rung]:
    now = situation.config.memory.base_dtype
    for dtype, cost in BASE.items():
        if dtype in situation.base_dtypes and now not in ("nf4", dtype):
            yield Rung("base_dtype", cost.harm, cost.result, settings={"memory.base_dtype": dtype})


def _resolution(situation: Situation) -> Iterator[Rung]:
    dataset = situation.config.dataset
    smaller = dataset.resolution_px - RESOLUTION_STEP_PX
    if smaller >= max(LEAST_RESOLUTION_SHARE * situation.planned_px, dataset.min_bucket_px, RESOLUTION_STEP_PX):
        price = f"{SMALLER_IMAGES.result}; in the epoch at hand some pictures come twice or not at all"
        yield Rung("resolution", SMALLER_IMAGES.harm, price, settings={"dataset.resolution_px": smaller})


OFFERS: tuple[Callable[[Situation], Iterator[Rung]], ...] = (
    _smaller_parts, _checkpointing, _more_blocks, _slices, _swapping, _optimizer, _base_dtype, _resolution,
)  # fmt: skip
"""What can be tried; a new one is a function and a name here."""


def changes(situation: Situation, rung: Rung) -> tuple[dict[str, Any], dict[str, Any]]:
    """What a rung changes, as it was and as it will be."""
    old = {path: setting(situation.config, path) for path in rung.settings}
    new = dict(rung.settings)
    if rung.batch_parts is not None:
        old[BATCH_PARTS], new[BATCH_PARTS] = situation.batch_parts, rung.batch_parts
    return old, new


def _shown(value: object) -> str:
    return {True: "on", False: "off"}.get(value, str(value)) if isinstance(value, bool) else str(value)
