"""What `benchmarks.public_figures` prints and writes: docs/time.md, and its part of docs/memory.md."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from advisor.estimate.device_speed import CALL_SECONDS, GPU_UNCERTAINTY, QUANTISED_UNCERTAINTY, TENSOR_SHARES
from advisor.estimate.vram import ALLOCATOR_SHARE, CONTEXT_BYTES
from advisor.units import MIB
from benchmarks.public_fit import WANTED_FACTOR, Compared, Summary, memory, summaries, summary
from benchmarks.public_rows import CONTEXT_MIB, RESERVED_OVER_ALLOCATED, SOURCES

TIME_PAGE = Path(__file__).parents[1] / "docs" / "time.md"

MEMORY_KINDS = {
    "alike": "trainers that keep what ours keeps",
    "keeps_more": "trainers that keep more",
    "bound": "cards that just suffice",
}
TIME_KINDS = {
    "usual": "usual cards",
    "server": "server cards, bound by starting operations",
    "quantised": "another trainer's int8",
}
TIME_TEXT = """# Time: predicted against published

Made by `python -m benchmarks.public_figures --page` from `benchmarks/public_rows.py`, which has each row's
settings and the address of its source. Why and how: decisions/0003-time.md.

A step takes as long as the slower of two: the card computing it (counted operations over a share of the tensor cores'
peak, plus memory traffic), or the processor starting its operations one by one ({calls:.0f} microseconds each, counted
too). Of that peak {shares}
are reached. These {number} constants are fitted to the rows below without a quantised base; "left out" is the
prediction by constants fitted without the row's source.

| rows | number | predicted / reported | worst factor | within a factor of {wanted} | within the range told |
|---|---|---|---|---|---|
{summaries}

A plan tells a range of {usual:g} times either way, {quantised:g} with a base in int8 or nf4: SimpleTuner's int8 (SDNQ
with Hadamard rotation) takes about twice what is counted for ours, which was measured on no card. The report of the RTX
5090 does not say whether checkpointing was on, so both ways are listed.

| source | settings | s/step reported | predicted | ratio | left out | ratio |
|---|---|---|---|---|---|---|
{rows}
"""

MEMORY_TEXT = """## Published figures

What others measured, beside what is predicted for our trainer at the same settings; made by
`python -m benchmarks.public_figures --page`, settings and addresses in `benchmarks/public_rows.py`. No constant is
fitted to these rows: each is predicted with its source left out. sd-scripts keeps more than ours does (adapters and
autocast copies in float32, no fused layers), so its rows should lie above the prediction. A card that just suffices is
a bound, not a peak. Most do not say whether a figure is what torch allocated or reserved, or what the driver shows.

| rows | number | predicted / reported | worst factor | within a factor of {wanted} |
|---|---|---|---|---|
{summaries}

Around what is allocated:

| what | published | taken |
|---|---|---|
{around}

| source | settings | GiB reported | allocated | in all | ratio |
|---|---|---|---|---|---|
{rows}
"""


def memory_part() -> str:
    """The part of docs/memory.md on published figures."""
    return MEMORY_TEXT.format(
        wanted=WANTED_FACTOR,
        summaries="\n".join(f"{_summary_line(one)} |" for one in summaries(memory(), MEMORY_KINDS)),
        around="\n".join(_around()),
        rows="\n".join(
            f"| {_linked(row.source)} | {row.title} | {row.reported:.2f} | {row.allocated:.2f} | {row.predicted:.2f} "
            f"| {row.ratio:.2f} |"
            for row in memory()
        ),
    )


def time_page(rows: Sequence[Compared]) -> str:
    """docs/time.md."""
    usual = [row for row in rows if row.kind == "usual"]
    told = [*summaries(rows, TIME_KINDS), summary("usual cards, each row's source left out", usual, left_out=True)]
    return TIME_TEXT.format(
        wanted=WANTED_FACTOR,
        calls=CALL_SECONDS * 1e6,
        number=len(TENSOR_SHARES) + 1,
        shares=", ".join(
            f"{share * 100:.0f} %" + (f" from capability {first}.{second} on" if first else " before Ampere")
            for (first, second), share in TENSOR_SHARES
        ),
        summaries="\n".join(f"{_summary_line(one)} {one.told:.0%} |" for one in told),
        usual=GPU_UNCERTAINTY,
        quantised=QUANTISED_UNCERTAINTY,
        rows="\n".join(_time_line(row) for row in rows),
    )


def lines(memory_rows: Sequence[Compared], time_rows: Sequence[Compared]) -> Iterator[str]:
    """Both tables for a terminal: ratio and error of each row, each kind, each source and all."""
    for unit, rows, kinds in (("GiB", memory_rows, MEMORY_KINDS), ("s", time_rows, TIME_KINDS)):
        yield f"{'source':26}{'settings':84}{unit:>8}{'predicted':>10}{'ratio':>7}{'error':>7}{'left out':>9}"
        for row in rows:
            figures = f"{row.reported:8.3f}{row.predicted:10.3f}{row.ratio:7.2f}{row.ratio - 1:+7.0%}"
            yield f"{row.source:26}{row.title:84}{figures}{row.left_out / row.reported:9.2f}"
        yield from (
            f"{one.title:50}{one.rows:4} rows, ratio {one.ratio:.2f}, worst factor {one.worst:.2f}, "
            f"{one.within:.0%} within {WANTED_FACTOR}"
            for one in summaries(rows, kinds)
        )


def _time_line(row: Compared) -> str:
    figures = f"{row.reported:.3f} | {row.predicted:.3f} | {row.ratio:.2f}"
    return (
        f"| {_linked(row.source)} | {row.title} | {figures} | {row.left_out:.3f} | {row.left_out / row.reported:.2f} |"
    )


def _around() -> Iterator[str]:
    for title, (least, middle, most) in RESERVED_OVER_ALLOCATED.items():
        found = f"{least:.2f} to {most:.2f}, median {middle:.2f}"
        yield f"| torch's allocator, reserved over allocated, {title} | {found} | {1 + ALLOCATOR_SHARE:.2f} |"
    for title, mib in CONTEXT_MIB.items():
        yield f"| CUDA context, {title} | {mib} MiB | {CONTEXT_BYTES / MIB:.0f} MiB |"
    yield "| cuDNN's workspaces | nobody tells | unknown |"


def _summary_line(one: Summary) -> str:
    return f"| {one.title} | {one.rows} | {one.ratio:.2f} | {one.worst:.2f} | {one.within:.0%} |"


def _linked(source: str) -> str:
    return f"[{source}]({SOURCES[source]})"
