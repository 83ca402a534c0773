"""`loracle.toml`: every setting of a plan, each with its reason."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass
from typing import Any

from advisor.plan import Decision, Origin, Plan, Source
from advisor.settings.config import NamedFolder, Settings, TrainingConfig, setting_paths
from templates.render import Value, render

TEMPLATE = "native/files/loracle.toml.j2"

HEAD = "A LoRA training, settled in every detail by Loracle. This file is all that training reads."
NOTES = (
    "To train: `loracle train FOLDER`, with the folder that this file is in.",
    "Any value may be changed here; what cannot be is told before anything starts.",
    "`images` and `path` of the model are absolute; other paths are relative to this file's folder.",
)

ORIGINS: dict[Origin, str] = {
    "rule": "rule",
    "answer": "you chose it",
    "default": "default",
    "preset": "preset",
    "import": "imported",
    "ladder": "changed to fit the memory",
}
"""What stands behind a reason: where the value comes from."""


@dataclass(frozen=True)
class Pair:
    """A name and a value within an inline table."""

    name: str
    value: Value


@dataclass(frozen=True)
class Row:
    """One setting as it is written."""

    name: str
    reason: str
    value: Value | None
    """None: the setting is left out."""
    inline: tuple[tuple[Pair, ...], ...] | None = None
    """Inline tables, where the value is a list of tables."""


@dataclass(frozen=True)
class Table:
    """A group of settings."""

    name: str
    title: str
    rows: tuple[Row, ...]


def render_config(
    plan: Plan, *, schema: str = "", without: Collection[str] = (), notes: tuple[str, ...] = NOTES
) -> str:
    """The text of `loracle.toml`; `advisor.run_folder.config_file.read_config` reads the configuration back from it.

    Args:
        plan: what is written.
        schema: the JSON Schema's address, for editors; empty: none is named.
        without: paths of settings that are left out, as versions wrote the file that did not have them.
        notes: what the head says of the file.

    Raises:
        LoraError: a value cannot be written, e.g. a path that is no text.
    """
    tables, sources = tuple(_tables(plan, without)), _sources(plan)
    return render(TEMPLATE, schema=schema, head=HEAD, notes=notes, tables=tables, sources=sources)


def _tables(plan: Plan, without: Collection[str]) -> Iterator[Table]:
    for group, field in TrainingConfig.model_fields.items():
        settings: Settings = getattr(plan.config, group)
        rows = tuple(
            _row(name, getattr(settings, name), plan.by_path.get(f"{group}.{name}"))
            for name in type(settings).model_fields
            if f"{group}.{name}" not in without
        )
        title = (type(settings).__doc__ or field.description or group).strip().splitlines()[0]
        yield Table(group, title, rows)


def _row(name: str, found: Any, decision: Decision | None) -> Row:
    reason = _reason(decision)
    if isinstance(found, tuple) and found and isinstance(found[0], NamedFolder):
        return Row(name, reason, None, tuple(_pairs(folder) for folder in found))
    return Row(name, reason, found)


def _pairs(folder: NamedFolder) -> tuple[Pair, ...]:
    return tuple(Pair(name, value) for name, value in folder.model_dump().items())


def _reason(decision: Decision | None) -> str:
    if decision is None:
        return "set by hand"
    origin = ORIGINS[decision.origin]
    return f"{decision.reason} [{origin}{'' if decision.origin == 'answer' else ': ' + decision.source.title}]"


def _sources(plan: Plan) -> tuple[str, ...]:
    """Every source once, in the order of the settings."""
    decisions = (plan.by_path[path] for path in setting_paths() if path in plan.by_path)
    lines = (_source_line(decision.source) for decision in decisions)
    return tuple(dict.fromkeys(lines))


def _source_line(source: Source) -> str:
    says = f" ({source.says})" if source.says else ""
    return f"{source.title}: {source.url}{says}" if source.url else f"{source.title}{says}"
