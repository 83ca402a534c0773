"""The numbers in events as named curves, for all programs that draw them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

LOSS_DECAY = 0.98
"""How slowly the smoothed loss follows."""


class Curves:
    """Turns events into named numbers, and remembers the step."""

    def __init__(self) -> None:
        """No event was seen yet."""
        self.step = 0
        """Of the last event that told one."""
        self._smoothed: float | None = None

    def of(self, event: Mapping[str, Any]) -> dict[str, float]:
        """The event's numbers by the name of their curve; what is no number leaves a gap."""
        kind = event["event"]
        found: dict[str, float | None] = {}
        if kind == "step":
            found = self._of_step(event)
        elif kind == "validation":
            found = {"loss/validation": event["loss"]}
        if found:
            self.step = event["step"]
        return {name: value for name, value in found.items() if value is not None}

    def _of_step(self, event: Mapping[str, Any]) -> dict[str, float | None]:
        return {
            "loss/smoothed": self._smooth(event["loss"]),
            "loss/step": event["loss"],
            "learning_rate/unet": event["unet_learning_rate"],
            "learning_rate/text_encoder": event["text_encoder_learning_rate"],
            "gradient_norm": event.get("gradient_norm"),
            "seconds_per_step": event["seconds"],
            "memory_bytes": event["memory_bytes"],
        }

    def _smooth(self, loss: float | None) -> float | None:
        if loss is None:
            return None
        before = loss if self._smoothed is None else self._smoothed
        self._smoothed = LOSS_DECAY * before + (1 - LOSS_DECAY) * loss
        return self._smoothed


def picture_name(event: Mapping[str, Any]) -> str:
    """What a sample's row of pictures is called: by its prompt."""
    return f"samples/{event['prompt'][:60]}"
