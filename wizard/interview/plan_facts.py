"""The facts of a plan without questions: the request's, completed from a run that was planned before."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any

from advisor.adapters.start_file import read_start
from advisor.checkpoints.identify import identify
from advisor.dataset.edits import Edits
from advisor.dataset.report import DatasetReport
from advisor.dataset.scan import scan
from advisor.errors import Mistakes
from advisor.facts import START_FROM, Facts
from advisor.files import is_file
from advisor.machine.hardware import Hardware
from advisor.machine.probe import probe_hardware
from advisor.planning.compare import with_settings
from advisor.run_folder.layout import RunFolder
from advisor.run_folder.pictures.edits_told import told_of_edits
from advisor.run_folder.pictures.run_dataset import edits_in, with_edits
from advisor.settings.config import NamedFolder
from advisor.settings.parse_value import parse_settings
from advisor.units import counted
from wizard.interview.facts import facts_of_request, named_folders_of, split_settings, start_path, with_start
from wizard.interview.planned_run import choices_of, machine_of, request_of, unrecorded_settings, with_choices
from wizard.interview.request import PlanRequest
from wizard.output import say
from wizard.show.counting import counting


def facts_of_plan(
    request: PlanRequest, run: Path | None, out: Path | None, mistakes: Mistakes
) -> tuple[Facts, Facts | None]:
    """The facts with all chosen settings, and those without the request's; None where the request has none.

    The pictures are read through the edits that the new run will have: what they do is told.

    Args:
        run: a planned run, whose settings complete the request.
        out: where the new run will lie; None: nowhere.
        mistakes: what was found wrong before, told with the request's own.

    Raises:
        LoraError: something is wrong with the request.
    """
    choices, asked = dict[str, Any](), request
    if run is not None:
        choices = mistakes.attempt(lambda: choices_of(run, images=request.images)) or {}
        if choices and (unrecorded := unrecorded_settings(folder := RunFolder.given(run))):
            settings = counted(len(unrecorded), "setting")
            say(f"Of {settings} in {folder.config} its plan.json tells nothing: they count as chosen by you")
        asked = mistakes.attempt(lambda: request_of(run, request)) or request

    def probe() -> Hardware:
        found = probe_hardware(out or Path.cwd())
        if run is None or request.machine.names_card:
            return found
        machine, told = machine_of(run, found)
        if told:
            say(told)
        return machine

    chosen = {**choices, **parse_settings(split_settings(request.settings)[0])}
    if isinstance(start := chosen.get(START_FROM), str) and start:
        mistakes.attempt(lambda: read_start(start_path(start, run)))
    facts = facts_of_request(
        asked,
        scan=partial(_pictures, run, out, named_folders_of(chosen)),
        identify=identify,
        probe=probe,
        mistakes=mistakes,
    )
    full = with_start(with_choices(facts, choices), run)
    return full, with_start(with_settings(full, choices), run) if request.settings else None


def _pictures(run: Path | None, out: Path | None, only: Sequence[NamedFolder] | None, folder: Path) -> DatasetReport:
    """What a folder holds, read through the edits of the plan's run."""
    source, files = edits_source(run, out), scan(folder, only=only, tell=counting("pictures looked at"))
    data = with_edits(files, Edits() if source is None else edits_in(source))
    for told in told_of_edits(data):
        say(told)
    return data.report


def edits_source(run: Path | None, out: Path | None) -> RunFolder | None:
    """Whose edits of pictures a plan reads: those that lie where it is written, else those of the run that completes
    it, which are written along; None where neither has any.

    Raises:
        RunError: a link in one of them leads out of it.
    """
    given = None if run is None else RunFolder.given(run)
    folders = [] if out is None else [RunFolder(out)]
    folders += [] if given is None else [given]
    return next((folder for folder in folders if is_file(folder.edits)), None)
