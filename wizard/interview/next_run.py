"""After a training that did not come out well: the plan of the next run, with what is changed in it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from advisor.choosing.cells import SettingValue
from advisor.errors import Mistakes
from advisor.planning.planner import make_plan
from advisor.settings.config import TrainingConfig, setting
from advisor.units import shown
from templates.native.run_folder import next_free_run, write_run
from wizard.interview.plan_facts import edits_source, facts_of_plan
from wizard.interview.questions import Ask, choice
from wizard.interview.request import PlanRequest
from wizard.own_command import own_command


def wants_next_run(ask: Ask, config: TrainingConfig, changes: Mapping[str, SettingValue], place: Path) -> bool:
    """Ask whether to plan the next run.

    Args:
        config: of the run that is over.
        changes: settings by path.
        place: the run folder that it would be written to.
    """
    question = choice(
        "next_run", f"Plan the next run with {changes_text(config, changes)}?",
        ("yes", f"Yes, as {place.name}"), ("no", "No"), default="yes", back=False,
    )  # fmt: skip
    return ask(question) == "yes"


def changes_text(config: TrainingConfig, changes: Mapping[str, SettingValue]) -> str:
    """`schedule.epochs 20 (was 10)`, one after the other."""
    return ", ".join(f"{path} {shown(value)} (was {shown(setting(config, path))})" for path, value in changes.items())


def next_run_place(run: Path) -> Path:
    """The folder beside a run that its next one is planned in: `NAME-2`, or a later number where that is taken."""
    return next_free_run(run.name, run.parent)


def write_next_run(run: Path, place: Path, changes: Mapping[str, SettingValue]) -> None:
    """Write the plan of a run anew with some settings changed; its LoRA is called as its folder.

    Raises:
        LoraError: it cannot be planned or written.
    """
    planned_with(run, place, _settings(changes)).write()


@dataclass(frozen=True)
class PlannedRun:
    """A plan that is made and not written."""

    config: TrainingConfig
    write: Callable[[], object]
    """Writes its run folder."""


def planned_with(run: Path, place: Path, settings: tuple[str, ...]) -> PlannedRun:
    """The plan of a run anew with some settings given as `--set` has them, for a folder of its own.

    Raises:
        LoraError: it cannot be planned.
    """
    request = PlanRequest(name=place.name, settings=settings)
    facts, _ = facts_of_plan(request, run, place, Mistakes())
    plan = make_plan(facts)
    write = partial(write_run, place, facts, plan, overwrite=False, edits_from=edits_source(run, place))
    return PlannedRun(plan.config, write)


def plan_command(run: Path, place: Path, changes: Mapping[str, SettingValue]) -> str:
    """The command that plans the next run."""
    settings = [word for setting in _settings(changes) for word in ("--set", setting)]
    return own_command("plan", run, "--name", Path(place.name), *settings, "--out", place)


def _settings(changes: Mapping[str, SettingValue]) -> tuple[str, ...]:
    return tuple(f"{path}={_typed(value)}" for path, value in changes.items())


def _typed(value: SettingValue) -> str:
    """As it is typed behind `--set PATH=`."""
    return str(value).lower() if isinstance(value, bool) else str(value)
