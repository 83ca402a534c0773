"""The ledger of an import: each key of a file goes in, and none comes out without a line."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, get_args

from pydantic.fields import FieldInfo

from advisor.errors import ConfigErrors
from advisor.settings.config import changed, parse_config, setting, setting_field
from advisor.units import shown
from templates.importing.imported import Line, Verdict
from templates.importing.readers import Reader, says_nothing

MOST_SHOWN = 80
"""Characters of a value that a line repeats."""
MOST_ITEMS = 8
"""Of a list that a line repeats."""
MOST_DEPTH = 24
SECRET_WORDS = frozenset({"password", "secret", "secrets", "apikey"})
"""Words of keys whose values are not repeated; `..._token` and `..._api_key` are such keys too."""

_BLANK = {"model": {"path": "", "family": ""}, "dataset": {"images": ""}, "saving": {"name": "lora"}}


@dataclass(frozen=True)
class Key:
    """What one key of a file means for one setting."""

    path: str
    read: Reader
    note: str = ""
    """What changes on the way; empty: it is kept as it is."""


class Ledger:
    """Takes a flat file's keys one by one; each gets a line with its verdict, some settle a setting."""

    def __init__(self, tree: Mapping[str, Any], *, texts_are_usual: bool = False) -> None:
        """Start with a flat file, all of its keys pending.

        Args:
            texts_are_usual: all values are texts, as in a LoRA's metadata, so a number written as text needs no note.
        """
        self._tree = dict(tree)
        self._pending = dict(tree)
        self._texts_are_usual = texts_are_usual
        self._lines: list[Line] = []
        self.settings: dict[str, Any] = {}

    def has(self, key: str) -> bool:
        """Whether the key is there and says something."""
        return not says_nothing(self._tree.get(key))

    def raw(self, key: str) -> Any:
        """The value as it stands; None where there is none."""
        return self._tree.get(key)

    def is_pending(self, key: str) -> bool:
        """Whether the key has no line yet."""
        return key in self._pending

    def all_keys(self, prefix: str = "") -> tuple[str, ...]:
        """The keys that begin so, in the file's order."""
        return tuple(key for key in self._tree if key.startswith(prefix))

    def read(self, key: str, reader: Reader, otherwise: Any = None) -> Any:
        """The value, or `otherwise` where there is none; one that cannot be read gets its line here."""
        raw = self._tree.get(key)
        if says_nothing(raw):
            return otherwise
        try:
            return reader(raw)
        except ValueError as error:
            self.contradict(key, f"is {error}, so it is left out")
            return otherwise

    def effective_key(self, key: str) -> str:
        """The key that is in effect: `--key` of the additional parameters where there is one, else the key itself."""
        name = f"--{key}"
        if name not in self._tree:
            return key
        if key in self._pending:
            self.idle(key, f"{name} in the additional parameters counts")
        return name

    def settle(self, key: str, path: str, value: Any, note: str = "") -> None:
        """Set a setting from a key: kept, or translated with a note; contradictory where the value does not fit."""
        fitting = fitted(path, value)
        if fitting is None:
            self.contradict(key, f"{shown(value)} is no value for {path}, so it is left out")
            return
        if isinstance(value, int | float) and fitting != value:
            note = f"{shown(value)} is beyond what we take; {shown(fitting)} is the nearest"
            self._put(key, path, fitting, "contradictory", note)
            return
        if not note and not self._texts_are_usual and isinstance(fitting, int | float) and self._is_text(key):
            note = "written as text"
        self._put(key, path, fitting, "translated" if note else "kept", note)

    def take(self, key: str, meaning: Key) -> None:
        """Read a key and settle its setting."""
        value = self.read(key, meaning.read)
        if value is not None:
            self.settle(key, meaning.path, value, meaning.note)
        elif says_nothing(self._tree.get(key)):
            self.idle(key)

    def correct(self, key: str, path: str, value: Any, note: str) -> None:
        """The key says what that trainer itself would refuse; this is taken instead."""
        self._put(key, path, value, "contradictory", note)

    def settle_alike(self, keys: Sequence[str], path: str, reader: Reader, absent: Any) -> None:
        """What each of several folders says of a setting that we have one of: it is kept where all say the same.

        Where they differ, the setting is as it is where nobody says anything, and each that says otherwise is told.

        Args:
            keys: one for each folder, be it there or not; one that stands for several folders comes several times.
            absent: what a folder without the key has.
        """
        values = {key: fitted(path, self.read(key, reader, absent)) for key in dict.fromkeys(keys)}
        said = [key for key in values if self.has(key) and key in self._pending]
        if len({str(value) for value in values.values()}) == 1:
            for key in said[:1]:
                self.settle(key, path, self.read(key, reader))
            for key in said[1:]:
                self.idle(key, "the same for all folders")
            return
        self.imply(path, absent)
        for key in said:
            count = sum(str(values[other]) == str(values[key]) for other in keys)
            if values[key] == fitted(path, absent):
                self.idle(key, "as it is for all folders with us")
            else:
                note = (
                    f"{count} of {len(keys)} folders have it so; ours is one for all pictures, and is {shown(absent)}"
                )
                self.contradict(key, note)

    def imply(self, path: str, value: Any) -> None:
        """A setting that follows from several keys, each of which has its line."""
        fitting = fitted(path, value)
        if fitting is not None:
            self.settings[path] = fitting

    def drop(self, key: str, meaning: str) -> None:
        """Give the key the verdict dropped: it says something that we have no setting for."""
        self._add(key, "dropped", meaning)

    def idle(self, key: str, note: str = "") -> None:
        """Give the key the verdict idle: it changes nothing."""
        if key in self._tree:
            self._add(key, "idle", note)

    def contradict(self, key: str, note: str) -> None:
        """Give the key the verdict contradictory: it makes no sense, or clashes with another key."""
        self._add(key, "contradictory", note)

    def translate(self, key: str, note: str) -> None:
        """Give the key the verdict translated: settings that other keys settle depend on it."""
        self._add(key, "translated", note)

    def finish(
        self,
        unmapped: Mapping[str, str],
        harmless_values: Mapping[str, tuple[object, ...]],
        harmless_meanings: frozenset[str] = frozenset(),
    ) -> tuple[Line, ...]:
        """All lines; keys still pending get theirs: idle, dropped, or unknown.

        Args:
            unmapped: keys that have no setting of ours, and what that means.
            harmless_values: their values that change nothing; an empty one, a 0 and a no never do.
            harmless_meanings: meanings of keys that change nothing of what is learned, whatever stands there.
        """
        for key, raw in list(self._pending.items()):
            name = key if key in unmapped else key.removeprefix("--").rpartition(".")[2]
            if says_nothing(raw) or raw in ([], {}) or raw is False or _is_among(raw, harmless_values.get(name, (0,))):
                self.idle(key)
            elif name in unmapped:
                say = self.idle if unmapped[name] in harmless_meanings else self.drop
                say(key, unmapped[name])
            else:
                self._add(key, "unknown", "")
        return tuple(self._lines)

    def _put(self, key: str, path: str, value: Any, verdict: Verdict, note: str) -> None:
        if path in self.settings and not _is_same(self.settings[path], value):
            self._overrule(path, key)
        self.settings[path] = value
        self._pending.pop(key, None)
        self._lines.append(Line(key, self._shown(key), verdict, path, value, note))

    def _is_text(self, key: str) -> bool:
        raw = self._tree.get(key)
        return isinstance(raw, str) and "," not in raw and not key.startswith("--")

    def _overrule(self, path: str, key: str) -> None:
        for place, line in enumerate(self._lines):
            if line.path == path and line.verdict in ("kept", "translated"):
                note = f"{key} says otherwise, and counts"
                self._lines[place] = replace(line, verdict="contradictory", path="", value=None, note=note)

    def _add(self, key: str, verdict: Verdict, note: str) -> None:
        self._pending.pop(key, None)
        self._lines.append(Line(key, self._shown(key), verdict, "", None, note))

    def _shown(self, key: str) -> str:
        raw = self._tree.get(key)
        return "(not shown)" if isinstance(raw, str) and raw and _is_secret(key) else shortened(raw)


def _is_secret(key: str) -> bool:
    """Whether a key holds what opens an account; tokens of captions are none."""
    words = re.split(r"[^a-z0-9]+", key.lower())
    return bool(SECRET_WORDS & set(words)) or words[-1] == "token" or words[-2:] == ["api", "key"]


def fitted(path: str, value: Any) -> Any:
    """`value` as the setting takes it, a number beyond its limits cut to them; None where it cannot be."""
    if (found := _validated(path, value)) is not None:
        return found
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    least, most = _limits(setting_field(path))
    if least is not None and value < least:
        return _validated(path, least)
    return _validated(path, most) if most is not None and value > most else None


def flat(tree: Any, beginning: str = "", depth: int = 0) -> Iterator[tuple[str, Any]]:
    """Dotted keys and leaves of a nested file; lists of tables by number, lists of plain values as they are."""
    if isinstance(tree, Mapping) and tree and depth < MOST_DEPTH:
        for key, value in tree.items():
            yield from flat(value, f"{beginning}.{key}" if beginning else str(key), depth + 1)
    elif isinstance(tree, list) and any(isinstance(item, Mapping) for item in tree) and depth < MOST_DEPTH:
        for place, item in enumerate(tree):
            yield from flat(item, f"{beginning}[{place}]", depth + 1)
    else:
        yield beginning, tree


def shortened(raw: Any) -> str:
    """A value in a line's width."""
    if isinstance(raw, str):
        found = raw[: MOST_SHOWN * 2]
    elif isinstance(raw, dict):
        found = f"table of {len(raw)}" if raw else "{}"
    elif isinstance(raw, list):
        is_short = len(raw) <= MOST_ITEMS and all(isinstance(item, str | int | float) for item in raw)
        found = f"[{', '.join(map(shortened, raw))}]" if is_short else f"list of {len(raw)}"
    elif isinstance(raw, int) and not isinstance(raw, bool) and abs(raw) >= 2**63:
        return "a very large number"
    else:
        found = str(raw)[: MOST_SHOWN * 2]
    found = " ".join(found.encode("utf-8", "replace").decode("utf-8").split())
    return found if len(found) <= MOST_SHOWN else found[: MOST_SHOWN - 1] + "\u2026"


def _validated(path: str, value: Any) -> Any:
    try:
        return setting(changed(parse_config(_BLANK), path, value), path)
    except (ConfigErrors, RecursionError):
        return None


def _limits(field: FieldInfo) -> tuple[Any, Any]:
    marks = [*field.metadata]
    for part in get_args(field.annotation):
        marks += getattr(part, "__metadata__", ())
    least = next((mark.ge for mark in marks if getattr(mark, "ge", None) is not None), None)
    most = next((mark.le for mark in marks if getattr(mark, "le", None) is not None), None)
    nested = [mark for mark in marks if isinstance(mark, FieldInfo)]
    for inner in nested:
        inner_least, inner_most = _limits(inner)
        least, most = least if least is not None else inner_least, most if most is not None else inner_most
    return least, most


def _is_among(raw: Any, values: tuple[object, ...]) -> bool:
    return any(raw == value and isinstance(raw, bool) == isinstance(value, bool) for value in values)


def _is_same(one: Any, other: Any) -> bool:
    return bool(one == other) or (isinstance(other, list) and tuple(other) == one)
