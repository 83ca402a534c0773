"""Two plans side by side: the settings that differ with their reasons, and both estimates."""

from __future__ import annotations

from collections.abc import Iterable

from rich.console import Group
from rich.table import Table
from rich.text import Text

from advisor.plan import Decision, Estimate
from advisor.planning.compare import Changed, Difference
from advisor.units import duration, gib, mib, shown
from wizard.show.estimate_text import memory_text
from wizard.show.findings import size_text

LABEL_WIDTH, FIGURE_WIDTH = 16, 26
"""Columns of the table of estimates."""

TITLE_OF_PROFILES = "The tutorial's plan beside the one that most would make today"
TITLE_OF_IMPORTED = "The imported file's plan beside the one that the rules would make"
SAME_IMPORTED = "The rules would settle all of it as the file does."
SAME_PROFILES = "Both advise the same here."


def profiles_view(found: Difference) -> Group:
    """The plans of both advices: for each setting that differs both values, reasons and sources."""
    return _beside(found, TITLE_OF_PROFILES, SAME_PROFILES, ("tutorial", "current"))


def beside_rules_view(found: Difference) -> Group:
    """The same of an imported file and the rules."""
    return _beside(found, TITLE_OF_IMPORTED, SAME_IMPORTED, ("imported", "rules"))


def _beside(found: Difference, title: str, same: str, names: tuple[str, str]) -> Group:
    parts: list[object] = [Text(""), Text(title, style="bold")]
    parts += [_both_sides(one, names) for one in found.settings] or [Text(same)]
    return Group(*parts, Text(""), estimates_table(found, *names), Text(""))  # type: ignore[arg-type]


def what_if_view(found: Difference) -> Group:
    """What a choice changes: the chosen settings, those that follow from them, and the estimates before and after."""
    parts: list[object] = [Text(""), Text("What this changes", style="bold")]
    chosen, followed = [one for one in found.settings if one.is_chosen], _followed(found)
    parts += [_changes(chosen)] if chosen else []
    parts += [Text("and what follows from it", style="bold"), _changes(followed)] if followed else []
    if not found.settings:
        parts.append(Text("No setting: the plan was so already."))
    parts += [Text(""), estimates_table(found, "before", "after"), Text(verdict(found)), Text("")]
    return Group(*parts)  # type: ignore[arg-type]


def verdict(found: Difference) -> str:
    """Whether the plan after the change fits into memory, in a sentence."""
    now, fitted = found.after.estimate, found.fits(found.before)
    if found.fits(found.after):
        return f"It {'still ' if fitted else 'now '}fits: about {memory_text(now)} of {gib(found.free_bytes)} free."
    over = gib(now.peak_bytes - found.free_bytes)
    return (
        f"It {'no longer fits' if fitted else 'does not fit'}: about {over} more than the {gib(found.free_bytes)} free."
    )


def _followed(found: Difference) -> list[Changed]:
    return [one for one in found.settings if not one.is_chosen]


def _both_sides(one: Changed, names: tuple[str, str]) -> Group:
    table = Table(box=None, pad_edge=False, padding=(0, 1), show_header=False)
    table.add_column("whose", width=10)
    table.add_column("value", width=12, overflow="fold", style="bold")
    table.add_column("why", ratio=1, overflow="fold")
    for whose, decision in zip(names, (one.before, one.after), strict=True):
        table.add_row(f"  {whose}", shown(decision.value), _reason(decision))
    return Group(Text(one.path, style="cyan"), table)


def _reason(decision: Decision) -> str:
    return f"{decision.reason} [{decision.source.title}]"


def _changes(settings: Iterable[Changed]) -> Table:
    table = Table(box=None, pad_edge=False, padding=(0, 1), show_header=False)
    table.add_column("setting", ratio=3, overflow="fold", style="cyan")
    table.add_column("values", ratio=2, overflow="fold", style="bold")
    table.add_column("why", ratio=4, overflow="fold")
    for one in settings:
        table.add_row(one.path, f"{shown(one.before.value)} -> {shown(one.after.value)}", one.after.reason)
    return table


def estimates_table(found: Difference, first: str, second: str) -> Table:
    """Memory, time, steps and file sizes of both plans."""
    table = Table(box=None, pad_edge=False, padding=(0, 1), show_header=True, header_style="bold")
    table.add_column("", width=LABEL_WIDTH)
    for name in (first, second):
        table.add_column(name, width=FIGURE_WIDTH, overflow="fold")
    before, after = _figures(found.before.estimate), _figures(found.after.estimate)
    fits = ["yes" if found.fits(plan) else "no" for plan in (found.before, found.after)]
    for name, old in before.items():
        table.add_row(name, old, after[name])
    table.add_row("fits", *fits)
    return table


def _figures(estimate: Estimate) -> dict[str, str]:
    return {
        "memory": memory_text(estimate),
        "time": "unknown" if estimate.seconds is None else f"about {duration(estimate.seconds)}",
        "steps": f"{estimate.steps:,}",
        "each LoRA": mib(estimate.lora_bytes),
        "all of the run": size_text(estimate.disk_bytes),
    }
