"""Reading `loracle.toml`, which is all that training reads."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from advisor.errors import ConfigErrors, RunError
from advisor.files import is_file, is_folder
from advisor.settings.config import TrainingConfig, parse_config
from advisor.settings.earlier import completed
from advisor.settings.file_names import CONFIG_NAME
from advisor.shell import quoted
from advisor.toml_file import read_toml, with_lines

MOST_CONFIG_BYTES = 4 * 1024 * 1024
"""No honest configuration is larger."""


def config_file(run: Path) -> Path:
    """The configuration file that `run` names: a run folder that holds one, or the file itself.

    Raises:
        RunError: there is none.
    """
    path = run / CONFIG_NAME if is_folder(run) else run
    if is_file(path):
        return path
    if is_folder(run):
        raise RunError(
            f"{run} holds no {CONFIG_NAME}: `loracle plan --out {quoted(str(run))}` writes one, or name another"
        )
    raise RunError(f"{run} does not exist: give a run folder, or its {CONFIG_NAME}")


def read_config(run: Path) -> TrainingConfig:
    """The configuration of a run folder, or in a `loracle.toml`; one of an earlier version means what it meant there.

    Raises:
        RunError: there is no such file, or it is no TOML.
        ConfigErrors: settings are wrong; all are named, with the file and their lines in it.
    """
    path = config_file(run)
    try:
        return parse_config(_tree(path))
    except ConfigErrors as errors:
        raise with_lines(errors, path, most_bytes=MOST_CONFIG_BYTES) from None


def named_settings(run: Path) -> frozenset[str]:
    """The settings by path that a configuration names, be it with their default.

    Raises:
        RunError: there is no such file, or it is no TOML.
    """
    tree = _tree(config_file(run))
    return frozenset(f"{group}.{name}" for group, table in tree.items() if isinstance(table, dict) for name in table)


def _tree(path: Path) -> dict[str, Any]:
    return completed(read_toml(path, kind="configuration", most_bytes=MOST_CONFIG_BYTES))
