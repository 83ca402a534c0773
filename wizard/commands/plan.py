"""`loracle plan`: the plan without questions.

Start-up is measured: rich, jinja2 and questionary, which few of its uses need, are imported where they are used.
"""

from __future__ import annotations

import os
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from advisor.adapters.start_file import read_start
from advisor.checkpoints.identify import identify
from advisor.dataset.scan import scan
from advisor.errors import LoraError, Mistakes, RunError
from advisor.facts import START_FROM
from advisor.machine.probe import probe_hardware
from advisor.planning.compare import (
    beside_rules,
    beside_rules_document,
    difference,
    difference_document,
    profiles,
    profiles_document,
    with_settings,
)
from advisor.planning.document import plan_document
from advisor.planning.planner import make_plan
from advisor.settings.parse_value import parse_settings
from wizard.interview.facts import facts_of_request, named_folders_of, split_settings, start_path, with_start
from wizard.interview.planned_run import choices_of, imported_advice, machine_of, request_of, with_choices
from wizard.interview.preset_questions import may_replace, preset_text, saved_text
from wizard.interview.request import PlanRequest
from wizard.output import is_terminal, print_json, say, show
from wizard.own_command import own_command
from wizard.processes.run_store import RunStore

if TYPE_CHECKING:
    from advisor.facts import Facts
    from advisor.machine.hardware import Hardware
    from advisor.plan import Plan


def plan(
    request: PlanRequest,
    *,
    run: Path | None = None,
    out: Path | None = None,
    save_preset: Path | None = None,
    compare: bool = False,
    overwrite: bool = False,
    full: bool = False,
    as_json: bool = False,
) -> None:
    """Print the plan; write the run folder `out` and the preset file `save_preset` where they are given.

    Args:
        run: a planned run, whose settings complete the request.
        compare: print the plans of both advices side by side instead.
        overwrite: replace files that the user changed or made, after keeping each beside it.
        full: print every setting with its reason.

    Raises:
        LoraError: the request is invalid; the message names everything that is wrong with it.
    """
    replaces, mistakes = overwrite, Mistakes()
    if compare:
        mistakes.attempt(lambda: _refuse_with_compare(out, save_preset))
    elif save_preset is not None and not overwrite:
        may_ask = is_terminal() and not as_json
        replaces = bool(mistakes.attempt(lambda: _may_write(save_preset, may_ask=may_ask)))
    facts, before = _facts(request, run, out or Path.cwd(), mistakes)
    if compare:
        _print_compared(facts, frozenset() if run is None else imported_advice(run), as_json=as_json)
        return
    if facts.preset is not None:
        say(preset_text(facts.preset))
    made = make_plan(facts)
    if out is not None:
        _write_run(out, facts, made, overwrite=overwrite)
    if save_preset is not None:
        _write_preset(save_preset, made, overwrite=replaces)
    _print(facts, made, before, full=full, as_json=as_json)


def _facts(request: PlanRequest, run: Path | None, place: Path, mistakes: Mistakes) -> tuple[Facts, Facts | None]:
    """The facts with all chosen settings, and those without the request's; None where the request has none.

    Raises:
        LoraError: something is wrong with the request; these mistakes are told with it.
    """
    choices, asked = dict[str, Any](), request
    if run is not None:
        choices = mistakes.attempt(lambda: choices_of(run, images=request.images)) or {}
        asked = mistakes.attempt(lambda: request_of(run, request)) or request

    def probe() -> Hardware:
        found = probe_hardware(place)
        if run is None or request.machine.names_card:
            return found
        machine, told = machine_of(run, found)
        if told:
            say(told)
        return machine

    chosen = {**choices, **parse_settings(split_settings(request.settings)[0])}
    if isinstance(start := chosen.get(START_FROM), str) and start:
        mistakes.attempt(lambda: read_start(start_path(start, run)))
    look = partial(scan, only=named_folders_of(chosen))
    facts = facts_of_request(asked, scan=look, identify=identify, probe=probe, mistakes=mistakes)
    full = with_start(with_choices(facts, choices), run)
    return full, with_start(with_settings(full, choices), run) if request.settings else None


def _refuse_with_compare(out: Path | None, save_preset: Path | None) -> None:
    given = [name for name, value in (("--out", out), ("--save-preset", save_preset)) if value is not None]
    if given:
        verb = "writes one" if len(given) == 1 else "write one"
        raise LoraError(
            f"--compare shows two plans, and {' and '.join(given)} {verb}: choose with --advice, without --compare"
        )


def _print_compared(facts: Facts, imported: frozenset[str], *, as_json: bool) -> None:
    """Of a run that was imported the file beside the rules, else both advices."""
    if imported:
        _print_beside_rules(facts, imported, as_json=as_json)
    else:
        _print_profiles(facts, as_json=as_json)


def _print_profiles(facts: Facts, *, as_json: bool) -> None:
    found = profiles(facts)
    if as_json:
        print_json(profiles_document(facts, found))
        return
    from wizard.show.difference_view import profiles_view

    show(profiles_view(found))


def _print_beside_rules(facts: Facts, imported: frozenset[str], *, as_json: bool) -> None:
    found = beside_rules(facts, imported)
    if as_json:
        print_json(beside_rules_document(facts, found))
        return
    from wizard.show.difference_view import beside_rules_view

    show(beside_rules_view(found))


def _write_run(out: Path, facts: Facts, made: Plan, *, overwrite: bool) -> None:
    from advisor.run_folder.write_over import kept_sentence
    from templates.native.run_folder import write_run

    for kept in write_run(out, facts, made, overwrite=overwrite):
        say(kept_sentence(kept))
    RunStore().remember(out)
    say(f"Written to {out}; train it with: {own_command('train', out)}")


def _write_preset(file: Path, made: Plan, *, overwrite: bool) -> None:
    from advisor.run_folder.write_over import kept_sentence
    from templates.native.preset import own_rows, write_preset

    for kept in write_preset(file, made, overwrite=overwrite):
        say(kept_sentence(kept))
    say(saved_text(file, tuple(row.path for row in own_rows(made))))


def _print(facts: Facts, made: Plan, before: Facts | None, *, full: bool, as_json: bool) -> None:
    found = None if before is None else difference(facts, make_plan(before), made)
    if as_json:
        changes = {} if found is None else {"changes": difference_document(found)}
        print_json(plan_document(facts, made) | changes)
        return
    from wizard.show.difference_view import what_if_view
    from wizard.show.plan_view import plan_view

    changed = None if found is None else what_if_view(found)
    show(plan_view(facts, made, everything=full, changes=changed, hint="--full has every one and why"))


def _may_write(preset: Path, *, may_ask: bool) -> bool:
    """Whether the user agreed to replace a preset that exists.

    Raises:
        RunError: it exists, and the user did not agree or may not be asked.
    """
    if not os.path.lexists(preset):
        return False
    if may_ask:
        from wizard.interview.ask import TerminalAsk

        if may_replace(preset, TerminalAsk(), no="No, write nothing"):
            return True
        raise RunError("Nothing was written.")
    raise RunError(f"the preset {preset} exists already: name another file, or add --overwrite")
