"""The report: one self-contained HTML page of a run, from what lies in its folder."""

from __future__ import annotations

import json
from base64 import b64encode
from bisect import bisect_left
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from math import isfinite
from pathlib import Path
from typing import Any

from advisor.errors import RunError
from advisor.files import write_atomically
from advisor.run_folder.events import read_events
from advisor.units import gib, shown
from templates.render import render

REPORT_NAME = "report.html"
MOST_CHART_POINTS = 400
"""A curve on the page is thinned to this many points."""
SMOOTHING = 0.9
"""Of the running mean that the loss curve shows: a single step's loss depends mostly on its timesteps."""
MOST_PICTURES = 48


@dataclass(frozen=True)
class Score:
    """A measured figure before and after training."""

    name: str
    before: float
    after: float
    meaning: str
    """One sentence: what 0 and 1 would mean."""


@dataclass(frozen=True)
class PictureRow:
    """Pictures that belong side by side."""

    title: str
    paths: tuple[Path, ...]


@dataclass(frozen=True)
class Chart:
    """A curve, ready to be drawn in a box of 600 x 160."""

    points: str
    lowest: float
    highest: float
    last_step: int


@dataclass(frozen=True)
class LadderRow:
    """A rung that was taken when memory ran out."""

    step: int
    cause: str
    changes: tuple[str, ...]
    """Each setting as it was and as it became."""
    saved: str
    price: str


def ladder_rows(events: Iterable[Mapping[str, Any]]) -> tuple[LadderRow, ...]:
    """The rungs that a run took, in their order."""
    return tuple(_ladder_row(event) for event in events if event["event"] == "ladder")


def _ladder_row(event: Mapping[str, Any]) -> LadderRow:
    before, after = _mapping(event.get("from")), _mapping(event.get("to"))
    changes = tuple(f"{path}: {shown(before.get(path))} \u2192 {shown(value)}" for path, value in after.items())
    saved, step = event.get("saved_bytes"), event.get("step")
    return LadderRow(
        step=step if isinstance(step, int) else 0,
        cause=str(event.get("cause") or "Memory ran out."),
        changes=changes,
        saved=f"about {gib(saved)}" if isinstance(saved, int) and saved > 0 else "",
        price=str(event.get("price") or event.get("message") or ""),
    )


def _mapping(found: object) -> Mapping[str, Any]:
    return found if isinstance(found, Mapping) else {}


def loss_chart(events: Iterable[dict[str, Any]]) -> Chart | None:
    """The smoothed loss over the steps; None where nothing was trained."""
    steps: list[int] = []
    losses: list[float] = []
    running: float | None = None
    for event in events:
        loss, step = event.get("loss"), event.get("step")
        if event["event"] != "step" or not isinstance(loss, int | float) or not isfinite(loss):
            continue
        if not isinstance(step, int):
            continue
        running = loss if running is None else SMOOTHING * running + (1 - SMOOTHING) * loss
        if steps and step <= steps[-1]:
            keep = bisect_left(steps, step)
            del steps[keep:], losses[keep:]
        steps.append(step)
        losses.append(running)
    if len(steps) < 2:
        return None
    every = max(1, len(steps) // MOST_CHART_POINTS)
    lowest, highest = min(losses), max(losses)
    height = (highest - lowest) or 1.0
    points = " ".join(
        f"{600 * (step - steps[0]) / (steps[-1] - steps[0]):.1f},{155 - 150 * (loss - lowest) / height:.1f}"
        for step, loss in list(zip(steps, losses, strict=True))[::every]
    )
    return Chart(points, lowest, highest, steps[-1])


def sample_rows(run: Path) -> tuple[PictureRow, ...]:
    """The pictures under `samples/`, a row for each of its folders, the folder's own first."""
    samples = run / "samples"
    folders = [samples, *sorted(path for path in samples.glob("*") if path.is_dir())] if samples.is_dir() else []
    rows = []
    for folder in folders:
        paths = tuple(sorted(folder.glob("*.png")))[:MOST_PICTURES]
        if paths:
            rows.append(PictureRow("" if folder == samples else folder.name.replace("_", " "), paths))
    return tuple(rows)


def write_report(
    run: Path, *, scores: Sequence[Score] = (), rows: Sequence[PictureRow] | None = None, note: str = ""
) -> Path:
    """Write `report.html` into the run folder; returns its path.

    Args:
        rows: the pictures to show; None: those under `samples/`.
        note: a sentence for the head of the page.

    Raises:
        RunError: the run has no plan.json, or the page cannot be written.
    """
    try:
        plan = json.loads((run / "plan.json").read_text("utf-8"))
    except OSError as error:
        raise RunError(f"{run} has no plan.json to read ({error.strerror or error}): is it a run folder?") from None
    except ValueError as error:
        raise RunError(f"{run / 'plan.json'} is damaged ({error}): plan the run again") from None
    events = read_events(run)
    pictures = sample_rows(run) if rows is None else rows
    page = render(
        "native/files/report.html.j2",
        name=plan["config"]["saving"]["name"],
        trigger=plan["config"]["run"]["trigger"],
        note=note,
        scores=scores,
        rows=[(row.title, [(path.stem, _embedded(path)) for path in row.paths]) for row in pictures],
        chart=loss_chart(events),
        ladder=ladder_rows(events),
        finished=next((event for event in reversed(events) if event["event"] == "finished"), None),
        warnings=[event["message"] for event in events if event["event"] == "warning" and "message" in event],
        loras=list(dict.fromkeys(Path(str(event["path"])).name for event in events if event["event"] == "saved")),
        decisions=[_as_shown(decision) for decision in plan["decisions"]],
        plan_warnings=plan["warnings"],
        estimate=plan["estimate"],
    )
    path = run / REPORT_NAME
    write_atomically(path, page)
    return path


def _as_shown(decision: Mapping[str, Any]) -> dict[str, Any]:
    """A decision of plan.json, its values as the plan shows them: `off`, `none`, `1e-4`."""
    values = {key: decision[key] for key in ("value", "planned") if key in decision}
    return {**decision, **{key: shown(tuple(one) if isinstance(one, list) else one) for key, one in values.items()}}


def _embedded(path: Path) -> str:
    return "data:image/png;base64," + b64encode(path.read_bytes()).decode("ascii")
