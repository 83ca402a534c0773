"""An import as tables: what became of every key, the warnings, and what the advisor would change."""

from __future__ import annotations

from collections.abc import Iterator

from rich.console import Group
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from advisor.shown_text import visible
from advisor.units import first_of, shown
from templates.importing.import_plan import ImportPlan, described
from templates.importing.imported import Line
from wizard.own_command import as_typed

HEADINGS = {
    "kept": "Kept as it is", "translated": "Kept in our words", "dropped": "Nothing like it here",
    "unknown": "Unknown", "contradictory": "Makes no sense, or clashes",
}  # fmt: skip

MOST_LINES = 300
"""Of one kind; more are counted."""


def import_view(made: ImportPlan) -> Group:
    """Keys by verdict, the warnings, and what the advisor would change."""
    found = made.imported
    parts: list[object] = [Text(f"{found.title}: {found.source}", style="bold")]
    for verdict, heading in HEADINGS.items():
        lines = [line for line in found.lines if line.verdict == verdict]
        if lines:
            parts += [Text(""), Text(f"{heading} ({len(lines)})", style="cyan"), _table(lines)]
    idle = sum(line.verdict == "idle" for line in found.lines)
    parts.append(Text(f"\n{idle} keys stand at what changes nothing." if idle else ""))
    if warnings := list(_warnings(made)):
        parts += [Text(""), *(hanging("!", text, style="yellow") for text in warnings)]
    if made.advice:
        parts += [Text("\nFor this machine, base model and pictures the advisor would change:", style="cyan")]
        parts += [hanging("-", described(item)) for item in made.advice]
    return Group(*parts)  # type: ignore[arg-type]


def hanging(mark: str, text: str, *, style: str = "") -> Table:
    """A text behind a mark, with a hanging indent; its commands are those that this user types."""
    grid = Table.grid(padding=(0, 1))
    grid.add_column(width=2, justify="right")
    grid.add_column(ratio=1, overflow="fold")
    grid.add_row(Text(mark, style=style), Text(visible(as_typed(text)), style=style))
    return grid


def _warnings(made: ImportPlan) -> Iterator[str]:
    yield from made.imported.notes
    yield from (warning.message for warning in made.plan.warnings)
    config = made.plan.config
    for path, given, option in (
        ("base model", config.model.path, "--model"),
        ("pictures", config.dataset.images, "--images"),
    ):
        if not given:
            yield f"the file names no {path}: give {option}, or write it into loracle.toml"
        elif made.facts is None:
            yield f"{path}: {given} as the file says; see that it is right on the machine that trains"


def _table(lines: list[Line]) -> object:
    table = Table(box=None, pad_edge=False, padding=(0, 1), show_header=False, expand=True)
    table.add_column("key", ratio=22, overflow="fold")
    table.add_column("found", ratio=15, overflow="fold")
    table.add_column("becomes", ratio=38, overflow="fold")
    first = first_of(lines, MOST_LINES)
    for line in first:
        becomes = f"{line.path} = {shown(line.value)}" if line.path else ""
        table.add_row(Text(line.key), Text(line.found), Text("\n".join(filter(None, (becomes, line.note)))))
    if len(lines) > len(first):
        table.add_row(f"... and {len(lines) - len(first)} more", "", "")
    return Padding(table, (0, 0, 0, 2))
