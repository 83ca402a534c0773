"""Changes a plan after it was measured: loracle.toml gets the new values, plan.json keeps old and new."""

from __future__ import annotations

from advisor.files import write_atomically
from advisor.memory_ladder.adjustment import parts_of, settings_of
from advisor.memory_ladder.rungs import BATCH_PARTS
from advisor.plan import Decision, Estimate, Plan, Source
from advisor.run_folder.ladder_file import Ladder, Taken
from advisor.run_folder.layout import RunFolder
from advisor.run_folder.plan_record import PlanRecord, RecordedDecision
from advisor.settings.config import TrainingConfig, changed, setting
from templates.native.loracle_toml import ORIGINS, render_config
from templates.native.schema import schema_uri


def adjust(run: RunFolder, steps: tuple[Taken, ...]) -> None:
    """Write rungs into a plan; how a batch is split, which is no setting, goes to state/ladder.json.

    Raises:
        LoraError: a file cannot be read or written.
    """
    config = run.read_config()
    for path, value in settings_of(steps).items():
        config = changed(config, path, value)
    record = run.known_plan()
    for step in steps:
        record = None if record is None else record.with_rung(step, why="measured on this machine")
    ladder = run.read_ladder()
    split = tuple(step for step in steps if BATCH_PARTS in step.after)
    if split:
        parts = parts_of(steps, ladder.batch_parts)
        run.write_ladder(Ladder(batch_parts=parts, settings=ladder.settings, taken=(*ladder.taken, *split)))
    if record is not None:
        run.write_plan(record.with_config(config))
    write_atomically(run.config, render_config(_plan(config, record, steps), schema=schema_uri()))


def _plan(config: TrainingConfig, record: PlanRecord | None, steps: tuple[Taken, ...]) -> Plan:
    """The plan to render, with the recorded reasons of its values."""
    recorded = () if record is None else record.fields.decisions
    decisions = [found for one in recorded if (found := _decision(one, config)) is not None]
    known = {decision.path for decision in decisions}
    for step in steps:
        for path, value in step.after.items():
            if path != BATCH_PARTS and path not in known:
                decisions.append(Decision(path, value, step.message, "ladder", Source(step.cause, "")))
    return Plan(config, tuple(decisions), (), Estimate(0, {}, 0, None, 0, 0))


def _decision(recorded: RecordedDecision, config: TrainingConfig) -> Decision | None:
    """A recorded decision; None where the configuration has another value, or its path or origin is unknown."""
    origin = next((known for known in ORIGINS if known == recorded.origin), None)
    try:
        value = setting(config, recorded.path)
    except AttributeError:
        return None
    plain = list(value) if isinstance(value, tuple) else value
    if origin is None or (isinstance(plain, bool | int | float | str) and plain != recorded.value):
        return None
    return Decision(recorded.path, value, recorded.reason, origin, Source(recorded.source.title, recorded.source.url))
