"""docs/memory.md: what the closed form predicts beside what the simulated step counted."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any

from benchmarks.memory_entries import Entry
from benchmarks.public_page import memory_part

PAGE = Path(__file__).parents[1] / "docs" / "memory.md"
NUM_LARGEST = 8
"""Errors that are explained."""

TEXT = """# Memory: predicted against counted

Made by `python -m benchmarks.memory_grid --page` from `benchmarks/results/memory_grid.json`. Counted: the peak of the
second step of the real modules on tensors without data (`trainer.simulate.step`). Predicted: the closed form in
`advisor/estimate/vram.py`. What a card's driver and libraries take is in neither.
Why and how: decisions/0010-memory.md.

{number} configurations; the median error is {median:.2%} of what was counted, the largest {largest:+.2%}. Above 0, more
was predicted than is taken. A test holds all of them to 3 %; 14 of them are counted anew in the usual suite and all
with `--slow`.

## The largest errors

| error | configuration | why |
|---|---|---|
{explained}

{published}
## All of them

| counted | predicted | error | configuration |
|---|---|---|---|
{table}
"""

OTHER = "rounding to blocks of 512 bytes, and coefficients that were counted on other sizes"

Reason = tuple[Callable[[Entry], bool], str]


def _network(entry: Entry, name: str) -> Any:
    return entry.settings.get("network", {}).get(name)


REASONS: tuple[Reason, ...] = (
    (lambda one: bool(_network(one, "conv_rank")), "a convolution's adapter keeps a little of its own; not modelled"),
    (
        lambda one: _network(one, "kind") in ("dora", "loha", "lokr"),
        "the change of a layer's weight, made as it is at work, is modelled at late moments only",
    ),
    (
        lambda one: bool(_network(one, "text_adapter")),
        "what the text adapter keeps is there until the end; modelled at the first moment only",
    ),
    (
        lambda one: one.blocks is not None,
        "of a late moment the share of one block is taken for that of 28; what is no block grows too",
    ),
    (
        lambda one: "swapped_blocks" in one.settings.get("memory", {}),
        "which of the blocks that wait are on the card at the peak follows from their order; it may be others",
    ),
    (lambda one: "dataset" in one.settings, "cross attention keeps more for longer captions; not modelled"),
    (lambda one: one.family == "sd2", "the later moments' coefficients are SD1's"),
)
"""The first that fits a configuration."""


@dataclass(frozen=True)
class Row:
    """What is told of one configuration."""

    entry: Entry
    counted_bytes: int
    error: float
    """Of the prediction, as a share of what was counted."""

    def line(self) -> str:
        """In the table of all."""
        counted = self.counted_bytes / 2**30
        return f"| {counted:.2f} GiB | {counted * (1 + self.error):.2f} GiB | {self.error:+.2%} | {self.entry.name} |"


def page(rows: Sequence[Row]) -> str:
    """The page as Markdown."""
    largest = sorted(rows, key=lambda row: -abs(row.error))[:NUM_LARGEST]
    return TEXT.format(
        number=len(rows),
        median=median(abs(row.error) for row in rows),
        largest=largest[0].error,
        published=memory_part(),
        explained="\n".join(f"| {row.error:+.2%} | {row.entry.name} | {_why(row.entry)} |" for row in largest),
        table="\n".join(row.line() for row in rows),
    )


def _why(entry: Entry) -> str:
    return next((reason for fits, reason in REASONS if fits(entry)), OTHER)
