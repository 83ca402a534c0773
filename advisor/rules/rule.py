"""What a rule of thumb is: one setting, one source, one small pure function."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from advisor.facts import Facts
from advisor.plan import Origin, Source
from advisor.rules.fitting import Fit
from advisor.settings.config import TrainingConfig


@dataclass(frozen=True)
class Advice:
    """What a rule proposes for its setting."""

    value: Any
    reason: str
    """One sentence for the user, naming a fact of this case or a consequence."""
    source: Source | None = None
    """Where it comes from, if not from the rule's own source."""
    origin: Origin = "rule"


Judge = Callable[[Facts, TrainingConfig], Advice | None]
"""The facts and the configuration so far; None: no opinion, the setting keeps what it has."""


@dataclass(frozen=True)
class Rule:
    """A rule of thumb for one setting."""

    sets: str
    source: Source
    judge: Judge

    @property
    def meaning(self) -> str:
        """What it advises and when, for docs/rules.md: the judge's own docstring."""
        return self.judge.__doc__ or ""


FittedJudge = Callable[[Facts, TrainingConfig, Fit], Advice | None]
"""The same with the plan's fit into memory."""


@dataclass(frozen=True)
class FittedRule:
    """A rule of thumb that reads the plan's fit into memory, which is worked out once and handed to all of these."""

    sets: str
    source: Source
    judge: FittedJudge

    @property
    def meaning(self) -> str:
        """As of other rules."""
        return self.judge.__doc__ or ""

    def given(self, fitted: Fit) -> Rule:
        """The rule as one of the facts and the configuration alone."""
        return Rule(self.sets, self.source, lambda facts, config: self.judge(facts, config, fitted))


def rule(*, sets: str, source: Source) -> Callable[[Judge], Rule]:
    """Make a rule of a function; what it `sets` is a dotted path."""

    def made(judge: Judge) -> Rule:
        return Rule(sets, source, judge)

    return made


def fitted_rule(*, sets: str, source: Source) -> Callable[[FittedJudge], FittedRule]:
    """Make a rule of a function that also takes the fit."""

    def made(judge: FittedJudge) -> FittedRule:
        return FittedRule(sets, source, judge)

    return made
