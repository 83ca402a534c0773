"""What a user typed for a setting, as the value that the configuration takes."""

from __future__ import annotations

import json
from typing import Any, Literal, get_args, get_origin

from advisor.settings.config import setting_field

ONE_TEXT = frozenset({"sampling.prompts"})
"""Lists whose single entries hold commas themselves: a text is one entry."""

NOTHING = frozenset({"", "none", "null"})
"""What stands for a setting left out, where it may be."""


def setting_value(path: str, given: Any) -> Any:
    """`given` as the setting at `path` takes it; the configuration still checks it.

    A text for a list is split at commas, or read as JSON if it begins with a bracket; `dataset.folders` also takes
    `folder=10,other=5`.

    Raises:
        UnknownSetting: there is no such setting.
    """
    kind = setting_field(path).annotation
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
    return [_folder(entry) for entry in entries] if path == "dataset.folders" else entries


def _folder(entry: str) -> dict[str, str]:
    folder, _, repeats = entry.rpartition("=")
    return {"path": folder, "repeats": repeats}
