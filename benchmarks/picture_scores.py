"""How well the measures on pictures agree with the truth, on trainings of the demo's world: `docs/scores.md`.

    python -m benchmarks.picture_scores collect WORK     # reads WORK/RUN/scores.json and truth.json of each run
    python -m benchmarks.picture_scores page             # writes the tables of docs/scores.md

The runs are those that measures and thresholds were made with, not those that the choice of an epoch is judged on. The
truth looks at other prompts and seeds than the measures, by colours in regions.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

RESULTS = Path(__file__).parent / "results" / "picture_scores.json"
PAGE = Path(__file__).parents[1] / "docs" / "scores.md"
BEGIN, END = "<!-- figures: begin -->", "<!-- figures: end -->"
DRAWS = 500
"""Resamples of prompts and seeds for the intervals."""

MOVES = 0.1
"""A truth that moves by less over a run's epochs says nothing of their order."""

Values = Mapping[str, Sequence[float]]
"""Of one run: a row of epochs by name."""


def collected(work: Path) -> dict[str, dict[str, Any]]:
    """The epochs' measures and truths of each run below a folder."""
    return {
        folder.name: _run(
            json.loads((folder / "scores.json").read_text()), json.loads((folder / "truth.json").read_text())
        )
        for folder in sorted(work.iterdir())
        if (folder / "truth.json").exists() and (folder / "scores.json").exists()
    }


def _run(scores: Any, truth: Any) -> dict[str, Any]:
    trigger = scores["trigger"]
    calls = {number for number, prompt in enumerate(scores["prompts"]) if trigger in prompt}
    people = {number for number, prompt in enumerate(scores["prompts"]) if "skin" in prompt}
    epochs = truth["epochs"]
    measured: dict[str, list[float]] = {
        "likeness": _row(scores["scores"], "likeness", calls),
        "colour": _row(scores["scores"], "colour", calls),
        "leak": _row(scores["scores"], "leak", people),
        "damage": _row(scores["scores"], "damage", calls | people),
        "obedience": [
            min(pair) for pair in zip(*(_row(scores["scores"], "obedience", of) for of in (calls, people)), strict=True)
        ],
    }
    return {
        "truth": {name: [round(epoch[name], 3) for epoch in epochs] for name in ("identity", "obedience", "no_leak")},
        "measured": {name: [round(value, 3) for value in row] for name, row in measured.items()},
        "half_interval": round(_half_interval(scores["scores"], "likeness", calls), 3),
    }


def _cells(scores: Any, name: str, prompts: set[int]) -> dict[int, dict[tuple[int, int], float]]:
    found: dict[int, dict[tuple[int, int], float]] = {}
    for one in scores:
        if one["epoch"] and one["prompt"] in prompts and name in one["values"]:
            found.setdefault(one["epoch"], {})[one["prompt"], one["seed"]] = one["values"][name]
    return dict(sorted(found.items()))


def _row(scores: Any, name: str, prompts: set[int]) -> list[float]:
    return [float(np.mean(list(values.values()))) for values in _cells(scores, name, prompts).values()]


def _half_interval(scores: Any, name: str, prompts: set[int]) -> float:
    """Half of the 95 % interval of an epoch's mean over prompts and seeds, both drawn anew; the mean over epochs."""
    rng, found = np.random.default_rng(0), []
    for cells in _cells(scores, name, prompts).values():
        numbers, seeds = sorted({prompt for prompt, _ in cells}), sorted({seed for _, seed in cells})
        table = np.array([[cells[prompt, seed] for seed in seeds] for prompt in numbers])
        means = [
            table[rng.integers(len(numbers), size=len(numbers))][:, rng.integers(len(seeds), size=len(seeds))].mean()
            for _ in range(DRAWS)
        ]
        low, high = np.quantile(means, (0.025, 0.975))
        found.append((high - low) / 2)
    return float(np.mean(found))


def rank_correlation(one: Sequence[float], other: Sequence[float]) -> float | None:
    """Spearman's; None where one of them does not change."""
    ranks = [
        np.array([np.mean(np.flatnonzero(np.sort(row) == value)) for value in row])
        for row in map(np.asarray, (one, other))
    ]
    if min(rank.std() for rank in ranks) == 0:
        return None
    return float(np.corrcoef(np.stack(ranks))[0, 1])


PAIRS = (("likeness", "identity"), ("colour", "identity"), ("obedience", "obedience"), ("leak", "no_leak"))
"""Measures beside what the truth has of the same."""


def pair_of(run: Mapping[str, Values], measure: str, truth: str) -> tuple[list[float], list[float]]:
    """A run's epochs by a measure, cut to 0..1, and by the truth."""
    measured = [min(1.0, max(0.0, value)) for value in run["measured"][measure]]
    return ([1 - value for value in measured] if truth == "no_leak" else measured), list(run["truth"][truth])


def tables(results: Mapping[str, Any]) -> str:
    """The figures in words and tables."""
    lines = [
        "| measure | truth | rank correlation, all epochs | within runs | best epoch within 5 % | mean difference |",
        "|---|---|---|---|---|---|",
    ]
    lines += [_agreement(measure, truth, list(results.values())) for measure, truth in PAIRS]
    lines += [
        "",
        f"Within runs: the mean of those in which the truth moves by {MOVES:g} or more. Best epoch: in how many of",
        "these the truth of the epoch that measures best is within 5 % of the best epoch's.",
        "",
        "| run | likeness | identity | obedience | its truth | 1 - leak | its truth | damage | likeness +- |",
        "|---|---|---|---|---|---|---|---|---|",
    ]
    for name, run in results.items():
        cells = [
            _listed(row) for measure, truth in PAIRS if measure != "colour" for row in pair_of(run, measure, truth)
        ]
        ends = f"{_listed(run['measured']['damage'])} | {run['half_interval']:.2f} |"
        lines.append(f"| {name} | {' | '.join(cells)} | {ends}")
    return "\n".join(lines)


def _agreement(measure: str, truth: str, runs: Sequence[Mapping[str, Values]]) -> str:
    """A row of the first table."""
    pairs = [pair_of(run, measure, truth) for run in runs]
    moving = [pair for pair in pairs if max(pair[1]) - min(pair[1]) >= MOVES]
    own = [found for pair in moving if (found := rank_correlation(*pair)) is not None]
    hits = sum(true[int(np.argmax(measured))] >= 0.95 * max(true) for measured, true in moving)
    together = [[value for pair in pairs for value in pair[side]] for side in (0, 1)]
    apart = np.abs(np.array(together[0]) - np.array(together[1])).mean()
    over_all = rank_correlation(*together)
    assert over_all is not None
    return (
        f"| {measure} | {truth} | {over_all:.2f} | {np.mean(own):.2f} ({len(own)} runs) | {hits} of {len(moving)} | "
        f"{apart:.2f} |"
    )


def _listed(row: Sequence[float]) -> str:
    return " ".join(f"{value:.2f}".removeprefix("0") if value < 0.995 else f"{value:.1f}" for value in row)


def page(results: Mapping[str, Any], text: str) -> str:
    """The page's text with the figures in their place."""
    head, _, rest = text.partition(BEGIN)
    return f"{head}{BEGIN}\n{tables(results)}\n{END}{rest.partition(END)[2]}"


def main(arguments: Sequence[str] | None = None) -> None:
    """Collect the figures, or write the page."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("what", choices=("collect", "page"))
    parser.add_argument("work", type=Path, nargs="?")
    given = parser.parse_args(arguments)
    if given.what == "collect":
        RESULTS.write_text(json.dumps(collected(given.work), indent=1) + "\n", encoding="utf-8")
        return
    PAGE.write_text(page(json.loads(RESULTS.read_text("utf-8")), PAGE.read_text("utf-8")), encoding="utf-8")


if __name__ == "__main__":
    main()
