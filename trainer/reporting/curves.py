"""The numbers in events as named curves, for all programs that draw them."""

from __future__ import annotations

from advisor.run_folder.events import AnyEvent, SampleDrawn, StepDone, Validated
from advisor.run_folder.loss_curve import smoothed


class Curves:
    """Turns events into named numbers, and remembers the step."""

    def __init__(self) -> None:
        """Begin at step 0, without a loss."""
        self.step = 0
        """Of the last event that has numbers."""
        self._smoothed: float | None = None

    def of(self, event: AnyEvent) -> dict[str, float]:
        """The event's numbers by the name of their curve; what is no number leaves a gap."""
        found: dict[str, float | None] = {}
        if isinstance(event, StepDone):
            self.step, found = event.step, self._of_step(event)
        elif isinstance(event, Validated):
            self.step, found = event.step, {"loss/validation": event.loss}
        return {name: value for name, value in found.items() if value is not None}

    def _of_step(self, event: StepDone) -> dict[str, float | None]:
        if event.loss is not None:
            self._smoothed = smoothed(self._smoothed, event.loss)
        return {
            "loss/smoothed": None if event.loss is None else self._smoothed,
            "loss/step": event.loss,
            "learning_rate/unet": event.unet_learning_rate,
            "learning_rate/text_encoder": event.text_encoder_learning_rate,
            "gradient_norm": event.gradient_norm,
            "seconds_per_step": event.seconds,
            "memory_bytes": event.memory_bytes,
        }


def sample_title(event: SampleDrawn) -> str:
    """What a sample's row of images is called: by its prompt."""
    return f"samples/{event.prompt[:60]}"
