"""The callbacks of the processes of a run that do not write it: the first one saves, draws and measures alone."""

from __future__ import annotations

from dataclasses import dataclass

from advisor.run_folder.state_manifest import Position
from trainer.training.stepper import Stepper


@dataclass(frozen=True)
class FollowerCallbacks:
    """Callbacks that write nothing and leave the weights as the first process's leave them."""

    stepper: Stepper

    def save_epoch(self, position: Position) -> None:  # noqa: ARG002
        """The first process saves a LoRA."""
        self._as_if_used()

    def save_step(self, position: Position) -> None:  # noqa: ARG002
        """The first process saves a LoRA."""
        self._as_if_used()

    def save_state(self, position: Position) -> None:
        """The first process saves a state, by which no weight changes."""

    def draw_base_samples(self) -> None:
        """The first process draws without the adapters."""

    def draw_samples(self, position: Position) -> None:
        """The first process draws, after which the weights are as before, to the bit."""

    def validate(self, position: Position) -> None:  # noqa: ARG002
        """The first process measures."""
        self._as_if_used()

    def last_lora(self) -> str | None:
        """Nothing: what this process has to say is not shown."""
        return None

    def _as_if_used(self) -> None:
        """Turn to the weights that are saved and back, since that rounds where a schedule-free optimizer trains."""
        with self.stepper.weights_for_use():
            pass
