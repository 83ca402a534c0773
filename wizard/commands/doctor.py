"""`loracle doctor`: checks of this machine, and how to mend what is wrong. Exits with 0 whatever it finds."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

from rich.table import Table
from rich.text import Text

from advisor.environment.doctor import DoctorFacts, Verdict, verdicts
from advisor.planning.document import plain_value
from advisor.units import counted
from wizard.output import print_json, say, show
from wizard.processes.gather_facts import doctor_facts

MARKS = {"ok": "ok", "warn": "mind", "bad": "BAD"}
"""Words, so that a terminal without colour shows them too."""
COLOURS = {"ok": "green", "warn": "yellow", "bad": "bold red"}


def doctor(*, as_json: bool = False) -> None:
    """Check the machine and print a verdict on each thing."""
    say("Looking at this machine; asking torch takes some seconds ...")
    facts = doctor_facts(Path.cwd())
    found = verdicts(facts)
    if as_json:
        print_json(doctor_document(facts, found))
    else:
        show(verdict_table(found))
        show(summary(found))


def doctor_document(facts: DoctorFacts, found: Sequence[Verdict]) -> dict[str, object]:
    """The document of `doctor --json`: the verdicts, and the facts behind them."""
    return {"verdicts": [asdict(verdict) for verdict in found], "facts": plain_value(asdict(facts))}


def verdict_table(found: Sequence[Verdict]) -> Table:
    """A row for each check: its name, the verdict, what was found; the mend below."""
    table = Table(box=None, pad_edge=False, padding=(0, 1), show_header=False)
    table.add_column("what", width=18)
    table.add_column("verdict", width=4)
    table.add_column("found", ratio=1, overflow="fold")
    for verdict in found:
        mark = Text(MARKS[verdict.status], style=COLOURS[verdict.status])
        table.add_row(verdict.name, mark, Text(verdict.found))
        if verdict.mend:
            table.add_row("", "", Text(f"-> {verdict.mend}"))
    return table


def summary(found: Sequence[Verdict]) -> str:
    """How many things are bad or to mind, in a sentence."""
    bad = sum(verdict.status == "bad" for verdict in found)
    warned = sum(verdict.status == "warn" for verdict in found)
    if bad:
        return f"\n{counted(bad, 'thing')} must be mended before training."
    return f"\nReady to train; {counted(warned, 'thing')} to mind." if warned else "\nReady to train."
