"""A plan changed after it was measured: loracle.toml gets the new values, plan.json keeps both."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from advisor.files import write_atomically
from advisor.memory_ladder.adjustment import parts_of, settings_of
from advisor.memory_ladder.rungs import BATCH_PARTS
from advisor.plan import Decision, Estimate, Plan, Source
from advisor.run_folder.config_file import read_config
from advisor.run_folder.ladder_file import Ladder, Taken, read_ladder, write_ladder
from advisor.run_folder.plan_record import record_with_rung
from advisor.settings.config import TrainingConfig, changed, setting
from templates.native.loracle_toml import ORIGINS, render_config
from templates.native.schema import schema_uri
from wizard.processes.retry_on_oom import PLAN_NAME, read_plan


def adjust(config_path: Path, steps: tuple[Taken, ...]) -> None:
    """Write the changes into a plan; how a batch is split, which is no setting, goes to the ladder's own file.

    Raises:
        LoraError: a file cannot be read or written.
    """
    run, config = config_path.parent, read_config(config_path)
    for path, value in settings_of(steps).items():
        config = changed(config, path, value)
    record = read_plan(run)
    for step in steps:
        record = None if record is None else record_with_rung(record, step, why="measured on this machine")
    ladder = read_ladder(run)
    split = tuple(step for step in steps if BATCH_PARTS in step.after)
    if split:
        parts = parts_of(steps, ladder.batch_parts)
        write_ladder(run, Ladder(batch_parts=parts, settings=ladder.settings, taken=(*ladder.taken, *split)))
    if record is not None:
        text = json.dumps(record | {"config": config.model_dump(mode="json")}, indent=2, ensure_ascii=False)
        write_atomically(run / PLAN_NAME, text + "\n")
    write_atomically(config_path, render_config(_plan(config, record, steps), schema=schema_uri()))


def _plan(config: TrainingConfig, record: Mapping[str, Any] | None, steps: tuple[Taken, ...]) -> Plan:
    """The plan as it is written, with the reasons that the record has for its values."""
    told = [] if record is None else record.get("decisions") or []
    decisions = [found for entry in told if (found := _decision(entry, config)) is not None]
    known = {decision.path for decision in decisions}
    for step in steps:
        for path, value in step.after.items():
            if path != BATCH_PARTS and path not in known:
                decisions.append(Decision(path, value, step.message, "ladder", Source(step.cause, "")))
    return Plan(config, tuple(decisions), (), Estimate(0, {}, 0, None, 0, 0))


def _decision(entry: Any, config: TrainingConfig) -> Decision | None:
    """A decision of the record; None where its value is not the configuration's any more, or it is damaged."""
    if not isinstance(entry, Mapping):
        return None
    path, origin, source = str(entry.get("path")), entry.get("origin"), entry.get("source")
    try:
        value = setting(config, path)
    except AttributeError:
        return None
    plain = list(value) if isinstance(value, tuple) else value
    if origin not in ORIGINS or (isinstance(plain, bool | int | float | str) and plain != entry.get("value")):
        return None
    title, url = (source.get("title", ""), source.get("url", "")) if isinstance(source, Mapping) else ("", "")
    return Decision(path, value, str(entry.get("reason")), origin, Source(str(title), str(url)))
