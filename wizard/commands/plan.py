"""`loracle plan`: the plan without questions.

Start-up is measured: rich, jinja2 and questionary, which few of its uses need, are imported where they are used.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

from advisor.errors import LoraError, Mistakes, RunError
from advisor.planning.compare import (
    beside_rules,
    beside_rules_document,
    difference,
    difference_document,
    profiles,
    profiles_document,
)
from advisor.planning.document import plan_document
from advisor.planning.planner import make_plan
from advisor.run_folder.layout import RunFolder
from advisor.run_folder.write_over import Occupied
from advisor.same_place import is_same
from wizard.interview.plan_facts import edits_source, facts_of_plan
from wizard.interview.planned_run import imported_advice
from wizard.interview.preset_questions import may_replace, preset_text, saved_text
from wizard.interview.request import PlanRequest
from wizard.output import is_terminal, print_json, say, show
from wizard.own_command import own_command
from wizard.processes.run_store import RunStore

if TYPE_CHECKING:
    from advisor.facts import Facts
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
    facts, before = facts_of_plan(request, run, out, mistakes)
    if compare:
        _print_compared(facts, frozenset() if run is None else imported_advice(run), as_json=as_json)
        return
    if facts.preset is not None:
        say(preset_text(facts.preset))
    made = make_plan(facts)
    if out is not None:
        _write_run(out, facts, made, run, overwrite=overwrite)
    if save_preset is not None:
        _write_preset(save_preset, made, overwrite=replaces)
    _print(facts, made, before, full=full, as_json=as_json)


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


def _write_run(out: Path, facts: Facts, made: Plan, completes: Path | None, *, overwrite: bool) -> None:
    from advisor.run_folder.keep import kept_sentence
    from templates.native.run_folder import write_run
    from wizard.processes.before_training import broken_text

    edits_from, left = edits_source(completes, out), edits_source(completes, None)
    for kept in write_run(out, facts, made, overwrite=overwrite, edits_from=edits_from):
        say(kept_sentence(kept))
    if edits_from is not None:
        is_own = edits_from.path.absolute() == out.absolute()
        say(f"Your edits of pictures {'stay' if is_own else f'of {edits_from.path} are'} in {RunFolder(out).edits}")
        if left is not None and not is_same(left.path, edits_from.path):
            say(f"! Those of {left.path} are not taken, since {out} has edits of its own; they stay in {left.edits}")
    RunStore().remember(out)
    if told := broken_text(facts.dataset, out):
        say(f"! {told}")
    say(f"Written to {out}; train it with: {own_command('train', out)}")


def _write_preset(file: Path, made: Plan, *, overwrite: bool) -> None:
    from advisor.run_folder.keep import kept_sentence
    from templates.native.preset import own_rows, write_preset

    try:
        for kept in write_preset(file, made, overwrite=overwrite):
            say(kept_sentence(kept))
    except Occupied as error:
        raise RunError(f"{error.told}. No preset was written: name another file with --save-preset") from None
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
