"""What a run left: its LoRAs, the rungs of the memory ladder that it took, and the settings with their reasons."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

from advisor.files import is_file
from advisor.plan import Source
from advisor.rules.sources import BY_TITLE
from advisor.run_folder.events import AnyEvent, LoraMoved, LoraSaved, RungTaken
from advisor.run_folder.layout import RunFolder
from advisor.run_folder.paths import MODEL
from advisor.run_folder.plan_record import RecordedDecision
from advisor.units import gib, mib, shown
from templates.report.walls import href

MAIN_SETTINGS = (
    "dataset.resolution_px", "dataset.repeats", "network.kind", "network.rank", "network.alpha", "optimizer.name",
    "optimizer.unet_learning_rate", "optimizer.text_encoder_learning_rate", "schedule.epochs", "schedule.batch_size",
    "memory.compute_dtype",
)  # fmt: skip
"""Shown before all the others."""


@dataclass(frozen=True)
class LadderRow:
    """A rung that was taken when memory ran out."""

    step: int
    cause: str
    changes: tuple[str, ...]
    """Each setting as it was and as it became."""
    saved: str
    price: str


@dataclass(frozen=True)
class DecisionRow:
    """A setting with its reason, its values as text."""

    path: str
    value: str
    planned: str | None
    """The plan's value where the memory ladder put another in its place; None: it did not."""
    reason: str
    source: str
    """Title of where the reason is from."""


@dataclass(frozen=True)
class LoraLink:
    """A LoRA that the run saved."""

    name: str
    """Within the folder of the LoRAs."""
    href: str
    """Relative to the page; empty where the file is no longer there."""
    detail: str
    """When it was saved, and its size."""
    epoch: int
    """After which it was saved; 0: not known."""


def lora_links(run: RunFolder, events: Sequence[AnyEvent], page: Path) -> list[LoraLink]:
    """The LoRAs that a run saved, oldest first.

    Args:
        page: where the page is written that links them.
    """
    saved = {event.path: event for event in events if isinstance(event, LoraSaved)}
    moved = {event.after: event.before for event in events if isinstance(event, LoraMoved)}
    links = list[LoraLink]()
    for name in lora_names(events):
        path = f"{MODEL}/{name}"
        event = saved.get(moved.get(path, path))
        size = _size_within(run.model, name)
        when = [f"epoch {event.epoch}", f"step {event.step:,}"] if event is not None and path not in moved else []
        detail = ", ".join([*when, "no longer there" if size is None else mib(size)])
        link = "" if size is None else href(run.model / name, page)
        links.append(LoraLink(name, link, detail, 0 if event is None else event.epoch))
    return links


def _size_within(folder: Path, name: str) -> int | None:
    """Bytes of a file by its path in this folder; None where it is not there, or not in the folder."""
    if ".." in PurePosixPath(name).parts or PurePosixPath(name).is_absolute():
        return None
    try:
        path = folder / name
        return path.stat().st_size if is_file(path) else None
    except (OSError, ValueError):
        return None


def lora_names(events: Iterable[AnyEvent]) -> list[str]:
    """The files of the LoRAs that a run saved, oldest first, by the names they have now."""
    names = dict[str, str]()
    for event in events:
        if isinstance(event, LoraSaved):
            names[event.path] = _within_model(event.path)
        elif isinstance(event, LoraMoved) and names.pop(event.before, None) is not None:
            names[event.after] = _within_model(event.after)
    return list(names.values())


def _within_model(path: str) -> str:
    return path.removeprefix(f"{MODEL}/")


def ladder_rows(events: Iterable[AnyEvent]) -> tuple[LadderRow, ...]:
    """The rungs that a run took, in their order."""
    return tuple(_ladder_row(event) for event in events if isinstance(event, RungTaken))


def _ladder_row(event: RungTaken) -> LadderRow:
    return LadderRow(
        step=event.step,
        cause=event.cause or "Memory ran out.",
        changes=tuple(
            f"{path}: {shown(event.before.get(path))} \u2192 {shown(value)}" for path, value in event.after.items()
        ),
        saved=f"about {gib(event.saved_bytes)}" if event.saved_bytes > 0 else "",
        price=event.price or event.message,
    )


def decision_rows(decisions: Iterable[RecordedDecision]) -> list[DecisionRow]:
    """The settings with their reasons."""
    return [_row(decision) for decision in decisions]


def _row(decision: RecordedDecision) -> DecisionRow:
    planned = value_text(decision.planned) if decision.origin == "ladder" else None
    return DecisionRow(decision.path, value_text(decision.value), planned, decision.reason, decision.source.title)


def sources_of(decisions: Iterable[RecordedDecision]) -> list[Source]:
    """The known sources that are named, each once; a plan from elsewhere cannot bring an address of its own."""
    titles = dict.fromkeys(decision.source.title for decision in decisions)
    return [BY_TITLE[title] for title in titles if title in BY_TITLE]


def value_text(value: Any) -> str:
    """A value of plan.json as the plan shows it: `off`, `none`, `1e-4`."""
    return shown(tuple(value) if isinstance(value, list) else value)
