"""What a rule of thumb is: one setting, one source, one small pure function."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from advisor.facts import Facts
from advisor.plan import Origin, Source
from advisor.settings.config import TrainingConfig


@dataclass(frozen=True)
class Advice:
    """A rule's opinion."""

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


def rule(*, sets: str, source: Source) -> Callable[[Judge], Rule]:
    """Make a rule of a function; what it `sets` is a dotted path."""

    def made(judge: Judge) -> Rule:
        return Rule(sets, source, judge)

    return made
