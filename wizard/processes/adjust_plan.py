"""Changes a plan after it was measured: loracle.toml gets the new values, plan.json keeps old and new."""

from __future__ import annotations

from pathlib import Path

from advisor.memory_ladder.adjustment import parts_of, settings_of
from advisor.memory_ladder.rungs import BATCH_PARTS
from advisor.plan import Decision, Estimate, Plan, Source
from advisor.run_folder.keep import keep_beside
from advisor.run_folder.ladder_file import Ladder, Taken
from advisor.run_folder.layout import RunFolder
from advisor.run_folder.plan_record import PlanRecord
from advisor.run_folder.write_over import UsersFiles, put, users_files
from advisor.run_folder.written import WrittenFiles
from advisor.settings.config import TrainingConfig, changed
from templates.native.loracle_toml import render_config
from templates.native.recorded_plan import config_of_run, decision_of
from templates.native.schema import schema_uri


def adjust(run: RunFolder, steps: tuple[Taken, ...], *, overwrite: bool = False) -> tuple[Path, ...]:
    """Write rungs into a plan; how a batch is split, which is no setting, goes to state/ladder.json.

    Args:
        overwrite: replace a loracle.toml that the user changed, after keeping it beside.

    Returns:
        Where files that the user changed are kept.

    Raises:
        UsersFiles: loracle.toml was changed by the user; nothing was written.
        LoraError: a file cannot be read or written.
    """
    config = run.read_config()
    for path, value in settings_of(steps).items():
        config = changed(config, path, value)
    before = record = run.known_plan()
    for step in steps:
        record = None if record is None else record.with_rung(step, why="measured on this machine")
    text = render_config(_plan(config, record, steps), schema=schema_uri())
    files = [config_of_run(run, text, before)]
    written = WrittenFiles(run.path)
    if (found := users_files(files, written)) and not overwrite:
        raise UsersFiles(found)
    kept = tuple(keep_beside(path) for path in found)
    ladder = run.read_ladder()
    split = tuple(step for step in steps if BATCH_PARTS in step.after)
    if split:
        parts = parts_of(steps, ladder.batch_parts)
        run.write_ladder(Ladder(batch_parts=parts, settings=ladder.settings, taken=(*ladder.taken, *split)))
    if record is not None:
        run.write_plan(record.with_config(config))
    put(files, written)
    return kept


def _plan(config: TrainingConfig, record: PlanRecord | None, steps: tuple[Taken, ...]) -> Plan:
    """The plan to render, with the recorded reasons of its values."""
    recorded = () if record is None else record.fields.decisions
    decisions = [found for one in recorded if (found := decision_of(one, config)) is not None]
    known = {decision.path for decision in decisions}
    for step in steps:
        for path, value in step.after.items():
            if path != BATCH_PARTS and path not in known:
                decisions.append(Decision(path, value, step.message, "ladder", Source(step.cause, "")))
    return Plan(config, tuple(decisions), (), Estimate(0, {}, 0, None, 0, 0))
