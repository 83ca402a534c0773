"""How two plans for the same images differ: settings with both reasons, and both estimates."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, replace

from advisor.facts import Facts
from advisor.plan import Decision, Plan
from advisor.planning.document import plain_value, plan_document
from advisor.planning.planner import make_plan
from advisor.settings.config import setting
from advisor.settings.parse_value import SettingValue, WrongValue

NOT_ADVICE = frozenset({"run.advice"})
"""What two profiles differ in by being two."""


@dataclass(frozen=True)
class Changed:
    """One setting that differs."""

    path: str
    before: Decision
    after: Decision

    @property
    def is_chosen(self) -> bool:
        """Whether it was chosen in the second plan; otherwise it followed from others."""
        return self.after.is_chosen


@dataclass(frozen=True)
class Difference:
    """Two plans, and the settings they differ in."""

    before: Plan
    after: Plan
    free_bytes: int
    """Of the card, or of the machine where none is used."""
    settings: tuple[Changed, ...]

    def fits(self, plan: Plan) -> bool:
        """Whether every phase of a plan's run has the memory that is free."""
        return plan.estimate.peak_bytes <= self.free_bytes


def difference(facts: Facts, before: Plan, after: Plan) -> Difference:
    """The settings that differ, in their order."""
    changed = tuple(
        Changed(old.path, old, new)
        for old, new in zip(before.decisions, after.decisions, strict=True)
        if setting(before.config, old.path) != setting(after.config, old.path)
    )
    return Difference(before, after, facts.free_bytes, changed)


def profiles(facts: Facts, made: Plan | None = None) -> Difference:
    """The tutorial's plan and the one that most would make today, for the same facts and choices.

    Args:
        made: the plan of these facts, where there is one already.

    Raises:
        LoraError: a plan cannot be made.
    """
    cases = (_by(facts, "tutorial"), _by(facts, "current"))
    found = difference(facts, *(made if made and case == facts else make_plan(case) for case in cases))
    settings = tuple(one for one in found.settings if one.path not in NOT_ADVICE)
    return Difference(found.before, found.after, found.free_bytes, settings)


def beside_rules(facts: Facts, imported: Iterable[str]) -> Difference:
    """The plan of another trainer's file, and the one that the rules make where the file says nothing.

    Args:
        imported: the settings that came from the file.

    Raises:
        LoraError: a plan cannot be made.
    """
    own = {path: value for path, value in facts.answers.settings.items() if path not in imported}
    return difference(facts, make_plan(facts), make_plan(with_settings(facts, own)))


def with_settings(facts: Facts, kept: Mapping[str, SettingValue | WrongValue]) -> Facts:
    """The same facts with `kept`, and nothing else, as chosen settings."""
    return replace(facts, answers=facts.answers.model_copy(update={"settings": dict(kept)}))


def _by(facts: Facts, advice: str) -> Facts:
    return replace(facts, answers=facts.answers.model_copy(update={"advice": advice}))


def beside_rules_document(facts: Facts, found: Difference) -> dict[str, object]:
    """Both plans in full, and what differs."""
    return {
        "imported": plan_document(facts, found.before), "rules": plan_document(facts, found.after),
        "differences": _rows(found, "imported", "rules"),
    }  # fmt: skip


def profiles_document(facts: Facts, found: Difference) -> dict[str, object]:
    """Both plans in full, and what differs."""
    return {
        "tutorial": plan_document(_by(facts, "tutorial"), found.before),
        "current": plan_document(_by(facts, "current"), found.after),
        "differences": _rows(found, "tutorial", "current"),
    }


def difference_document(found: Difference) -> dict[str, object]:
    """What differs, with both estimates."""
    return {
        "settings": _rows(found, "before", "after"),
        "before": plain_value(asdict(found.before.estimate)) | {"fits": found.fits(found.before)},
        "after": plain_value(asdict(found.after.estimate)) | {"fits": found.fits(found.after)},
        "free_bytes": found.free_bytes,
    }


def _rows(found: Difference, first: str, second: str) -> list[dict[str, object]]:
    return [
        {"path": one.path, first: _side(found.before, one.before), second: _side(found.after, one.after)}
        for one in found.settings
    ]


def _side(plan: Plan, decision: Decision) -> dict[str, object]:
    group, _, name = decision.path.partition(".")
    return {
        "value": plan.config.model_dump(mode="json")[group][name],
        "reason": decision.reason,
        "origin": decision.origin,
        "source": asdict(decision.source),
    }
