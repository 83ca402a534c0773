"""Going on with a training from the state that it left."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any

from advisor.errors import ConfigErrors, ModelError, RunError
from advisor.machine.processor import ProcessorDtype, has_bfloat16
from advisor.run_folder.ladder_file import Ladder
from advisor.run_folder.layout import RunFolder
from advisor.run_folder.state_manifest import begun_already, newest_manifest
from advisor.settings.config import TrainingConfig, changed
from advisor.settings.earlier import unsaid_before
from advisor.shell import quoted
from trainer.adapters.network import Network
from trainer.device.device_memory import is_out_of_memory
from trainer.optim.ema import EMA_PREFIX
from trainer.optim.schedule import Schedule, going_on
from trainer.runtime.events import Events
from trainer.training.state import State, States
from trainer.training.stepper import Stepper


@dataclass(frozen=True)
class Resuming:
    """How a run is gone on with."""

    run: Path
    states: States
    planned: TrainingConfig
    """Before the ladder."""
    ladder: Ladder
    events: Events

    def state(self, *, wanted: bool) -> State | None:
        """The state to go on from, if wanted.

        Raises:
            RunError: there is one, but the user did not ask to go on; or the other way round, it is damaged.
        """
        if not wanted:
            if self.states.any():
                command = f"loracle train {quoted(str(self.run))} --resume"
                raise begun_already(self.run, command)
            return None
        state = self.states.newest()
        if state is None:
            self.events.warning("nothing_to_resume", "There was no state to go on from, so training begins anew")
            return None
        if self.states.damaged:
            names = " and ".join(self.states.damaged)
            self.events.warning("damaged_state", f"{names} is damaged; going on from step {state.position.step}")
        if state.config_hash != config_hash(self.planned) and not self._differs_in_epochs_alone(state):
            message = "loracle.toml was changed since: going on with what it says now, which no run in one go equals"
            self.events.warning("config_changed", message)
        return state

    def tell_schedule(self, state: State, schedule: Callable[[TrainingConfig], Schedule]) -> None:
        """Where the number of epochs alone was changed, warn of how the learning rate goes on.

        Args:
            schedule: makes the schedule of a configuration.
        """
        if not self._differs_in_epochs_alone(state):
            return
        before = changed(self.planned, "schedule.epochs", state.epochs)
        was, now = schedule(before), schedule(self.planned)
        self.events.warning(
            "epochs_changed",
            f"{self.planned.schedule.epochs} epochs in all instead of {state.epochs}: "
            f"{going_on(was, now, state.position.step)}",
        )

    def _differs_in_epochs_alone(self, state: State) -> bool:
        if state.epochs in (None, self.planned.schedule.epochs):
            return False
        try:
            before = changed(self.planned, "schedule.epochs", state.epochs)
        except ConfigErrors:
            return False
        return config_hash(before) == state.config_hash

    def load(self, stepper: Stepper, state: State) -> None:
        """Let optimizer, scaler and average remember what they knew.

        Raises:
            RunError: the state is another optimizer's.
        """
        try:
            stepper.load_state(self._memory_of_optimizer(stepper, state), state.scaler, state.weights)
        except Exception as error:  # what comes of a state that torch did not write can be any
            if is_out_of_memory(error):
                raise
            raise RunError(
                f"The state in {self.run} was made by another optimizer ({error}): undo the change in "
                "loracle.toml, or begin anew in another run"
            ) from error

    def _memory_of_optimizer(self, stepper: Stepper, state: State) -> Mapping[str, Any] | None:
        """What the optimizer remembers in a state; nothing where the ladder has put another in its place.

        Raises:
            ValueError: another was put there by hand.
        """
        before, now = state.optimizer_kind, stepper.optimizer_kind
        if before in (None, now) or now is None:
            return state.optimizer
        if "optimizer.name" not in self.ladder.settings:
            raise ValueError(f"{before}, not {now}")
        message = f"{now} begins without what {before} remembered of earlier steps: the next few dozen are rougher"
        self.events.warning("optimizer_began_anew", message)
        return None


def begun_on_processor(run: Path) -> ProcessorDtype | None:
    """What a training on the processor goes on in: what its newest state was computed in; None: it begins anew.

    States that do not tell are older than bfloat16 on processors. float16 is a card's.
    """
    manifest = newest_manifest(RunFolder(run).states())
    if manifest is None:
        return None
    return "bfloat16" if manifest.compute_dtype == "bfloat16" and has_bfloat16() else "float32"


def config_hash(config: TrainingConfig) -> str:
    """Tells configurations apart. A setting that was added later counts only where it changes what was done before."""
    return sha256(config.model_dump_json(exclude=unsaid_before(config)).encode("utf-8")).hexdigest()[:16]


def restore_weights(network: Network, state: State) -> None:
    """Give the adapters the weights that a state holds.

    Raises:
        ModelError: they are another LoRA's.
    """
    try:
        network.load_state_dict({name: one for name, one in state.weights.items() if not name.startswith(EMA_PREFIX)})
    except RuntimeError as error:
        raise ModelError(
            "The state is of another LoRA than loracle.toml asks for now (rank, layers or base model): undo that "
            f"change, or begin anew in another run ({str(error).splitlines()[-1].strip()})"
        ) from error
