"""How runs stand: a list of several, and one in some lines."""

from __future__ import annotations

import os
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from advisor.choosing.cells import Choice
from advisor.run_folder.layout import RunFolder
from advisor.run_folder.run_state import RunActivity, RunState
from advisor.shown_text import visible_line
from advisor.units import MINUTE, counted, duration
from wizard.own_command import own_command
from wizard.show.grid_view import choice_document
from wizard.show.import_view import hanging
from wizard.show.plan_view import LABEL_WIDTH, label_table
from wizard.show.progress import TrainingProgress
from wizard.show.screen import figures, phase_title

ACTIVITIES: dict[RunActivity, str] = {
    "planned": "planned, not begun",
    "training": "training",
    "finished": "finished",
    "interrupted": "interrupted, its work is saved",
    "failed": "stopped by an error",
    "died": "dead: its trainer ended without a word, as by a kill or a power cut",
    "elsewhere": "another machine works on it, or did when it was last heard of",
    "unknown": "trained; no events tell how that ended",
}
"""The first word stands in the list."""

WARNINGS_SHOWN = 5
"""Of a run's warnings the last ones."""


@dataclass(frozen=True)
class RunStatus:
    """How a run stands."""

    run: RunFolder
    name: str
    """The LoRA's."""
    state: RunState
    progress: TrainingProgress
    updated: float
    """Unix seconds of the last event, else of the last change to the configuration."""
    can_resume: bool = False
    """There is a state to go on from."""
    choice: Choice | None = None
    """The epoch that its pictures say to use; None: none were measured."""


@dataclass(frozen=True)
class UnreadableRun:
    """A run that cannot be read."""

    run: RunFolder
    message: str


def runs_view(found: Iterable[RunStatus | UnreadableRun], *, here: Path, now: float) -> Table:
    """A row for each run: what it does, where it is, how far it is, and when it was last heard of.

    Args:
        here: the current folder; runs in it are named from there.
        now: unix seconds.
    """
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), show_header=False)
    table.add_column("state", style="bold")
    table.add_column("run", ratio=2, overflow="fold", style="cyan")
    table.add_column("how far", ratio=3, overflow="fold")
    for one in found:
        place = Text(visible_line(short_path(one.run.path, here)))
        if isinstance(one, UnreadableRun):
            table.add_row("unreadable", place, Text(one.message))
        else:
            parts = (*_how_far(one), ago(now - one.updated))
            table.add_row(ACTIVITIES[one.state.activity].split()[0].rstrip(",:;"), place, Text(", ".join(parts)))
    return table


def short_path(path: Path, here: Path) -> str:
    """A path to type: from the current folder where it lies in that, else absolute."""
    return os.path.relpath(path, here) if path.is_relative_to(here) else str(path)


def ago(seconds: float) -> str:
    """E.g. `3 hours ago`; `just now` within a minute."""
    return "just now" if seconds < MINUTE else f"{duration(seconds)} ago"


def status_view(one: RunStatus, *, now: float) -> Group:
    """One run: what it does, how far it is, what it saved and warned of, and what to do next.

    Args:
        now: unix seconds.
    """
    parts: list[RenderableType] = [Text(one.name, style="bold"), label_table(_rows(one, now), LABEL_WIDTH)]
    parts += [hanging("!", text, style="yellow") for text in one.progress.warnings[-WARNINGS_SHOWN:]]
    return Group(*parts)


def _rows(one: RunStatus, now: float) -> Iterator[tuple[str, str]]:
    state, progress = one.state, one.progress
    yield "state", ACTIVITIES[state.activity]
    if state.message:
        yield "why", state.message
    if state.holder is not None:
        yield "by", str(state.holder)
    yield "run", visible_line(str(one.run.path))
    if far := (*_how_far(one), *figures(progress)[:2] * (state.activity == "training")):
        yield "progress", ", ".join(far)
    if state.activity == "training" and progress.phase not in ("", "train"):
        yield "now", phase_title(progress)
    if state.activity == "training" and progress.seconds_left:
        yield "end", f"about {duration(progress.seconds_left)} left"
    yield "heard of", f"{ago(now - one.updated)} ({time.strftime('%Y-%m-%d %H:%M', time.localtime(one.updated))})"
    if progress.loras:
        yield "LoRAs", f"{len(progress.loras)} saved, the last {visible_line(progress.loras[-1])}"
    if one.choice is not None:
        yield "to use", visible_line(one.choice.reason)
    if command := _next_command(one):
        yield "next", command


def _how_far(one: RunStatus) -> tuple[str, ...]:
    """Epoch and step of their numbers, as far as they are known."""
    progress = one.progress
    if one.state.activity == "finished":
        done = progress.finished
        epochs, steps = (done.epochs, done.steps) if done else (progress.epoch, progress.step)
        return counted(epochs, "epoch"), counted(steps, "step")
    if not progress.step:
        return ()
    of_epochs = f" of {progress.epochs}" if progress.epochs else ""
    of_steps = f" of {progress.steps:,}" if progress.steps else ""
    epoch = (f"epoch {progress.epoch}{of_epochs}",) if progress.epoch else ()
    return *epoch, f"step {progress.step:,}{of_steps}"


def _next_command(one: RunStatus) -> str:
    """What goes on with it, or looks at it; empty where there is nothing to do."""
    path = one.run.path
    match one.state.activity:
        case "planned":
            return own_command("train", path)
        case "interrupted" | "failed" | "died" | "unknown":
            return f"{own_command('train', path)}{' --resume' if one.can_resume else ''}"
        case "finished":
            return own_command("report", path)
        case _:
            return ""


def status_document(one: RunStatus | UnreadableRun) -> dict[str, object]:
    """A run in `runs --json`, and the document of `status --json`."""
    if isinstance(one, UnreadableRun):
        return {"path": str(one.run.path), "state": "unreadable", "message": one.message}
    state, progress, holder = one.state, one.progress, one.state.holder
    works = state.activity == "training"
    return {
        "path": str(one.run.path),
        "name": one.name,
        "state": state.activity,
        "message": state.message,
        "holder": None if holder is None else vars(holder),
        "phase": progress.phase if works else None,
        "step": progress.step,
        "steps": progress.steps,
        "epoch": progress.epoch,
        "epochs": progress.epochs,
        "loss": progress.loss,
        "seconds_per_step": progress.seconds_per_step,
        "seconds_left": progress.seconds_left if works else None,
        "loras": list(progress.loras),
        "warnings": list(progress.warnings),
        "can_resume": one.can_resume,
        "choice": choice_document(one.choice),
        "updated": one.updated,
    }
