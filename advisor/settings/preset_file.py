"""Presets of one's own: a TOML file of settings that differ from the rules, each with its reason.

title = "Small cartoon models"
url = "https://example.org/why"

[settings]
"network.rank" = { value = 16, reason = "4 million weights: 16 holds a face and a costume" }
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from advisor.errors import ConfigError, ConfigErrors
from advisor.settings.config import setting_field
from advisor.settings.parse_value import SettingValue, WrongValue, parsed_or_wrong
from advisor.toml_file import read_toml, with_lines
from advisor.units import MIB

MOST_PRESET_BYTES = MIB
"""No honest preset is larger."""


@dataclass(frozen=True)
class PresetSetting:
    """One setting that a preset file makes."""

    path: str
    value: SettingValue | WrongValue
    """As the configuration takes it; the plan reports what it cannot take."""
    reason: str


@dataclass(frozen=True)
class PresetFile:
    """What a preset file says; it beats the rules, and the user's answers beat it."""

    title: str
    where: str
    """An address to read more at, or the file's own path."""
    settings: tuple[PresetSetting, ...] = ()
    left_out: tuple[PresetSetting, ...] = ()
    """What it says of settings that the user decided otherwise, or has not agreed to."""

    def without(self, paths: Collection[str]) -> PresetFile:
        """The preset with these settings left out."""
        kept = tuple(entry for entry in self.settings if entry.path not in paths)
        left = tuple(entry for entry in self.settings if entry.path in paths)
        return replace(self, settings=kept, left_out=(*self.left_out, *left))

    @property
    def by_path(self) -> dict[str, PresetSetting]:
        """The settings by path."""
        return {setting.path: setting for setting in self.settings}


def read_preset(path: Path) -> PresetFile:
    """The preset in a file.

    Raises:
        RunError: it cannot be read, or is no TOML.
        ConfigErrors: it names unknown settings, or gives no reason; all are in it, with the file and their lines.
    """
    tree = read_toml(path, kind="preset", most_bytes=MOST_PRESET_BYTES)
    try:
        return parse_preset(tree, where=str(path))
    except ConfigErrors as errors:
        raise with_lines(errors, path, most_bytes=MOST_PRESET_BYTES, below="settings") from None


def parse_preset(tree: dict[str, Any], *, where: str) -> PresetFile:
    """The preset in a tree of plain values.

    Raises:
        ConfigErrors: all that is wrong, each with its path.
    """
    errors = [
        ConfigError(key, tree[key], "a preset has title, url and settings, nothing else")
        for key in tree
        if key not in ("title", "url", "settings")
    ]
    title, url, table = tree.get("title"), tree.get("url", where), tree.get("settings")
    if not isinstance(title, str) or not title.strip():
        errors.append(ConfigError("title", title, "give the preset a title, as text"))
    if not isinstance(url, str):
        errors.append(ConfigError("url", url, "must be text"))
    if not isinstance(table, dict):
        errors.append(ConfigError("settings", table, "a preset has a table [settings]"))
        table = {}
    settings: list[PresetSetting] = []
    for path, entry in _flat("", table):
        try:
            settings.append(_setting(path, entry))
        except ConfigError as error:
            errors.append(error)
    if errors:
        raise ConfigErrors(errors)
    return PresetFile(str(title), str(url), tuple(settings))


def _flat(prefix: str, table: dict[str, Any]) -> Iterator[tuple[str, Any]]:
    """Dotted paths with what stands there; `network.rank` may be one quoted key or two nested tables."""
    for key, entry in table.items():
        path = f"{prefix}{key}"
        if isinstance(entry, dict) and "." not in path and "value" not in entry:
            yield from _flat(f"{path}.", entry)
        else:
            yield path, entry


def _setting(path: str, entry: Any) -> PresetSetting:
    setting_field(path)
    if not isinstance(entry, dict) or set(entry) != {"value", "reason"}:
        raise ConfigError(path, entry, 'write { value = ..., reason = "..." }')
    if not isinstance(entry["reason"], str) or not entry["reason"].strip():
        raise ConfigError(f"{path}.reason", entry["reason"], "say in a sentence why")
    return PresetSetting(path, parsed_or_wrong(path, entry["value"]), entry["reason"].strip())
