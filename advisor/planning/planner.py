"""From facts to a plan: the rules in their order, with what the user chose standing fast."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from advisor.errors import ConfigError, ConfigErrors, Mistakes
from advisor.facts import Facts
from advisor.plan import Decision, Plan, Source
from advisor.planning.estimate import estimate
from advisor.planning.limits import FOUND_NOT_CHOSEN, fact_error, limit_errors
from advisor.planning.warnings import plan_warnings
from advisor.rules import AFTER_FIT, BEFORE_FIT, FITTED
from advisor.rules.fitting import Fit, fit
from advisor.rules.rule import Advice, Rule
from advisor.rules.sources import THE_USER
from advisor.settings.config import (
    TrainingConfig,
    blank_config,
    changed,
    parse_config,
    setting,
    setting_field,
    setting_paths,
    with_values,
)
from advisor.settings.parse_value import SettingValue, WrongValue
from advisor.units import shown

Advised = tuple[Advice, Source]
"""What a rule said, and where it is from."""


def make_plan(facts: Facts) -> Plan:
    """Every setting with its reason, what to be warned of, and what it will take.

    Raises:
        ConfigErrors: chosen settings are unknown, wrong or beyond the limits; all are in it.
        DatasetError: there are no pictures.
        ModelError: the base model cannot be planned for.
        UserErrors: one of these two, and wrong settings beside it.
    """
    chosen, mistakes = _with_chosen(facts), Mistakes()
    if (error := fact_error(facts)) is not None:
        mistakes.add(error, *chosen.errors)
    mistakes.refuse()
    settled = _settle(facts, chosen.config)
    errors = (*chosen.errors, *limit_errors(settled.config, facts, without=chosen.wrong_paths))
    if errors:
        raise ConfigErrors(errors)
    config = settled.config
    outlook = estimate(facts, config)
    return Plan(
        config=config,
        decisions=tuple(_decision(facts, config, path, settled.advice.get(path)) for path in setting_paths()),
        warnings=plan_warnings(facts, config, outlook, settled.fitted),
        estimate=outlook,
    )


@dataclass(frozen=True)
class _Chosen:
    """The configuration with what was chosen in it, before any rule."""

    config: TrainingConfig
    errors: tuple[ConfigError, ...]

    @property
    def wrong_paths(self) -> frozenset[str]:
        return frozenset(error.path for error in self.errors)


@dataclass(frozen=True)
class _Settled:
    """The configuration after all rules, and what each rule said."""

    config: TrainingConfig
    advice: dict[str, Advised]
    fitted: Fit


def _with_chosen(facts: Facts) -> _Chosen:
    values, errors = dict[str, SettingValue](), list[ConfigError]()
    for path, value in _chosen_values(facts):
        if path in FOUND_NOT_CHOSEN:
            given = value.given if isinstance(value, WrongValue) else value
            errors.append(ConfigError(path, given, FOUND_NOT_CHOSEN[path]))
        elif isinstance(value, WrongValue):
            errors += value.errors
        else:
            values[path] = value
    return _Chosen(with_values(_blank(facts), values), tuple(errors))


def _chosen_values(facts: Facts) -> Iterator[tuple[str, SettingValue | WrongValue]]:
    """What a preset file and the user chose; the user's come last and stand."""
    if facts.preset is not None:
        for entry in facts.preset.settings:
            if entry.path not in facts.answers.settings:
                yield entry.path, entry.value
    yield from facts.answers.settings.items()


def _blank(facts: Facts) -> TrainingConfig:
    return blank_config(
        model=facts.model.path,
        family=facts.model.family or "",
        images=facts.dataset.root,
        name=facts.answers.name,
    )


def _settle(facts: Facts, config: TrainingConfig) -> _Settled:
    """Rules, the fit into memory by what they settled, and the rules that follow from it."""
    config, before = _ruled(facts, config, BEFORE_FIT)
    fitted = fit(facts, config)
    config, after = _ruled(facts, config, (*(rule.given(fitted) for rule in FITTED), *AFTER_FIT))
    return _Settled(parse_config(config.model_dump()), before | after, fitted)


def _ruled(facts: Facts, config: TrainingConfig, rules: Iterable[Rule]) -> tuple[TrainingConfig, dict[str, Advised]]:
    """The configuration after these rules, what was chosen left alone, and what each said."""
    advice, chosen = dict[str, Advised](), facts.chosen_paths
    for rule in rules:
        found = rule.judge(facts, config)
        if found is None:
            continue
        advice[rule.sets] = (found, found.source or rule.source)
        if rule.sets not in chosen:
            config = changed(config, rule.sets, found.value)
    return config, advice


def _decision(facts: Facts, config: TrainingConfig, path: str, advised: Advised | None) -> Decision:
    value = setting(config, path)
    if path in facts.answers.settings:
        return Decision(path, value, _reason_of_choice(path, value, advised), "answer", THE_USER)
    preset = facts.preset.by_path.get(path) if facts.preset else None
    if preset is not None and facts.preset is not None:
        return Decision(path, value, preset.reason, "preset", Source(facts.preset.title, facts.preset.where))
    assert advised is not None, f"no rule settles {path}"
    advice, source = advised
    return Decision(path, value, advice.reason, advice.origin, source)


def _reason_of_choice(path: str, value: object, advised: Advised | None) -> str:
    if advised is not None and advised[0].value != value:
        return f"you chose it; the rules would take {shown(advised[0].value)}: {advised[0].reason}"
    if advised is not None:
        return f"you chose it, and the rules would too: {advised[0].reason}"
    meaning = str(setting_field(path).description or path).split("\n")[0]
    return f"you chose it, and it stands: {meaning[:1].lower()}{meaning[1:].rstrip('.')}"
