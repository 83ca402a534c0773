"""What a sweep tries: combinations of values of some settings, each a run of its own. Decides; writes nothing."""

from __future__ import annotations

import itertools
import random
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from advisor.errors import ConfigError, LoraError, Mistakes
from advisor.settings.parse_value import SettingValue, parse_value
from templates.report.comparison import MOST_RUNS

MOST_TRIALS = MOST_RUNS
"""So many can be compared at the end."""
SEED = 20261130
"""Of which combinations `--trials` takes, so that the same command means the same ones."""
NOT_VARIED = ("saving.name",)
"""Settings of which each trial has its own."""
LONGEST_NAME = 80
"""Letters of a trial's folder; longer ones are cut and numbered."""


@dataclass(frozen=True)
class Varied:
    """A setting and the values that are tried."""

    path: str
    given: tuple[str, ...]
    """As typed."""
    values: tuple[SettingValue, ...]
    """As the configuration has them, in the same order."""


@dataclass(frozen=True)
class Trial:
    """A combination."""

    name: str
    """Of its folder and its LoRA."""
    given: tuple[tuple[str, str], ...]
    """Path and value, as typed."""
    values: tuple[tuple[str, SettingValue], ...]

    @property
    def settings(self) -> tuple[str, ...]:
        """As they are typed behind `--set`."""
        return tuple(f"{path}={value}" for path, value in self.given)


def parse_varied(texts: Sequence[str]) -> tuple[Varied, ...]:
    """The settings of `--vary PATH=VALUE,VALUE`.

    Raises:
        LoraError: all that is wrong with them.
    """
    mistakes, found = Mistakes(), list[Varied]()
    for text in texts:
        path, has_values, values = text.partition("=")
        given = tuple(dict.fromkeys(value.strip() for value in values.split(",") if value.strip()))
        if not has_values or not given:
            mistakes.add(LoraError(f"--vary {text}: give a setting and its values, e.g. network.rank=16,32"))
        elif any(one.path == path.strip() for one in found):
            mistakes.add(LoraError(f"--vary {path}: is there twice; give all its values at once"))
        elif (one := mistakes.attempt(lambda: _varied(path.strip(), given))) is not None:  # noqa: B023
            found.append(one)
    mistakes.refuse()
    return tuple(found)


def _varied(path: str, given: tuple[str, ...]) -> Varied:
    values = tuple(parse_value(path, one) for one in given)
    if path in NOT_VARIED:
        raise ConfigError(path, ",".join(given), "cannot be varied: each trial has a name of its own")
    if any(isinstance(value, tuple) for value in values):
        raise ConfigError(path, ",".join(given), "cannot be varied: each of these values would be one entry of a list")
    return Varied(path, given, values)


def trials_of(run: Path, varied: Sequence[Varied], most: int | None = None) -> tuple[Trial, ...]:
    """All combinations, the last setting's values changing first; of more than `most` so many, drawn at random.

    Raises:
        LoraError: there are none, or too many.
    """
    combinations = list(itertools.product(*(zip(one.given, one.values, strict=True) for one in varied)))
    if not varied:
        raise LoraError("Nothing is varied: give --vary PATH=VALUE,VALUE, e.g. --vary network.rank=16,32")
    if most is not None and most < 1:
        raise LoraError(f"--trials is {most}: must be 1 or more")
    if most is not None and most < len(combinations):
        chosen = sorted(random.Random(SEED).sample(range(len(combinations)), most))
        combinations = [combinations[index] for index in chosen]
    if len(combinations) > MOST_TRIALS:
        raise LoraError(
            f"These are {len(combinations):,} combinations, and {MOST_TRIALS} can be compared: give fewer values, or "
            f"--trials {MOST_TRIALS} for so many of them, drawn at random"
        )
    paths = [one.path for one in varied]
    names = _names(run.name, paths, [[given for given, _ in each] for each in combinations])
    return tuple(
        Trial(
            name,
            tuple((path, given) for path, (given, _) in zip(paths, each, strict=True)),
            tuple((path, value) for path, (_, value) in zip(paths, each, strict=True)),
        )
        for name, each in zip(names, combinations, strict=True)
    )


def _names(run: str, paths: Sequence[str], given: Sequence[Sequence[str]]) -> list[str]:
    """A name that tells the values, as `anna-rank32-learning_rate5e-5`; numbered where it would not be its own."""
    short = [path.rpartition(".")[2] for path in paths]
    names = ["-".join((run, *(f"{one}{value}" for one, value in zip(short, each, strict=True)))) for each in given]
    clean = [re.sub(r"[^\w.+-]", "_", name) for name in names]
    is_own = len({name.casefold() for name in clean}) == len(clean) and max(map(len, clean)) <= LONGEST_NAME
    return clean if is_own else [f"{run[:LONGEST_NAME]}-{number}" for number in range(1, len(clean) + 1)]
