"""Which card trains which of several runs, where each has a card of its own.

A run is planned for a card: that one comes first, then any other whose memory and precision do for the plan.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass

from advisor.machine.hardware import Gpu
from advisor.settings.config import Dtype
from advisor.units import gib


@dataclass(frozen=True)
class CardNeeds:
    """What a run asks of a card."""

    compute_dtype: Dtype
    planned_uuid: str = ""
    """NVML's UUID of the card that it was planned for; empty: none was."""
    needed_bytes: int | None = None
    """Of the card's memory, predicted; None: nothing is known."""

    def why_not(self, gpu: Gpu) -> str:
        """Why this card cannot train the run; empty: it can.

        The planned card always can: what speaks against it was told when the run was planned.
        """
        if gpu.uuid and gpu.uuid == self.planned_uuid:
            return ""
        if self.compute_dtype == "bfloat16" and not gpu.has_bf16:
            return "it has no bfloat16, in which the run is planned"
        if self.compute_dtype == "float16" and gpu.has_broken_fp16:
            return "it gives NaN in float16, in which the run is planned"
        if self.needed_bytes is not None and gpu.total_bytes < self.needed_bytes:
            return f"it has {gib(gpu.total_bytes)}, and the run needs about {gib(self.needed_bytes)}"
        return ""

    def has_room(self, gpu: Gpu) -> bool:
        """Whether so much of the card's memory is free now."""
        return self.needed_bytes is None or gpu.free_bytes >= self.needed_bytes


def card_for(needs: CardNeeds, cards: Sequence[Gpu], busy: Collection[str], *, is_settled: bool) -> Gpu | None:
    """The card that trains a run now; None: it waits, or no card can train it.

    Of idle cards with room the planned one is taken, else the one with least free memory, which leaves the larger ones
    to runs that need them. Where another program has filled all idle ones, a run waits for a card that trains another
    run, if one of those can train it; else it goes onto the planned one, or the one with most free memory.

    Args:
        cards: with what is free of their memory now.
        busy: UUIDs of those that train a run of the list.
        is_settled: what is free was looked at for a while; a run before may have left its memory only just.
    """
    able = [gpu for gpu in cards if not needs.why_not(gpu)]
    idle = [gpu for gpu in able if gpu.uuid not in busy]
    roomy = [gpu for gpu in idle if needs.has_room(gpu)]
    if roomy:
        return min(roomy, key=lambda gpu: (gpu.uuid != needs.planned_uuid, gpu.free_bytes, gpu.index))
    if not is_settled or len(idle) < len(able):
        return None
    return min(idle, key=lambda gpu: (gpu.uuid != needs.planned_uuid, -gpu.free_bytes, gpu.index), default=None)
