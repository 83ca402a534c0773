"""The page of one run, rendered from what lies in its folder."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path, PureWindowsPath

from advisor.choosing.picks_told import picks_sentence
from advisor.families import KNOWN_FAMILIES
from advisor.families.about import licence_of
from advisor.run_folder.layout import RunFolder
from advisor.run_folder.paths import EVENTS_NAME, MODEL
from advisor.run_folder.pictures.manifest import read_manifest_lines
from advisor.units import counted, duration
from templates.render import render
from templates.report.curve import Chart, held_out_sentence, loss_chart, loss_sentence, rate_chart
from templates.report.data_set import data_set_view
from templates.report.gallery import gallery
from templates.report.put import page_parts, put_page
from templates.report.resources import resources
from templates.report.results import MAIN_SETTINGS, LoraLink, decision_rows, ladder_rows, lora_links, sources_of
from templates.report.scores import choice_view, score_view
from templates.report.told import Told
from templates.report.usage import UsageView, usage_view


@dataclass(frozen=True)
class Score:
    """A measured figure before and after training."""

    name: str
    before: float
    after: float
    meaning: str
    """One sentence: what 0 and 1 would mean."""


def write_report(
    run: RunFolder,
    *,
    scores: Sequence[Score] = (),
    note: str = "",
    hint: str = "",
    page: Path | None = None,
    overwrite: bool = False,
    tell: Callable[[str], object] = lambda _: None,
) -> Path:
    """Write the page of a run; returns its path.

    Args:
        note: a sentence for the head of the page.
        hint: how an epoch is chosen, for a run where none is.
        page: where to; None: `report.html` in the run folder.
        overwrite: replace a page that the user changed or made, after keeping it beside.
        tell: is told where such a page is kept.

    Raises:
        UsersFiles: the page that is there is the user's.
        RunError: the run has no plan.json or a damaged one, or the page cannot be written.
    """
    told, path = Told.of(run), page or run.report
    text = rendered(told, path, scores=scores, note=note, hint=hint)
    return put_page(path, text, run, overwrite=overwrite, tell=tell)


def rendered(told: Told, page: Path, *, scores: Sequence[Score] = (), note: str = "", hint: str = "") -> str:
    """The text of a run's page.

    Args:
        page: where it is written, from which files are linked.
    """
    choice = None if told.grid is None else told.grid.choice
    loras = lora_links(told.run, told.events, page)
    decisions = decision_rows(told.plan.decisions)
    return render(
        "report/files/report.html.j2",
        **page_parts(),
        name=told.name,
        trigger=told.trigger,
        note=note,
        hint=hint,
        facts=facts_of(told),
        failed=told.failed,
        scores=scores,
        choice=None if choice is None else choice_view(choice),
        picks="" if told.picks is None else picks_sentence(told.picks, choice),
        score_view=None if told.grid is None else score_view(told.grid.scores, choice),
        walls=gallery(told, page),
        charts=_charts(told),
        loss_sentences=[one for one in (loss_sentence(told.curve), held_out_sentence(told.curve)) if one],
        resources=resources(told.events, told.outline.expected, on_card=told.is_on_card),
        ladder=ladder_rows(told.events),
        warnings=told.warnings,
        damaged_lines=told.damaged_lines,
        events_file=EVENTS_NAME,
        data_set=data_set_view(told.outline.images, read_manifest_lines(told.run.manifest), told.trigger),
        usage=usage_of(told, loras),
        loras=loras,
        decisions=decisions,
        main_decisions=[row for row in decisions if row.path in MAIN_SETTINGS],
        sources=sources_of(told.plan.decisions),
    )


def _charts(told: Told) -> list[Chart]:
    return [chart for chart in (loss_chart(told.curve), rate_chart(told.curve)) if chart is not None]


def facts_of(told: Told) -> list[tuple[str, str]]:
    """What the head of the page tells of the run: (name, what)."""
    base, images, machine, end = told.outline.base, told.outline.images, told.outline.machine, told.finished
    facts = [("trigger", told.trigger)] if told.trigger else []
    if base is not None and base.path:
        family = KNOWN_FAMILIES.get(base.family or "")
        file = PureWindowsPath(base.path).name if "\\" in base.path else Path(base.path).name
        facts.append(("base model", f"{file} ({family.title})" if family else file))
        licence = licence_of(base.family)
        facts += [] if licence is None else [("licence", licence.told)]
    facts += [("pictures", f"{images.num_images:,}")] if images is not None else []
    if end is not None:
        epochs = f" in {counted(end.epochs, 'epoch')}" if end.epochs else ""
        facts.append(("trained", f"{counted(end.steps, 'step')}{epochs}"))
        facts += [("took", duration(end.seconds))] if end.seconds is not None else []
    if machine is not None:
        facts += [("planned for", machine.gpu.name if machine.gpu is not None else machine.cpu_name)]
    if told.events and told.events[-1].unix_seconds:
        facts.append(("last event", f"{datetime.fromtimestamp(told.events[-1].unix_seconds):%Y-%m-%d %H:%M}"))
    return [(name, what) for name, what in facts if what]


def usage_of(told: Told, loras: Sequence[LoraLink]) -> UsageView | None:
    """How to use the chosen epoch's LoRA; the last one's where none is chosen. None: there is no LoRA."""
    there = [lora for lora in loras if lora.href]
    if not there:
        return None
    choice = None if told.grid is None else told.grid.choice
    chosen = [lora for lora in there if choice is not None and choice.epoch and lora.epoch == choice.epoch]
    weight = choice.weight if choice is not None and chosen else None
    base = told.outline.base
    family = None if base is None else KNOWN_FAMILIES.get(base.family or "")
    return usage_view(f"{MODEL}/{(chosen or there)[-1].name}", told.trigger or told.name, weight, family)
