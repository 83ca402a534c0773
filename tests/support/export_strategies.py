"""Hypothesis strategies over everything that can be written: texts, values, configurations, plans, answers."""

from __future__ import annotations

import types
from typing import Any, Literal, Union, get_args, get_origin

from annotated_types import Ge, Gt, Le, Lt, MaxLen, MinLen
from hypothesis import strategies as st
from pydantic import AfterValidator, BaseModel
from pydantic.fields import FieldInfo
from pydantic_core import PydanticCustomError

from advisor.answers import Answers
from advisor.plan import Decision, Estimate, Plan, PlanWarning, Source
from advisor.settings.config import TrainingConfig, flat_settings
from advisor.settings.file_names import FORBIDDEN, fault
from advisor.settings.parse_value import parse_settings
from advisor.shown_text import visible_line

texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=40)
"""Any text that UTF-8 has, controls and all."""
floats = st.floats(allow_nan=False, allow_infinity=False)
ints = st.integers(-(2**63), 2**63 - 1)
scalars = st.one_of(texts, st.booleans(), ints, floats)
values = st.recursive(scalars, lambda inner: st.lists(inner, max_size=4), max_leaves=10)

MOST = 10_000
"""Where a setting has no upper limit."""


def as_file_name(text: str) -> str:
    """`text` without what a file's name cannot hold."""
    kept = "".join(letter for letter in text if not FORBIDDEN.match(letter) and visible_line(letter) == letter)
    kept = kept.strip(" .-\u3000").strip()
    return kept if fault(kept) is None else "mira"


file_names = texts.map(as_file_name)

PLAIN = {
    "saving.name": file_names,
    "model.family": st.sampled_from(["sd1", "sd2", "sdxl"]),
    "run.wandb_project": st.from_regex(r"[A-Za-z0-9 _.-]{0,20}", fullmatch=True),
    "optimizer.arguments": st.lists(st.from_regex(r"[a-z_]{1,8}=[0-9.]{1,5}", fullmatch=True), max_size=3).map(tuple),
}
"""Fields whose type says less than they mean."""


def _field(name: str, field: FieldInfo) -> st.SearchStrategy[Any]:
    return PLAIN[name] if name in PLAIN else _typed(name, field.annotation, list(field.metadata))


def _typed(name: str, annotation: Any, metadata: list[Any]) -> st.SearchStrategy[Any]:
    origin = get_origin(annotation)
    if hasattr(annotation, "__metadata__"):
        return _typed(name, annotation.__origin__, [*metadata, *annotation.__metadata__])
    if origin in (Union, types.UnionType):
        return st.one_of(*(_typed(name, part, metadata) for part in get_args(annotation)))
    if annotation is type(None):
        return st.none()
    if origin is Literal:
        return st.sampled_from(get_args(annotation))
    if origin is tuple:
        return st.lists(_typed(name, get_args(annotation)[0], []), max_size=3).map(tuple)
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return models(annotation)
    limits = _limits(metadata)
    if annotation is bool:
        return st.booleans()
    if annotation is int:
        return st.integers(
            int(limits.get("ge", limits.get("gt", -1) + 1)), int(limits.get("le", limits.get("lt", MOST) - 1))
        )
    if annotation is float:
        low, high = limits.get("ge", limits.get("gt", 0.0)), limits.get("le", limits.get("lt", 1e6))
        return st.floats(float(low), float(high), exclude_min="gt" in limits, exclude_max="lt" in limits)
    assert annotation is str, (name, annotation)
    least, most = int(limits.get("min_length", 0)), int(limits.get("max_length", 40))
    drawn = st.text(st.characters(exclude_categories=["Cs"]), min_size=least, max_size=min(most, 40))
    checks = [item.func for item in metadata if isinstance(item, AfterValidator)]
    return drawn.map(lambda text: "".join(letter for letter in text if _pass(checks, letter))) if checks else drawn


def _pass(checks: list[Any], letter: str) -> bool:
    """Whether a text of this letter is taken."""
    try:
        for check in checks:
            check(letter)
    except PydanticCustomError:
        return False
    return True


def _limits(metadata: list[Any]) -> dict[str, float]:
    found: dict[str, float] = {}
    for item in metadata:
        for kind, key in ((Ge, "ge"), (Gt, "gt"), (Le, "le"), (Lt, "lt")):
            if isinstance(item, kind):
                found[key] = getattr(item, key)
        if isinstance(item, MinLen) or getattr(item, "min_length", None) is not None:
            found["min_length"] = item.min_length
        if isinstance(item, MaxLen) or getattr(item, "max_length", None) is not None:
            found["max_length"] = item.max_length
        if isinstance(item, FieldInfo):
            found |= _limits(list(item.metadata))
    return found


def models(model: type[BaseModel], prefix: str = "") -> st.SearchStrategy[Any]:
    """Any valid `model`, each field drawn from what its type and limits allow."""
    fields = {
        name: models(field.annotation, f"{name}.")
        if isinstance(field.annotation, type) and issubclass(field.annotation, BaseModel)
        else _field(f"{prefix}{name}", field)
        for name, field in model.model_fields.items()
    }
    return st.builds(model, **fields)


configs: st.SearchStrategy[TrainingConfig] = models(TrainingConfig)

any_text = st.text(max_size=200)
"""Lone surrogates too."""


def plan_of(config: TrainingConfig, reason: str = "30 pictures: this suits them") -> Plan:
    """A plan with one reason for every setting."""
    decisions = tuple(
        Decision(path, found, reason, "rule", Source("A guide", "https://example.org/guide"))
        for path, found in flat_settings(config)
    )
    return Plan(config, decisions, (PlanWarning("some_code", "some message"),), Estimate(1, {"a": 1}, 100, None, 2, 3))


plans = st.builds(plan_of, configs, any_text)

answers = st.builds(
    Answers,
    name=file_names,
    trigger=_field("trigger", Answers.model_fields["trigger"]),
    subject=st.sampled_from(["character", "style"]),
    advice=st.sampled_from(["tutorial", "current"]),
    use_cpu=st.booleans(),
    settings=configs.flatmap(
        lambda config: st.lists(st.sampled_from(list(flat_settings(config))), max_size=4).map(dict).map(parse_settings)
    ),
)
