"""Epochs and steps: when what is trained, saved and drawn, and how it ends."""

from __future__ import annotations

import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import Protocol

from advisor.errors import LoraError
from advisor.run_folder.events import EpochDone, PhaseBegun, StepDone
from advisor.run_folder.state_manifest import Position
from advisor.settings.config import TrainingConfig
from trainer.data.training_set import BatchRefs, TrainingSet
from trainer.device.choose import memory_bytes
from trainer.device.device_memory import is_out_of_memory
from trainer.ranks.ranks import RanksEnded
from trainer.runtime.disk_space import waiting_for
from trainer.runtime.events import Events
from trainer.runtime.interrupts import Interrupt, Interrupted
from trainer.training.failures import Spilled, not_finite, spilled_message
from trainer.training.length import Length
from trainer.training.spill_watch import SpillWatch, timed
from trainer.training.step_result import StepResult
from trainer.training.stepper import Stepper


@dataclass(frozen=True)
class _Made:
    """A step that was made."""

    result: StepResult
    position: Position
    """Reached with it."""
    group: Sequence[BatchRefs]
    start: float


class Callbacks(Protocol):
    """What the loop calls between steps; each takes the position reached."""

    def save_epoch(self, position: Position) -> None:
        """An epoch whose LoRA is wanted has ended."""

    def save_step(self, position: Position) -> None:
        """A step whose LoRA is wanted was made, or the user wants to stop."""

    def save_state(self, position: Position) -> None:
        """Here the training can be gone on with."""

    def draw_base_samples(self) -> None:
        """The training begins, and samples are wanted."""

    def draw_samples(self, position: Position) -> None:
        """An epoch after which samples are wanted has ended."""

    def validate(self, position: Position) -> None:
        """An epoch after which the validation loss is wanted has ended."""

    def last_lora(self) -> str | None:
        """The newest LoRA's name, for messages."""


class Loop:
    """The training loop: epochs and steps, with the callbacks between them."""

    def __init__(
        self,
        config: TrainingConfig,
        training_set: TrainingSet,
        stepper: Stepper,
        callbacks: Callbacks,
        *,
        length: Length,
        events: Events,
        interrupt: Interrupt,
        watch: SpillWatch | None = None,
    ) -> None:
        """Train `stepper` on these images.

        Args:
            watch: detects that the GPU's memory spills into system memory; None where no driver does that.
        """
        self._config, self._training_set, self._stepper, self._callbacks = config, training_set, stepper, callbacks
        self._events, self._interrupt, self._watch = events, interrupt, watch
        self._length = length
        self._state_due = _Clock(config.saving.state_every_minutes * 60)
        self.step_seconds: list[float] = []
        """Of each step made."""
        self._unread: _Made | None = None
        """The last step, where what it gave was not looked at."""
        self._read_at = 0.0

    def run(self, position: Position) -> Position:
        """Train to the end.

        Returns:
            The position reached.

        Raises:
            TrainingStopped: loss or gradient are no numbers any more.
            Spilled: the GPU's memory spills; a state is saved.
            MemoryError: there is none left; a state is saved if that can be.
            RanksEnded: another process of the training has ended; a state is saved.
            Interrupted: the user wanted to stop; LoRA and state are saved, once there is a step to save.
        """
        if position.step == 0 and self._config.sampling.draws:
            self._callbacks.draw_base_samples()
        self._events.send(PhaseBegun(name="train", total=self._length.steps, epochs=self._length.epochs))
        while position.step < self._length.steps:
            position = self._run_epoch(position)
        if position.step_in_epoch:
            self._try_last_state(position)
        return position

    def _run_epoch(self, position: Position) -> Position:
        schedule = self._config.schedule
        batches = self._training_set.batches(
            seed=self._config.run.seed, epoch=position.epoch, batch_size=schedule.batch_size
        )
        groups = _in_groups(batches, schedule.gradient_accumulation)
        for group in groups[position.step_in_epoch :]:
            position = self._make_step(group, position)
            if position.step >= self._length.steps:
                break
            if position.step_in_epoch < len(groups):
                self._between_steps(position)
        self._read_last()
        if position.step_in_epoch < len(groups):
            return position
        position = replace(position, epoch=position.epoch + 1, step_in_epoch=0)
        self._end_epoch(position)
        return position

    def _make_step(self, group: Sequence[BatchRefs], position: Position) -> Position:
        """A step; what it gave is looked at one step later where the device is still computing it."""
        start = time.perf_counter()
        result = self._try_step(group, position)
        position = replace(position, step=position.step + 1, step_in_epoch=position.step_in_epoch + 1)
        before, self._unread = self._unread, _Made(result, position, group, start)
        if before is not None:
            self._after_step(before)
        if result.is_there:
            self._read_last()
        return position

    def _read_last(self) -> None:
        """Wait for the last step, and look at what it gave."""
        made, self._unread = self._unread, None
        if made is not None:
            self._after_step(made)

    def _after_step(self, made: _Made) -> None:
        is_good = made.result.is_good  # waits until the step is computed
        now = time.perf_counter()
        seconds, self._read_at = now - max(made.start, self._read_at), now
        self.step_seconds.append(seconds)
        self._send_step(made.position, made.result, seconds)
        if not is_good:
            raise not_finite(self._config, made.position.step, self._callbacks.last_lora())
        times = None if self._watch is None else self._watch.after(timed(seconds, made.group, self._training_set))
        if times is not None and made.position.step < self._length.steps:
            self._end_spilling(times, made)

    def _end_spilling(self, times: float, made: _Made) -> None:
        """Save a state and end; where the spill is tolerated, only warn of it once.

        Raises:
            Spilled: it is not tolerated.
        """
        if self._watch is not None and self._watch.only_warns:
            self._events.warning("memory_spills", spilled_message(times))
            self._watch = None
            return
        newest, self._watch = self._unread or made, None
        self._read_last()
        self._callbacks.save_state(newest.position)
        raise Spilled(times)

    def _try_step(self, group: Sequence[BatchRefs], position: Position) -> StepResult:
        """The step's result; where memory runs out in it, or another process ends, what came before it is kept first.

        Raises:
            MemoryError: memory ran out, of the GPU or of the machine.
            RanksEnded: another process of the training has ended.
        """
        try:
            return self._stepper.step(group, step=position.step, epoch=position.epoch)
        except RanksEnded:
            self._read_last()
            self._keep_before_step(position)
            raise
        except (RuntimeError, MemoryError) as error:
            if not is_out_of_memory(error):
                raise
            message = str(error)
        # The error is gone here, and with it its frames, which held all of the step's tensors.
        self._read_last()
        self._keep_before_step(position)
        raise MemoryError(message)

    def _keep_before_step(self, position: Position) -> None:
        """Save a state of the last finished step, so that no step is made twice; without it an older one serves."""
        if self._stepper.abandon_step() and position.step > 0:
            self._try_state(position, "so an older one serves")

    def _try_last_state(self, position: Position) -> None:
        """Save the state that a longer training would go on from, if that can be: the last LoRA is saved after it."""
        with waiting_for(None):
            self._try_state(position, "so the training cannot go on with more epochs")

    def _try_state(self, position: Position, without: str) -> None:
        """Save a state; where that fails, warn, and say what follows from it."""
        try:
            self._callbacks.save_state(position)
        except (LoraError, RuntimeError, MemoryError, OSError) as error:
            reason = (str(error).splitlines() or [type(error).__name__])[0]
            self._events.warning(
                "state_not_saved", f"No state of step {position.step} could be saved, {without}: {reason}"
            )

    def _send_step(self, position: Position, result: StepResult, seconds: float) -> None:
        self._events.send(
            StepDone(
                step=position.step,
                epoch=position.epoch + 1,
                loss=result.loss,
                unet_learning_rate=result.rates["unet"],
                text_encoder_learning_rate=result.rates["text_encoder"],
                gradient_norm=result.gradient_norm,
                seconds=round(seconds, 6),
                memory_bytes=memory_bytes(self._stepper.context.device),
            )
        )
        self._events.progress("train", position.step, self._length.steps)

    def _between_steps(self, position: Position) -> None:
        is_due = self._state_due.rings()
        if self._is_step_to_save(position) or is_due or self._interrupt.asked:
            self._read_last()
        if self._is_step_to_save(position):
            self._callbacks.save_step(position)
        if is_due:
            self._callbacks.save_state(position)
        self._stop_if_asked(position)

    def _end_epoch(self, position: Position) -> None:
        self._events.send(EpochDone(epoch=position.epoch))
        if position.step < self._length.steps:
            saving = self._config.saving
            if self._is_step_to_save(position):
                self._callbacks.save_step(position)
            if saving.every_epochs and position.epoch % saving.every_epochs == 0:
                self._callbacks.save_epoch(position)
            self._callbacks.save_state(position)
        else:
            self._try_last_state(position)
        self._state_due.wind_up()
        if position.step < self._length.steps:
            self._stop_if_asked(position)
        sampling, validation = self._config.sampling, self._config.validation
        if self._training_set.measured and validation.every_epochs and position.epoch % validation.every_epochs == 0:
            with suppress(Interrupted):
                self._callbacks.validate(position)
        if sampling.draws and position.epoch % sampling.every_epochs == 0:
            with suppress(Interrupted):
                self._callbacks.draw_samples(position)
        if position.step < self._length.steps:
            self._stop_if_asked(position)

    def _is_step_to_save(self, position: Position) -> bool:
        every = self._config.saving.every_steps
        return bool(every) and position.step % every == 0

    def _stop_if_asked(self, position: Position) -> None:
        """Save and end, if the user wants to.

        Raises:
            Interrupted: they do.
        """
        if not self._interrupt.asked:
            return
        self._read_last()
        self._callbacks.save_step(position)
        self._callbacks.save_state(position)
        raise Interrupted


class _Clock:
    """Rings once so many seconds have gone by; 0: never."""

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self.wind_up()

    def wind_up(self) -> None:
        self._next = time.monotonic() + self._seconds

    def rings(self) -> bool:
        if not self._seconds or time.monotonic() < self._next:
            return False
        self.wind_up()
        return True


def _in_groups(batches: Sequence[BatchRefs], size: int) -> list[Sequence[BatchRefs]]:
    """The batches of each step; the last may have fewer."""
    return [batches[start : start + size] for start in range(0, len(batches), size)]
