"""The report: one self-contained HTML page of a run, from what lies in its folder."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any
from urllib.parse import quote

from advisor.files import is_file, open_regular, read_file
from advisor.plan import Source
from advisor.rules.sources import BY_TITLE
from advisor.run_folder.events import AnyEvent, Finished, LoraMoved, LoraSaved, RungTaken, WarningGiven
from advisor.run_folder.layout import RunFolder
from advisor.run_folder.paths import EVENTS_NAME, MODEL
from advisor.run_folder.plan_record import RecordedDecision
from advisor.run_folder.write_over import NewFile, kept_sentence, write_over
from advisor.run_folder.written import WrittenFiles
from advisor.units import gib, mib, shown
from templates.native.report_curve import loss_chart, loss_curve, loss_sentence
from templates.native.report_samples import ImageRow, Picture, sample_rows, thinned
from templates.render import render

REPORT_HEAD, REPORT_TITLE = b"<!doctype html>\n", b" - Loracle</title>"
"""What every report begins with, and what its title ends with."""
MOST_TITLE_BYTES = 4096

MOST_IMAGE_BYTES = 64 * 1024**2
"""A sample is a few MB."""


@dataclass(frozen=True)
class Score:
    """A measured figure before and after training."""

    name: str
    before: float
    after: float
    meaning: str
    """One sentence: what 0 and 1 would mean."""


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


def lora_links(run: RunFolder, events: Sequence[AnyEvent]) -> list[LoraLink]:
    """The LoRAs that a run saved, oldest first."""
    saved = {event.path: event for event in events if isinstance(event, LoraSaved)}
    moved = {event.after: event.before for event in events if isinstance(event, LoraMoved)}
    links = list[LoraLink]()
    for name in lora_names(events):
        path = f"{MODEL}/{name}"
        event = saved.get(moved.get(path, path))
        size = _size_within(run.model, name)
        when = [f"epoch {event.epoch}", f"step {event.step:,}"] if event is not None and path not in moved else []
        detail = ", ".join([*when, "no longer there" if size is None else mib(size)])
        links.append(LoraLink(name, "" if size is None else quote(path), detail))
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


def write_report(
    run: RunFolder,
    *,
    scores: Sequence[Score] = (),
    rows: Sequence[ImageRow] | None = None,
    note: str = "",
    overwrite: bool = False,
    tell: Callable[[str], object] = lambda _: None,
) -> Path:
    """Write `report.html` into the run folder; returns its path.

    Args:
        rows: the images to show; None: the run's samples.
        note: a sentence for the head of the page.
        overwrite: replace a page that the user changed or made, after keeping it beside.
        tell: is told where such a page is kept.

    Raises:
        UsersFiles: the page that is there is the user's.
        RunError: the run has no plan.json or a damaged one, or the page cannot be written.
    """
    run.refuse_links_out()
    plan, log = run.read_plan().fields, run.read_events()
    curve, shown_rows = loss_curve(log.events), thinned(sample_rows(run, log.events) if rows is None else rows)
    given = (event.message for event in log.events if isinstance(event, WarningGiven))  # again at each start
    page = render(
        "native/files/report.html.j2",
        name=plan.config.saving.name,
        trigger=plan.config.run.trigger,
        note=note,
        scores=scores,
        rows=[(row.title, [_shown_picture(run, one) for one in row.pictures]) for row in shown_rows],
        chart=loss_chart(curve),
        loss_sentence=loss_sentence(curve),
        ladder=ladder_rows(log.events),
        finished=next((event for event in reversed(log.events) if isinstance(event, Finished)), None),
        damaged_lines=log.damaged_lines,
        events_file=EVENTS_NAME,
        warnings=list(dict.fromkeys((*given, *(warning.message for warning in plan.warnings)))),
        loras=lora_links(run, log.events),
        decisions=[_row(decision) for decision in plan.decisions],
        sources=sources_of(plan.decisions),
    )
    written, new = WrittenFiles(run.path), NewFile(run.report, page.encode("utf-8"), "report")
    # Without a digest an older report cannot be told from an edited one; it is replaced, and kept too.
    for kept in write_over([new], written, overwrite=overwrite or _is_older_report(run.report, written)):
        tell(kept_sentence(kept))
    return run.report


def _is_older_report(path: Path, written: WrittenFiles) -> bool:
    """Whether it is a report of a version that noted no digests, as far as its head tells."""
    try:
        if path.is_symlink() or written.is_as_written(path, "report") is not None:
            return False
        with open_regular(path) as file:
            head = file.read(len(REPORT_HEAD) + MOST_TITLE_BYTES)
    except OSError:
        return False
    return head.startswith(REPORT_HEAD) and REPORT_TITLE in head


def _row(decision: RecordedDecision) -> DecisionRow:
    was_changed = decision.origin == "ladder"
    return DecisionRow(
        decision.path, _shown(decision.value), _shown(decision.planned) if was_changed else None, decision.reason,
        decision.source.title,
    )  # fmt: skip


def sources_of(decisions: Iterable[RecordedDecision]) -> list[Source]:
    """The known sources that are named, each once; a plan from elsewhere cannot bring an address of its own."""
    titles = dict.fromkeys(decision.source.title for decision in decisions)
    return [BY_TITLE[title] for title in titles if title in BY_TITLE]


def _shown(value: Any) -> str:
    """A value of plan.json as the plan shows it: `off`, `none`, `1e-4`."""
    return shown(tuple(value) if isinstance(value, list) else value)


def _shown_picture(run: RunFolder, picture: Picture) -> tuple[str, str, str]:
    """(caption, the image as a URL of its own, where its file is)."""
    return picture.caption, _embedded(picture.path), quote(run.within(picture.path))


def _embedded(path: Path) -> str:
    mend = "move it away, and write the report again"
    content = read_file(path, kind="sample", most_bytes=MOST_IMAGE_BYTES, mend=mend)
    return "data:image/png;base64," + b64encode(content).decode("ascii")
