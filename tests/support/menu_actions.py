"""Actions of the plan's menu that write nothing and remember what was done."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from advisor.facts import Facts
from advisor.plan import Plan
from advisor.planning.compare import Difference, difference, profiles
from advisor.planning.planner import make_plan
from templates.exporting.exporter import Export
from templates.native.preset import own_rows
from tests.support.scripted import make_probes
from wizard.interview.facts import facts_of_state
from wizard.interview.flow import InterviewState
from wizard.interview.machine_options import MachineOptions
from wizard.interview.menu import PlanActions
from wizard.interview.preset_store import PresetStore


@dataclass
class Done:
    """What was done by the menu's actions."""

    saved: list[tuple[Path, Plan]] = field(default_factory=list)
    trained: list[Path] = field(default_factory=list)
    exported: list[tuple[str, Path]] = field(default_factory=list)
    kept: list[InterviewState] = field(default_factory=list)
    forgotten: int = 0
    views: list[bool] = field(default_factory=list)
    presets: list[Path] = field(default_factory=list)
    overwritten: list[bool] = field(default_factory=list)
    """For each preset, whether the user agreed to replace one."""


class RecordingPresets(PresetStore):
    """Writes nothing, and remembers what it would have written."""

    def __init__(self, done: Done) -> None:
        self._done = done

    def file(self, name: str) -> Path:
        return Path("/presets") / f"{name}.toml"

    def save(self, file: Path, plan: Plan, *, overwrite: bool = False) -> tuple[str, ...]:
        self._done.presets.append(file)
        self._done.overwritten.append(overwrite)
        return tuple(row.path for row in own_rows(plan))


def summary(found: Difference) -> str:
    return "\n".join(f"{one.path} {one.before.value} -> {one.after.value}" for one in found.settings)


def make_actions(done: Done, **changes: Any) -> PlanActions:
    def view(facts: Facts, plan: Plan, everything: bool) -> object:
        done.views.append(everything)
        return plan

    def delete_answers() -> None:
        done.forgotten += 1

    def save(run: Path, facts: Facts, plan: Plan, overwrite: bool) -> tuple[Path, ...]:
        done.saved.append((run, plan))
        return ()

    def export(name: str, run: Path, overwrite: bool) -> Export:
        done.exported.append((name, run))
        return Export((run / "exports" / "kohya-gui.json",), ("No place for flip.",), "Open it there.")

    actions = PlanActions(
        facts=lambda state: facts_of_state(state, make_probes(), MachineOptions()),
        plan=make_plan,
        save=save,
        export=export,
        train=done.trained.append,
        free_run=lambda name: Path("/runs") / name,
        has_trained=lambda run: False,
        view=view,
        changes=lambda facts, before, after: summary(difference(facts, before, after)),
        profiles=lambda facts, plan: summary(profiles(facts, plan)),
        save_answers=done.kept.append,
        delete_answers=delete_answers,
        edit_captions=lambda state, ask: False,
        exporters={"kohya-gui": "kohya_ss GUI"},
        presets=RecordingPresets(done),
    )
    return replace(actions, **changes)
