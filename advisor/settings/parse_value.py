"""Settings given by name: texts of a command line, a prompt or a file, as the values that the configuration takes."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any, Literal, get_args, get_origin

from advisor.errors import ConfigError, ConfigErrors
from advisor.settings.config import NamedFolder, TrainingConfig, blank_config, changed, setting, setting_field

ONE_TEXT = frozenset({"sampling.prompts"})
"""Lists whose single entries hold commas themselves: a text is one entry."""

OF_FOLDERS = frozenset({"dataset.folders", "dataset.regularization_folders"})
"""Lists of folders, each of which may be given as `path=repeats`."""

NOTHING = frozenset({"", "none", "null"})
"""What stands for a setting left out, where it may be."""


@dataclass(frozen=True)
class WrongValue:
    """What was given for a setting and cannot be its value; a plan reports all of these and its limits at once."""

    given: object
    errors: tuple[ConfigError, ...]

    def __str__(self) -> str:
        return str(self.given)


Scalar = str | int | float | bool
SettingValue = Scalar | None | tuple[Scalar, ...] | tuple[NamedFolder, ...]
"""Every type that a setting's value has."""


def parse_settings(given: Mapping[str, object]) -> dict[str, SettingValue | WrongValue]:
    """Path to value, in the order given; a `WrongValue` for what is no value of its setting, or of no setting."""
    return {path: parsed_or_wrong(path, value) for path, value in given.items()}


def parsed_or_wrong(path: str, given: object) -> SettingValue | WrongValue:
    """The value, or what is wrong with it."""
    try:
        return parse_value(path, given)
    except ConfigErrors as found:
        return WrongValue(given, found.errors)
    except ConfigError as error:
        return WrongValue(given, (error,))


def parse_value(path: str, given: object) -> SettingValue:
    """The value that `given` stands for: texts are read as the setting's type has it, all else is only checked.

    A text for a list is split at commas, or read as JSON if it begins with a bracket; folders may be given as
    `folder=10,other=5` too.

    Raises:
        UnknownSetting: there is no such setting.
        ConfigErrors: it is no value of the setting; each names what was given.
    """
    taken = _as_taken(path, given)
    try:
        value: SettingValue = setting(changed(_blank(), path, taken), path)
    except ConfigErrors as found:
        raise ConfigErrors([ConfigError(path, given, error.mend) for error in found.errors]) from None
    return value


def as_given(value: SettingValue) -> Scalar | list[Scalar]:
    """A value in types that TOML has; `parse_value` reads it back equal."""
    if value is None:
        return ""
    if isinstance(value, tuple):
        return [_folder_text(one) if isinstance(one, NamedFolder) else one for one in value]
    return value


def _folder_text(folder: NamedFolder) -> str:
    """`path=repeats`; JSON where it says more."""
    said = folder.model_dump()
    if said.keys() == {"path", "repeats"} and not folder.path.startswith("{"):
        return f"{folder.path}={folder.repeats}"
    return json.dumps(said, ensure_ascii=False)


@cache
def _blank() -> TrainingConfig:
    return blank_config()


def _as_taken(path: str, given: object) -> Any:
    kind = setting_field(path).annotation
    if path in OF_FOLDERS and isinstance(given, list | tuple):
        return [_folder(entry) if isinstance(entry, str) else entry for entry in given]
    if not isinstance(given, str):
        return given
    text, members = given.strip(), get_args(kind)
    if get_origin(kind) is tuple:
        return _list(path, text)
    choices = [choice for member in (kind, *members) if get_origin(member) is Literal for choice in get_args(member)]
    if type(None) in members and text.lower() in NOTHING and text not in choices:
        return None
    if choices and all(isinstance(choice, int) for choice in choices) and text.isdecimal():
        return int(text)
    return given if kind is str else text


def _list(path: str, text: str) -> Any:
    if text.startswith("["):
        try:
            return json.loads(text)
        except (ValueError, RecursionError):
            return text
    if not text:
        return []
    if path in ONE_TEXT:
        return [text]
    entries = [entry.strip() for entry in text.split(",") if entry.strip()]
    return [_folder(entry) for entry in entries] if path in OF_FOLDERS else entries


def _folder(entry: str) -> Any:
    if entry.startswith("{"):
        try:
            return json.loads(entry)
        except (ValueError, RecursionError):
            return entry
    folder, _, repeats = entry.rpartition("=")
    return {"path": folder, "repeats": repeats}
