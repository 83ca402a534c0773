"""sd-scripts' file of prompts, written and read: one a line, each with options behind double dashes."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from advisor.settings.config import SamplingConfig
from templates.importing.ledger import Ledger
from templates.kohya.words import SAMPLERS

MOST_PROMPTS = 200


@dataclass(frozen=True)
class Prompt:
    """One line of a file of prompts."""

    text: str
    options: dict[str, str]


def prompt_lines(sampling: SamplingConfig, side_px: int) -> Iterator[str]:
    """One prompt a line with its options, as sd-scripts reads them."""
    negative = _one_line(sampling.negative)
    for number, prompt in enumerate(sampling.prompts):
        if not (text := _one_line(prompt)):
            continue  # its options would be taken for the prompt
        size = f"--w {side_px} --h {side_px}"
        options = f"{size} --d {(sampling.seed + number) % 2**32} --l {sampling.guidance:g} --s {sampling.steps}"
        comment = " " if text.startswith("#") else ""  # a line that begins with # is none
        yield f"{comment}{text}{f' --n {negative}' if negative else ''} {options}"


def _one_line(text: str) -> str:
    """Without line ends, and without what sd-scripts would take for an option."""
    return " ".join(text.split()).replace(" --", " -")


def prompts_of(text: str) -> Iterator[Prompt]:
    """The prompts of a file; empty lines and those that begin with # are none."""
    for line in text.splitlines()[: MOST_PROMPTS * 4]:
        if not line.strip() or line.startswith("#"):
            continue
        prompt, *options = line.strip().split(" --")
        found = {}
        for option in options:
            name, _, value = option.strip().partition(" ")
            found[name.lower()] = value.strip()
        yield Prompt(prompt.strip(), found)


def settle_prompts(ledger: Ledger, key: str, text: str) -> None:
    """Prompts, and what their options say; ours are the same for all prompts."""
    prompts = list(prompts_of(text))[:MOST_PROMPTS]
    if not prompts:
        ledger.idle(key)
        return
    ledger.settle(key, "sampling.prompts", [prompt.text for prompt in prompts], "each line without its options")
    for option, path, reader in (
        ("n", "sampling.negative", str), ("s", "sampling.steps", int), ("l", "sampling.guidance", float),
        ("d", "sampling.seed", int),
    ):  # fmt: skip
        found = [value for prompt in prompts if (value := _read(prompt.options.get(option), reader)) is not None]
        if not found:
            continue
        differ = path != "sampling.seed" and len(set(found)) > 1
        note = f"its option --{option}" + (" of the first prompt; they differ" if differ else "")
        ledger.settle(key, path, found[0], note)


def settle_sampler(ledger: Ledger, key: str) -> None:
    """How samples are drawn."""
    raw = ledger.raw(key)
    if not isinstance(raw, str) or not raw.strip():
        ledger.idle(key)
    elif (sampler := SAMPLERS.ours(raw.strip())) is not None:
        ledger.settle(key, "sampling.sampler", sampler)
    else:
        near = SAMPLERS.nearest(raw.strip())
        ledger.settle(key, "sampling.sampler", near, f"{near} is the nearest that we have")


def _read(value: str | None, reader: Any) -> Any:
    if value is None:
        return None
    if reader is str:
        return value
    found = re.match(r"\d{1,10}(\.\d{1,17})?", value)
    return None if found is None else reader(float(found[0]))
