"""`train --epochs N`: writes how many epochs a run has in all into its loracle.toml, as an edit by hand would."""

from __future__ import annotations

from advisor.errors import ConfigError, ConfigErrors, RunError
from advisor.run_folder.config_edit import write_number
from advisor.run_folder.layout import RunFolder
from advisor.run_folder.state_manifest import newest_position
from advisor.settings.config import TrainingConfig, changed
from wizard.own_command import own_command

OPTION = "--epochs"


def set_epochs(run: RunFolder, config: TrainingConfig, epochs: int) -> TrainingConfig:
    """The configuration with so many epochs in all, as the run's loracle.toml has it from now on.

    Raises:
        ConfigError: that many are done already, or `schedule.max_steps` ends the training instead.
        RunError: the file cannot be changed.
    """
    longer = with_epochs(run, config, epochs)
    done = epochs_done(run)
    if epochs <= done:
        mend = f"{run.path} has done {done} already: give their number in all, {done + 1} or more"
        raise ConfigError(OPTION, epochs, mend)
    if config.schedule.epochs != epochs:
        write_number(run.config, "schedule", "epochs", epochs)
    if run.read_config() != longer:
        raise RunError(
            f"{run.config} changed meanwhile: try `{own_command('train', run.as_given)} {OPTION} {epochs}` again"
        )
    return longer


def with_epochs(run: RunFolder, config: TrainingConfig, epochs: int) -> TrainingConfig:
    """The configuration with so many epochs in all; nothing is written.

    Raises:
        ConfigError: there cannot be so many, or `schedule.max_steps` ends the training instead.
    """
    try:
        longer = changed(config, "schedule.epochs", epochs)
    except ConfigErrors as found:
        raise ConfigErrors([ConfigError(OPTION, epochs, error.mend) for error in found.errors]) from None
    if config.schedule.max_steps:
        mend = f"schedule.max_steps is {config.schedule.max_steps} and ends the training: set it to 0 in {run.config}"
        raise ConfigError(OPTION, epochs, mend)
    return longer


def epochs_done(run: RunFolder) -> int:
    """How many epochs the run's newest state has; 0 where there is none."""
    reached = newest_position(run.states())
    return 0 if reached is None else reached.epoch
