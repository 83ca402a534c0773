"""Reading `loracle.toml`, which is all that training reads."""

from __future__ import annotations

import tomllib
from pathlib import Path

from advisor.config import TrainingConfig, parse_config
from advisor.errors import ConfigErrors, RunError

CONFIG_NAME = "loracle.toml"
"""The configuration's file name in a run folder."""

MOST_CONFIG_BYTES = 4 * 1024 * 1024
"""No honest configuration is larger."""


def config_file(run: Path) -> Path:
    """The configuration file that `run` names: a run folder that holds one, or the file itself.

    Raises:
        RunError: there is none.
    """
    path = run / CONFIG_NAME if run.is_dir() else run
    if path.is_file():
        return path
    if run.is_dir():
        raise RunError(f"{run} holds no {CONFIG_NAME}: `loracle plan --out {run}` writes one, or name another folder")
    raise RunError(f"{run} does not exist: give a run folder, or its {CONFIG_NAME}")


def read_config(run: Path) -> TrainingConfig:
    """The configuration of a run folder, or in a `loracle.toml`.

    Raises:
        RunError: there is no such file, or it is no TOML.
        ConfigErrors: settings are wrong; all are told, with the file's name.
    """
    path = config_file(run)
    try:
        if path.stat().st_size > MOST_CONFIG_BYTES:
            raise RunError(f"{path} is larger than any configuration: is it the right file?")
        tree = tomllib.loads(path.read_bytes().decode("utf-8"))
    except UnicodeDecodeError as error:
        raise RunError(f"{path} is not UTF-8 (byte {error.start}): save it as UTF-8 in your editor") from None
    except tomllib.TOMLDecodeError as error:
        raise RunError(f"{path} is not valid TOML: {error}") from None
    except RecursionError:
        raise RunError(f"{path} is nested too deeply to be a configuration") from None
    except OSError as error:
        raise RunError(f"{path} cannot be read: {error.strerror}") from None
    try:
        return parse_config(tree)
    except ConfigErrors as errors:
        raise ConfigErrors(errors.errors, where=str(path)) from None
