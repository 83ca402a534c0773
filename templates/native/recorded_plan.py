"""The configuration as a recorded plan was written: without a digest, an edited loracle.toml is told by it."""

from __future__ import annotations

from advisor.errors import LoraError
from advisor.plan import Decision, Estimate, Plan, Source
from advisor.run_folder.layout import RunFolder
from advisor.run_folder.plan_record import PlanRecord, RecordedDecision
from advisor.run_folder.write_over import NewFile
from advisor.settings.config import TrainingConfig, parse_config, setting
from advisor.settings.earlier import ADDED_SETTINGS, completed
from templates.native.loracle_toml import ORIGINS, render_config

SCHEMA_LINE = b"#:schema "
"""Names the place of the installation that wrote the file, which may be another today."""


def config_of_run(run: RunFolder, text: str, record: PlanRecord | None) -> NewFile:
    """A run's loracle.toml, to be written.

    Args:
        record: the plan that the run has until then.
    """

    def was_written(content: bytes) -> bool:
        return record is not None and _without_schema(content) == _without_schema(config_text(record).encode("utf-8"))

    return NewFile(run.config, text.encode("utf-8"), "run", was_written)


def config_text(record: PlanRecord) -> str:
    """loracle.toml as it was written with this plan; empty where the plan is of a version that had other settings."""
    try:
        tree = record.document["config"]
        config = parse_config(completed(tree))
        found = (decision_of(one, config) for one in record.fields.decisions)
        decisions = tuple(decision for decision in found if decision is not None)
        without = [path for path in ADDED_SETTINGS if path.partition(".")[2] not in tree[path.partition(".")[0]]]
        return render_config(Plan(config, decisions, (), Estimate(0, {}, 0, None, 0, 0)), without=without)
    except (LoraError, KeyError, TypeError, ValueError):
        return ""


def decision_of(recorded: RecordedDecision, config: TrainingConfig) -> Decision | None:
    """A recorded decision; None where the configuration has another value, or its path or origin is unknown."""
    origin = next((known for known in ORIGINS if known == recorded.origin), None)
    try:
        value = setting(config, recorded.path)
    except AttributeError:
        return None
    plain = list(value) if isinstance(value, tuple) else value
    if origin is None or (isinstance(plain, bool | int | float | str) and plain != recorded.value):
        return None
    source = Source(recorded.source.title, recorded.source.url, recorded.source.says)
    return Decision(recorded.path, value, recorded.reason, origin, source)


def _without_schema(content: bytes) -> bytes:
    line, end, rest = content.partition(b"\n")
    return rest if line.startswith(SCHEMA_LINE) and end else content
