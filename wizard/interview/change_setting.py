"""A setting chosen by name and its value, asked again in place until both are sound. Decides; asks through `Ask`."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Literal, get_args, get_origin

from advisor.answers import ANSWER_OF_SETTING
from advisor.errors import LoraError
from advisor.facts import Facts
from advisor.plan import Decision, Plan
from advisor.settings.config import setting_field, setting_paths
from advisor.units import shown
from wizard.interview.flow import InterviewState, with_default
from wizard.interview.names import checked_name
from wizard.interview.questions import BACK, Ask, Candidate, Option, Question
from wizard.interview.steps import checked_trigger

AS_ADVISED = "as advised"
"""The answer that removes a choice, so that the rules decide again."""


@dataclass(frozen=True)
class ChangedPlan:
    """The state with another value of a setting, and the plan that follows."""

    state: InterviewState
    facts: Facts
    plan: Plan


def change_setting(
    state: InterviewState, plan: Plan, ask: Ask, planned: Callable[[InterviewState], tuple[Facts, Plan]]
) -> ChangedPlan | None:
    """Ask for a setting and its value; None: the user went back.

    Args:
        planned: makes the plan of a state; raises LoraError where the value is refused.
    """
    path = _asked_path(ask)
    return None if path is None else _asked_value(path, state, plan, ask, planned)


def _asked_path(ask: Ask) -> str | None:
    candidates = tuple(Candidate(path, setting_field(path).description or "") for path in setting_paths())
    hint = "any part of its name, then Tab"
    question = Question("setting", "Which setting?", "name", candidates=candidates, hint=hint)
    while (path := ask(question).strip()) not in (BACK, ""):
        try:
            setting_field(path)
        except LoraError as error:
            ask.tell(str(error))
            question = with_default(question, path)
        else:
            return path
    return None


def _asked_value(
    path: str,
    state: InterviewState,
    plan: Plan,
    ask: Ask,
    planned: Callable[[InterviewState], tuple[Facts, Plan]],
) -> ChangedPlan | None:
    question = value_question(plan.by_path[path], is_chosen=path in state.settings)
    while (answer := ask(question)) != BACK:
        try:
            after = _with_setting(state, path, answer)
            return ChangedPlan(after, *planned(after))
        except LoraError as error:
            ask.tell(str(error))
            question = with_default(replace(question, intro=""), answer)
    return None


def value_question(decision: Decision, *, is_chosen: bool) -> Question:
    """The question for a setting's value, which tells the present one and its reason.

    Args:
        is_chosen: the user chose it by name, and may take that back.
    """
    path, field = decision.path, setting_field(decision.path)
    question = Question(
        path, "Which value?", "line", default=typed(decision.value), is_replaced=True,
        intro=f"{path}: {field.description}\nNow {shown(decision.value)}: {decision.reason}",
    )  # fmt: skip
    if values := fixed_values(field.annotation):
        options = tuple(Option(value, value) for value in values)
        options += (Option(AS_ADVISED, f"{AS_ADVISED[0].upper()}{AS_ADVISED[1:]}"),) * is_chosen
        return replace(question, kind="choice", options=options)
    return replace(question, hint=f'"{AS_ADVISED}" takes your choice back' if is_chosen else "")


def _with_setting(state: InterviewState, path: str, answer: str) -> InterviewState:
    if path in ANSWER_OF_SETTING:
        return state.with_answer(ANSWER_OF_SETTING[path], _checked(path, answer))
    settings = {name: value for name, value in state.settings.items() if name != path}
    if answer.strip().lower() != AS_ADVISED:
        settings[path] = answer
    return replace(state, settings=settings)


def _checked(path: str, answer: str) -> str:
    if path == "saving.name":
        return checked_name(answer)
    return checked_trigger(answer) if path == "run.trigger" else answer


def fixed_values(annotation: object) -> tuple[str, ...]:
    """The values of a bool or Literal setting, as typed; empty for other types."""
    if annotation is bool:
        return ("true", "false")
    if get_origin(annotation) is Literal:
        return tuple(str(value) for value in get_args(annotation))
    return ()


def typed(value: object) -> str:
    """A setting's value as the user would type it."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, list | tuple):
        return ", ".join(typed(entry) for entry in value)
    return shown(value) if isinstance(value, float) else str(value)
