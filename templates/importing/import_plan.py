"""From an imported file to a plan: what the file says stands, and the advisor says what it would do otherwise."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath, PureWindowsPath
from typing import Any

from advisor.dataset.captions import lines_of
from advisor.errors import LoraError
from advisor.facts import Facts
from advisor.plan import Decision, Estimate, Plan, PlanWarning, Source
from advisor.planning.estimate import estimate
from advisor.planning.limits import broken_limits, start_limits
from advisor.planning.planner import make_plan
from advisor.planning.warnings import plan_warnings
from advisor.rules.sources import THE_USER
from advisor.settings.config import TrainingConfig, flat_settings, parse_config, setting, setting_field, setting_paths
from advisor.units import shown
from templates.importing.flow import for_flow
from templates.importing.imported import Imported, Line

UNKNOWN = Estimate(0, {}, 0, None, 0, 0, notes=("nothing can be said before the base model and the pictures are here",))
OURS = Source("Loracle's default", "")

NEVER_ADVISED = ("model.path", "model.vae_path", "model.text_encoder_path", "model.family",
                       "dataset.images", "dataset.folders", "dataset.only_folders", "dataset.regularization_",
                       "saving.name", "run.", "machine.", "sampling.", "memory.preset")  # fmt: skip
"""Settings that are what they are."""

FROM_THE_BASE_MODEL = ("model.family", "model.prediction")
"""The base model's own file knows these better than a configuration."""

OURS_ALONE: Mapping[str, Any] = {
    "dataset.upscale_tolerance": 0.0, "sampling.prompts": (), "sampling.negative": "", "sampling.every_epochs": 1,
}  # fmt: skip
"""What no other program does by itself: whatever our rules advise, an import is without."""


@dataclass(frozen=True)
class Disagreement:
    """A setting that the advisor would settle otherwise."""

    path: str
    imported: Any
    advised: Any
    reason: str


@dataclass(frozen=True)
class ImportPlan:
    """A plan made of another trainer's file."""

    imported: Imported
    plan: Plan
    advice: tuple[Disagreement, ...]
    """Empty where the base model or the images are not here to judge by."""
    facts: Facts | None


def plan_import(imported: Imported, facts: Facts | None, own: Mapping[str, Any]) -> ImportPlan:
    """The plan, with what it goes beyond and what the advisor would change.

    Args:
        imported: the file.
        facts: None where the base model or the images are not on this machine.
        own: settings that the user gave beside the file; they count before it.

    Raises:
        ConfigErrors: the user's own settings are wrong.
    """
    advised, problem = _advised(None if facts is None else replace(facts, start=None))
    if advised is None:
        facts = None
    defaults = {**OURS_ALONE, **imported.defaults, **_lines_as_they_are(imported, facts)}
    imported = for_flow(_corrected(replace(imported, defaults=defaults), facts))
    config = parse_config(_tree(imported, advised, own))
    decisions = tuple(_decision(config, path, imported, advised, own) for path in setting_paths())
    outlook = UNKNOWN
    warnings = [PlanWarning("limit_passed", str(error)) for _, error in broken_limits(config)]
    if problem:
        warnings.append(PlanWarning("no_advice", problem))
    if facts is not None:
        outlook = estimate(facts, config)
        warnings += [PlanWarning("limit_passed", str(error)) for _, error in start_limits(config, facts)]
        warnings += plan_warnings(facts, config, outlook)
    plan = Plan(config, decisions, tuple(warnings), outlook)
    advice = () if advised is None else tuple(_disagreements(imported, config, advised))
    return ImportPlan(imported, plan, advice, facts)


def _lines_as_they_are(imported: Imported, facts: Facts | None) -> dict[str, Any]:
    """Where no caption has several lines none is drawn, so that captions stay the same and can be encoded once."""
    draws = imported.effective.get("dataset.caption_lines") == "random"
    if facts is None or not draws or imported.effective.get("dataset.wildcards"):
        return {}
    several = any(len(lines_of(image.caption or "")) > 1 for image in facts.dataset.image_files)
    return {} if several else {"dataset.caption_lines": "joined"}


def _advised(facts: Facts | None) -> tuple[Plan | None, str]:
    """What the rules would settle, and why they settle nothing."""
    if facts is None:
        return None, ""
    try:
        return make_plan(facts), ""
    except LoraError as error:
        return None, str(error)


def _corrected(imported: Imported, facts: Facts | None) -> Imported:
    """With what the base model's file says of itself, where it is here and says otherwise."""
    if facts is None:
        return imported
    settings = dict(imported.settings)
    lines = list(imported.lines)
    for path, found in zip(FROM_THE_BASE_MODEL, (facts.model.family, facts.model.prediction), strict=True):
        said = settings.get(path)
        if found is None or said is None or said == found:
            continue
        settings[path] = found
        name = path.partition(".")[2]
        note = f"the file says {said}, the base model itself is {found}, and that counts"
        lines.append(Line(f"the base model's {name}", str(found), "contradictory", path, found, note))
    return replace(imported, settings=settings, lines=tuple(lines))


def _tree(imported: Imported, advised: Plan | None, own: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    """What the user gave, then the file, then its trainer's defaults; the rules only of what no trainer has."""
    base = advised.config.model_dump() if advised else _blank().model_dump()
    if advised is None:
        base["saving"]["name"] = file_name(Path(imported.source).stem)
    for path, value in {**imported.effective, **own}.items():
        group, _, name = path.partition(".")
        base[group][name] = value.model_dump() if hasattr(value, "model_dump") else value
    return base


def _blank() -> TrainingConfig:
    tree = {"model": {"path": "", "family": "sd1"}, "dataset": {"images": ""}, "saving": {"name": "lora"}}
    return parse_config(tree)


def file_name(text: str) -> str:
    """`text` as every system takes it for a file's name."""
    kept = "".join(letter if letter.isprintable() and letter not in '/\\:*?"<>|' else "_" for letter in text)
    return kept.strip(" .-")[:100] or "lora"


def _decision(
    config: TrainingConfig, path: str, imported: Imported, advised: Plan | None, own: Mapping[str, Any]
) -> Decision:
    value = setting(config, path)
    source = Source(imported.title, imported.source)
    if path in own:
        return Decision(path, value, f"you gave it: {_meaning(path)}", "answer", THE_USER)
    if path in imported.settings:
        return Decision(path, value, _found_reason(imported, path), "import", source)
    if path in imported.defaults:
        return Decision(
            path, value, f"the file does not say; this is what {imported.title} does by itself", "import", source
        )
    if advised is not None:
        return advised.by_path[path]
    return Decision(path, value, f"the file does not say; {_meaning(path)}", "default", OURS)


def _found_reason(imported: Imported, path: str) -> str:
    lines = [line for line in imported.lines if line.path == path]
    if not lines:
        return "follows from the file's other keys"
    key = lines[-1].key
    note = f" ({lines[-1].note})" if lines[-1].note else ""
    return f"{key} is {lines[-1].found or 'nothing'}{note}"


def _meaning(path: str) -> str:
    text = str(setting_field(path).description or path).split("\n")[0].rstrip(".")
    return text[:1].lower() + text[1:]


def _disagreements(imported: Imported, config: TrainingConfig, advised: Plan) -> Iterator[Disagreement]:
    for path, value in flat_settings(config):
        decision = advised.by_path[path]
        if path not in imported.effective or decision.origin != "rule" or path.startswith(NEVER_ADVISED):
            continue
        if path == "dataset.repeats" and config.dataset.only_folders:  # nobody's: each folder has its own
            continue
        if not _is_near(value, decision.value):
            yield Disagreement(path, value, decision.value, decision.reason)


def _is_near(one: Any, other: Any) -> bool:
    if isinstance(one, float) and isinstance(other, int | float):
        return math.isclose(one, other, rel_tol=1e-6)
    return bool(one == other)


def is_absolute(path: str) -> bool:
    """Whether a path begins at a root, on whatever system it was written."""
    return PurePosixPath(path).is_absolute() or PureWindowsPath(path).is_absolute()


def described(disagreement: Disagreement) -> str:
    """One sentence of advice."""
    path, found, advised = disagreement.path, shown(disagreement.imported), shown(disagreement.advised)
    return f"{path} is {found}; the advisor would take {advised}: {disagreement.reason}"
