"""Memory at one moment: how much was free, how much was ours; from two of them follows what others took."""

from __future__ import annotations

from dataclasses import dataclass

from advisor.units import MIB, gib

LEAST_TAKEN_BYTES = 256 * MIB
"""What is less may be the driver's, or a browser's that breathes."""


@dataclass(frozen=True)
class Room:
    """The memory of a card, or of the machine."""

    free_bytes: int
    total_bytes: int
    own_bytes: int
    """What this process keeps of it; of a card what torch has fetched, not the driver's own."""

    @property
    def full_share(self) -> float:
        """The part in use; above 1 where more was fetched than there is."""
        if self.total_bytes <= 0:
            return 0.0
        return max(1 - self.free_bytes / self.total_bytes, self.own_bytes / self.total_bytes)


def taken_by_others(before: Room, now: Room) -> int:
    """Bytes that other programs have taken since; 0 where it is too little to be told apart, or they gave some back."""
    taken = (before.free_bytes + before.own_bytes) - (now.free_bytes + now.own_bytes)
    return taken if taken >= LEAST_TAKEN_BYTES else 0


def others_sentence(taken_bytes: object) -> str:
    """What to say of memory that others took; empty where they took none."""
    if not isinstance(taken_bytes, int) or taken_bytes <= 0:
        return ""
    return f"Other programs have taken about {gib(taken_bytes)} of it since the start: closing them gives that back."
