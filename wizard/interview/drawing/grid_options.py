"""The options of `loracle grid`, given as text: which epochs, weights and prompts, and how many seeds."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from math import isfinite
from pathlib import Path
from typing import TypeVar

from advisor.choosing.cells import MOST_PROMPTS, MOST_SEEDS, MOST_WEIGHT
from advisor.errors import ConfigError, Mistakes, RunError
from advisor.files import read_file
from advisor.settings.config import MOST_EPOCHS
from advisor.units import MIB
from templates.kohya.prompt_lines import prompts_of
from wizard.interview.paths import given_path

MOST_PROMPT_FILE_BYTES = MIB
Number = TypeVar("Number", int, float)


@dataclass(frozen=True, kw_only=True)
class GridOptions:
    """As they were typed; None: not given."""

    model: str | None = None
    epochs: str | None = None
    weights: str | None = None
    prompts: str | None = None
    seeds: int | None = None
    out: str | None = None
    device: str | None = None


@dataclass(frozen=True)
class GridWish:
    """The same, read; empty: not given."""

    epochs: tuple[int, ...] = ()
    weights: tuple[float, ...] = ()
    prompts: tuple[str, ...] = ()
    seeds: int = 0


def read_options(options: GridOptions) -> GridWish:
    """What is wished for.

    Raises:
        LoraError: all that is wrong with them.
    """
    mistakes = Mistakes()
    if options.device not in (None, "cpu"):
        mistakes.add(ConfigError("--device", options.device, "take cpu, or leave it out for the graphics card"))
    if options.seeds is not None and not 1 <= options.seeds <= MOST_SEEDS:
        mistakes.add(ConfigError("--seeds", options.seeds, f"give a number from 1 to {MOST_SEEDS}"))
    epochs = mistakes.attempt(lambda: _epochs(options.epochs))
    weights = mistakes.attempt(lambda: _weights(options.weights))
    prompts = mistakes.attempt(lambda: () if options.prompts is None else read_prompts(given_path(options.prompts)))
    mistakes.refuse()
    return GridWish(epochs or (), weights or (), prompts or (), options.seeds or 0)


def read_prompts(path: Path) -> tuple[str, ...]:
    """The prompts in a file, one a line; those of sd-scripts' files without their options.

    Raises:
        RunError: it cannot be read, is no text, or has no prompts or too many.
    """
    mend = "name a text file with a prompt a line"
    content = read_file(path, kind="file of prompts", most_bytes=MOST_PROMPT_FILE_BYTES, mend=mend)
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError:
        text = "\0"
    if "\0" in text:
        raise RunError(f"the file of prompts {path} is no text in UTF-8: {mend}")
    prompts = tuple(dict.fromkeys(prompt.text for prompt in prompts_of(text) if prompt.text))
    if not prompts:
        raise RunError(f"the file of prompts {path} has none: write a prompt a line")
    if len(prompts) > MOST_PROMPTS:
        raise RunError(f"the file of prompts {path} has {len(prompts)}: {MOST_PROMPTS} at most")
    return prompts


def _epochs(text: str | None) -> tuple[int, ...]:
    mend = "give epochs as numbers from 1 with commas between, e.g. 3,6,10"
    return tuple(sorted(_numbers("--epochs", text, int, lambda epoch: 1 <= epoch <= MOST_EPOCHS, mend)))


def _weights(text: str | None) -> tuple[float, ...]:
    mend = (
        f"give weights as numbers with commas between, e.g. 0.6,0.8,1; up to {MOST_WEIGHT:g}, and not 0, which is the "
        "base model and always drawn"
    )
    return _numbers("--weights", text, float, lambda one: isfinite(one) and 0 < abs(one) <= MOST_WEIGHT, mend)


def _numbers(
    option: str, text: str | None, read: Callable[[str], Number], fits: Callable[[Number], bool], mend: str
) -> tuple[Number, ...]:
    """The numbers of a list with commas, each once."""
    if text is None:
        return ()
    try:
        numbers = tuple(dict.fromkeys(read(part) for part in text.split(",")))
    except ValueError:
        raise ConfigError(option, text, mend) from None
    if not all(fits(number) for number in numbers):
        raise ConfigError(option, text, mend)
    return numbers
