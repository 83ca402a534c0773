"""Whether to go on with a run that was begun. Decides; asks through `Ask`."""

from __future__ import annotations

from dataclasses import dataclass

from advisor.errors import ConfigError, LoraError
from advisor.files import is_file
from advisor.run_folder.layout import RunFolder
from advisor.run_folder.state_manifest import Position, newest_position
from advisor.settings.config import TrainingConfig
from advisor.units import counted
from wizard.interview.questions import BACK, Ask, Question, choice

MORE_EPOCHS = 2
"""So many more are proposed for a run that has all it was planned for."""


@dataclass(frozen=True)
class GoingOn:
    """Whether a run is gone on with, and how far."""

    resume: bool = False
    epochs: int | None = None
    """In all; None: as many as are planned."""


def asked_to_go_on(run: RunFolder, config: TrainingConfig, ask: Ask) -> GoingOn:
    """What the user answers where the run was begun; nothing is asked where it was not, or `max_steps` are made.

    Raises:
        LoraError: the user does not want to go on, or gave no number of epochs.
    """
    reached = newest_position(run.states())
    if reached is None:
        return GoingOn()
    schedule = config.schedule
    if schedule.max_steps and reached.step >= schedule.max_steps:
        return GoingOn()
    if reached.epoch < schedule.epochs or not is_file(run.lora(config.saving.name)):
        if ask(_unfinished(reached, schedule.epochs)) != "yes":
            raise LoraError("Nothing was trained.")
        return GoingOn(resume=True)
    answer = ask(_finished(reached)).strip()
    if answer in (BACK, ""):
        raise LoraError("Nothing was trained.")
    if not answer.isdecimal():
        raise ConfigError("--epochs", answer, f"must be a whole number, e.g. {reached.epoch + MORE_EPOCHS}")
    return GoingOn(resume=True, epochs=int(answer))


def _unfinished(reached: Position, epochs: int) -> Question:
    text = f"This training was begun: {reached.epoch} of {counted(epochs, 'epoch')}, step {reached.step:,}. Go on?"
    return choice("go_on", text, ("yes", "Yes, from there"), ("no", "No, leave it as it is"), default="yes", back=False)


def _finished(reached: Position) -> Question:
    text = f"This training is finished: {counted(reached.epoch, 'epoch')}. Train it to how many in all?"
    default = str(reached.epoch + MORE_EPOCHS)
    return Question("epochs", text, "line", default=default, hint="< leaves it as it is", is_replaced=True)
