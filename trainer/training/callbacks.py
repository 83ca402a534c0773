"""What is done between the steps of a run: saving LoRAs and states, drawing samples."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from advisor.run_folder.events import LoraSaved, Validated
from advisor.run_folder.state_manifest import Position
from trainer.device.choose import COMPUTE_DTYPES, free_memory
from trainer.lora_files.metadata import SavedAt, Session, lora_metadata
from trainer.lora_files.write import LoraFiles
from trainer.runtime.events import Events
from trainer.runtime.interrupts import Interrupt, Interrupted
from trainer.training.samples import Samples
from trainer.training.state import State, States
from trainer.training.stepper import Stepper
from trainer.training.validation import validation_loss


@dataclass
class RunCallbacks:
    """The callbacks of a run: they write to its folder and send its events."""

    run: Path
    stepper: Stepper
    files: LoraFiles
    states: States
    session: Callable[[], Session]
    """Called at the first saving; hashing a large base model takes its time."""
    config_hash: str
    events: Events
    interrupt: Interrupt
    seconds_before: float
    """How long the run had trained before it was resumed."""
    kept: Position | None = None
    """Of the newest state."""
    _began: float = field(default_factory=time.monotonic)
    _session: Session | None = None

    def seconds(self) -> float:
        """How long the run has trained, all in all."""
        return self.seconds_before + time.monotonic() - self._began

    def save_epoch(self, position: Position) -> None:
        """Save the LoRA under the epoch's name."""
        self._save(self.files.epoch_name(position.epoch), position)
        self.files.remove_old()

    def save_step(self, position: Position) -> None:
        """Save the LoRA under the step's name."""
        self._save(self.files.step_name(position.step), position)
        self.files.remove_old()

    def save_last(self, position: Position) -> Path:
        """Save the LoRA under its own name."""
        return self._save(self.files.name, position)

    def last_lora(self) -> str | None:
        """The newest LoRA within the run."""
        existing = self.files.existing()
        return existing[-1].relative_to(self.run).as_posix() if existing else None

    def save_state(self, position: Position) -> None:
        """Save what is needed to go on from here, unless it is kept already."""
        if position == self.kept:
            return
        optimizer, scaler = self.stepper.state()
        self.states.write(
            State(
                position=position,
                weights=self.stepper.weights(),
                optimizer=optimizer,
                scaler=scaler,
                config_hash=self.config_hash,
                seconds=self.seconds(),
                optimizer_kind=self.stepper.optimizer_kind,
                epochs=self.stepper.context.config.schedule.epochs,
                compute_dtype=self.stepper.context.config.memory.compute_dtype,
            )
        )
        self.kept = position

    def draw_base_samples(self) -> None:
        """Draw the base model's pictures, unless they are there; whatever goes wrong, training goes on.

        Raises:
            Interrupted: the user wants to stop.
        """
        self._samples.draw_base()

    def draw_samples(self, position: Position) -> None:
        """Draw what the configuration asks for; whatever goes wrong, training goes on.

        Raises:
            Interrupted: the user wants to stop.
        """
        self._samples.draw_epoch(position.epoch)

    def validate(self, position: Position) -> None:
        """Measure the validation loss and send it; whatever goes wrong, training goes on.

        Raises:
            Interrupted: the user wants to stop.
        """
        context = self.stepper.context

        def report(done: int, total: int) -> None:
            self.events.progress("validate", done, total)
            self.interrupt.check()

        self.events.phase("validate", len(context.training_set.measured))
        try:
            with self.stepper.weights_for_use():
                loss = validation_loss(context, report)
            self.events.send(Validated(step=position.step, epoch=position.epoch, loss=loss))
        except Interrupted:
            raise
        except Exception as error:  # a measurement is never worth a training
            reason = (str(error).splitlines() or [""])[0]
            self.events.warning("validation_failed", f"The loss was not measured ({type(error).__name__}: {reason})")
        finally:
            free_memory(context.device)

    @property
    def _samples(self) -> Samples:
        return Samples(self.run, self.stepper, self.events, self.interrupt)

    def _save(self, name: str, position: Position) -> Path:
        self.events.phase("save", 1)
        context = self.stepper.context
        if self._session is None:
            self._session = self.session()
        metadata = lora_metadata(self._session, SavedAt(position.step, _epoch_number(position)))
        with self.stepper.weights_for_use():
            dtype = COMPUTE_DTYPES[context.config.saving.dtype]
            state = context.network.lora_state(dtype, scaled=self.files.takes_scaled)
        path = self.files.write(name, state, metadata)
        self.events.progress("save", 1, 1)
        self.events.send(LoraSaved(path=name, step=position.step, epoch=_epoch_number(position)))
        return path


def _epoch_number(position: Position) -> int:
    """The epoch that the last step belonged to, counted from 1."""
    return position.epoch + 1 if position.step_in_epoch else max(1, position.epoch)
