"""The actions of the plan's menu in `loracle new`: the real planner, run folders, views, trainer and exporters."""

from __future__ import annotations

from pathlib import Path

from advisor.facts import Facts
from advisor.plan import Plan
from advisor.planning.compare import difference, profiles
from advisor.planning.planner import make_plan
from advisor.run_folder.config_file import read_config
from advisor.run_folder.layout import RunFolder
from advisor.run_folder.lock import writing
from advisor.run_folder.pictures.run_files import run_files
from templates.exporters import EXPORTERS, export_run
from templates.exporting.exporter import Export, ExportOptions
from templates.native.run_folder import next_free_run, write_run
from wizard.commands.train import train
from wizard.draft_edits import DraftEdits
from wizard.interview.facts import facts_of_state
from wizard.interview.flow import InterviewState, Probes
from wizard.interview.machine_options import MachineOptions
from wizard.interview.menu import PlanActions
from wizard.interview.pictures.caption_talk import CaptionTalk
from wizard.interview.preset_store import PresetStore
from wizard.interview.questions import Ask
from wizard.output import say
from wizard.processes.run_store import RunStore
from wizard.show.difference_view import profiles_view, what_if_view
from wizard.show.plan_view import plan_view
from wizard.user_data import SavedAnswers, Session


def real_actions(
    options: MachineOptions, session: Session, probes: Probes, draft: DraftEdits | None = None
) -> PlanActions:
    """The menu's actions on this machine's files.

    Args:
        options: the command line's options about the machine.
        draft: what was decided of pictures, which is written along with a run; None: nothing.
    """
    return PlanActions(
        facts=lambda state: facts_of_state(state, probes, options),
        plan=make_plan,
        save=lambda run, facts, plan, overwrite: _save(run, facts, plan, overwrite, draft),
        export=_export,
        train=train,
        free_run=lambda name: next_free_run(name, Path.cwd()),
        has_trained=lambda run: RunFolder(run).has_trained(),
        view=lambda facts, plan, everything: plan_view(facts, plan, everything=everything),
        changes=lambda facts, before, after: what_if_view(difference(facts, before, after)),
        profiles=lambda facts, plan: profiles_view(profiles(facts, plan)),
        save_answers=lambda state: session.save(SavedAnswers(dict(state.answers), dict(state.settings))),
        delete_answers=session.delete,
        edit_captions=lambda state, ask: _edit_captions(probes, state, ask),
        exporters={exporter.name: exporter.title for exporter in EXPORTERS.values()},
        presets=PresetStore(),
    )


def _save(run: Path, facts: Facts, plan: Plan, overwrite: bool, draft: DraftEdits | None) -> tuple[Path, ...]:
    kept = write_run(run, facts, plan, overwrite=overwrite)
    RunStore().remember(run)
    if draft is not None:
        folder = RunFolder(run.absolute())
        draft.put_into(folder, lambda: run_files(folder))
    return kept


def _edit_captions(probes: Probes, state: InterviewState, ask: Ask) -> bool:
    return probes.pictures is not None and CaptionTalk(probes.pictures(state), ask).run()


def _export(name: str, run: Path, overwrite: bool) -> Export:
    options = ExportOptions(overwrite)
    with writing(RunFolder(run), "an export", say):
        return export_run(name, read_config(run), run=RunFolder(run.absolute()), options=options)
