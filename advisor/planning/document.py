"""`plan --json` and plan.json: the facts in short and the plan in full, as plain values."""

from __future__ import annotations

import math
from dataclasses import asdict
from typing import Any

from advisor.dataset.captions import CaptionReader
from advisor.dataset.report import DatasetReport
from advisor.facts import Facts
from advisor.families.about import licence_of
from advisor.plan import Plan
from advisor.rules.schedule import epoch_counts
from advisor.settings.config import TrainingConfig

MOST_PROBLEMS = 100
"""So many unusable files are named; the rest is counted."""


def plan_document(facts: Facts, plan: Plan) -> dict[str, object]:
    """The document that docs/interface.md describes; only dicts, lists, texts, finite numbers, booleans and None."""
    tree = plan.config.model_dump(mode="json")
    return {
        "hardware": _hardware(facts),
        "dataset": _dataset(facts, plan.config),
        "model": _model(facts, plan.config),
        "preset": plan.config.memory.preset,
        "config": tree,
        "decisions": [
            {
                "path": decision.path,
                "value": _value_at(tree, decision.path),
                "reason": decision.reason,
                "origin": decision.origin,
                "source": asdict(decision.source),
            }
            for decision in plan.decisions
        ],
        "warnings": [{"code": warning.code, "message": warning.message} for warning in plan.warnings],
        "estimate": plain_value(asdict(plan.estimate)),
    }


def plain_value(value: Any) -> Any:
    """`value` in types that JSON has: tuples as lists, numbers that are none as None."""
    if isinstance(value, dict):
        return {str(key): plain_value(entry) for key, entry in value.items()}
    if isinstance(value, (list, tuple)):
        return [plain_value(entry) for entry in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


def _hardware(facts: Facts) -> Any:
    hardware = plain_value(asdict(facts.hardware))
    hardware["gpu"] = plain_value(asdict(facts.gpu)) if facts.gpu else None
    return hardware


def _model(facts: Facts, config: TrainingConfig) -> Any:
    """What was found, but the prediction type and lineage as the plan has them; and the licence that LoRAs inherit."""
    licence = licence_of(facts.model.family)
    told = {} if licence is None else {"licence": {"name": licence.name, "source": licence.source}}
    return plain_value(asdict(facts.model)) | {
        "prediction": config.model.prediction,
        "lineage": config.model.lineage,
        **told,
    }


def _dataset(facts: Facts, config: TrainingConfig) -> Any:
    dataset: DatasetReport = facts.dataset
    lines = CaptionReader(config.dataset.caption_lines)
    counts = epoch_counts(facts, config)
    left_out = [{"path": one.image.path, "reason": one.reason} for one in dataset.excluded]
    return {
        "root": dataset.root,
        "num_images": dataset.num_images,
        "images": [image.path for image in dataset.image_files],
        "num_captioned": dataset.num_captioned,
        "num_with_trigger": dataset.num_with_trigger(config.run.trigger, lines),
        "captions_are_tags": dataset.captions_are_tags,
        "caption_extension": dataset.caption_extension,
        "extensions": dict(dataset.extensions),
        "folders": plain_value([asdict(folder) for folder in dataset.folders]),
        "buckets": [
            {"width_px": width, "height_px": height, "exposures": number}
            for (width, height), number in sorted(counts.items())
        ],
        "num_problems": len(dataset.problems),
        "problems": plain_value([asdict(problem) for problem in dataset.problems[:MOST_PROBLEMS]]),
    } | ({"excluded": left_out} if left_out else {})


def _value_at(tree: dict[str, Any], path: str) -> Any:
    group, _, name = path.partition(".")
    return tree[group][name]
