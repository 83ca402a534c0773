"""docs/choosing.md and the results behind it: which epochs were recommended, and what they are worth."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from benchmarks.choice.design import BAD, FINAL
from benchmarks.choice.outcome import CHOSEN, CLOSE, LAST, TRAINING_LOSS, VALIDATION_LOSS, Outcome, totals

ROOT = Path(__file__).parents[2]
RESULTS = ROOT / "benchmarks" / "results" / "choice.json"
PAGE = ROOT / "docs" / "choosing.md"
RULES = (CHOSEN, LAST, TRAINING_LOSS, VALIDATION_LOSS)
DESIGN, FROZEN = "77fa894", "fbd9c33"
"""The commits of the runs, and of the choice that judged; what has changed since is told on the page."""
TEXT = """# The recommended epoch, and the best one

Made by `python -m benchmarks.choice final --work FOLDER --page` from an empty folder; what is there already is kept.
All figures: `benchmarks/results/choice.json`. Measured on {machine}.

On the embedded base model it is known which epoch is best: everything is drawn by our own code, so the character's
colours can be looked for at their places. {runs} trainings{of_design} were judged twice. They are of two characters
whom no other set has, at two rates and two ranks, 120 to 320 steps long; two in three train the character alone, half
of these at a rate that does not fall (`FINAL` in `benchmarks/choice/design.py`). In {passed} of them the best epoch is
not the last.

- *Recommended*: what `advisor.choosing` says of the measures of `trainer.evaluate`, on pictures of {prompts} prompts
  and {seeds} seeds at each of 6 or 8 epochs.
- *True*: identity x obedience x no leak, by classifiers of colours in regions that no recommender sees, on other
  prompts and seeds, {truth_pictures} pictures an epoch. What each is: `benchmarks/choice/truth.py`.

Nothing was tuned on these runs. Runs, prompts and truth were fixed before they were begun (commit {design}). While they
trained, the choice was still changed, on older runs alone; it was fixed before any of their pictures was drawn (commit
{frozen}), and judged once. What it was tuned on: `DEVELOPMENT`, `FIRST` and `SECOND`, which this page was about before.
As the choice was when it first saw them, 17 of 24 of `FIRST` were within 5 % of the best (5 of 8 ties; commit e10cc13),
and 20 of 24 of `SECOND` (3 of 5 ties, mean true score 0.378, last epoch 0.382; commit 78d7486).

Since then one thing was changed, after these runs had been seen: where too little was learned, the latest epoch is now
taken also where it looks damaged, as it was meant to be; before, two runs were given epoch 1 and epoch 3. The present
choice takes 14 of these 24 within 5 %, with a mean of 0.404. That is no judgement: all below is what was judged.

## What came of it

| | |
|---|---|
| recommended epoch within 5 % of the best one's true score | {close} of {runs} |
| runs without a recommended epoch | {no_epoch} of {runs} |
| called tied, and of these within 5 % by the epoch to take | {tied_close} of {tied} |
| runs made to be bad that were named | {named_bad} of {bad} |
| runs made to be good that were not called bad | {named_good} of {good} |

Wanted are nine in ten within 5 %, all ties within 5 %, no epoch in at most three of 24, every bad run named and no good
one.{short}

| rule | mean true score | within 5 % of the best |
|---|---|---|
{rules}

The truth has an error of its own: the ratio of the recommended epoch's score to the best one's is known within +- what
stands beside it (one standard error, by a bootstrap over the truth's prompts), and the best of several epochs is in
part the luckiest. Of the misses {beyond} lie two standard errors or more beyond 5 %.

## How sure it was

| told | runs | told on average | within 5 % |
|---|---|---|---|
{reliability}

On average it said {mean_confidence:.2f}; {share_close:.2f} were within 5 %.

## Misses

{misses}

## All runs

True scores; *best*, *last* and the epochs of lowest loss with their true scores. Ratio: of the recommended epoch's to
the best's.

| run | said | epoch | score | best | last | lowest training loss | lowest validation loss | ratio | sure |
|---|---|---|---|---|---|---|---|---|---|
{table}

## Runs that were made to be bad

| run | made to be | said | sentence |
|---|---|---|---|
{bad_table}
"""


def document(outcomes: Sequence[Outcome], machine: Mapping[str, Any], asked: Mapping[str, int]) -> dict[str, Any]:
    """What is kept of a set, as JSON.

    Args:
        outcomes: Of all runs.
        machine: What it was measured on.
        asked: Prompts and seeds of the recommender.
    """
    judged = [one for one in outcomes if one.kind not in BAD]
    return {
        "command": "python -m benchmarks.choice final --work FOLDER --page",
        "machine": dict(machine),
        "design": DESIGN,
        "choice": FROZEN,
        "asked": dict(asked),
        "totals": totals(judged),
        "runs": [_row(one) for one in outcomes],
    }


def _row(one: Outcome) -> dict[str, Any]:
    said = one.chosen
    row: dict[str, Any] = {
        "run": one.name,
        "kind": one.kind,
        "verdict": said.verdict,
        "epoch": said.epoch,
        "tied": list(said.tied),
        "confidence": round(said.confidence, 3),
        "reason": said.reason,
        "is_named": one.is_named,
    }
    if one.truth:
        row |= {
            "truth": {str(epoch): round(score, 4) for epoch, score in one.truth.items()},
            "best": one.best,
            "epochs": {rule: one.epoch_by(rule) for rule in RULES},
            "ratios": {rule: round(one.ratio(rule), 4) for rule in RULES},
            "ratio_error": round(one.ratio_error, 4),
        }
    return row


def page(results: Mapping[str, Any]) -> str:
    """The page as Markdown."""
    runs, found = results["runs"], results["totals"]
    bad = [run for run in runs if run["kind"] in BAD]
    judged, good = [run for run in runs if run not in bad], [run for run in runs if run["kind"] == "good"]
    machine = results["machine"]
    return TEXT.format(
        machine=f"{machine['processor']}, {machine['cores']} cores that other work used too, torch {machine['torch']}",
        runs=found["runs"],
        of_design=_of_design(runs),
        prompts=results["asked"]["prompts"],
        seeds=results["asked"]["seeds"],
        truth_pictures=results["asked"]["truth_pictures"],
        design=results["design"],
        frozen=results["choice"],
        passed=sum(run["best"] != run["epochs"][LAST] for run in judged),
        close=found["within_5_percent"],
        no_epoch=found["no_epoch"],
        tied=found["tied"],
        tied_close=found["tied_within_5_percent"],
        named_bad=sum(run["is_named"] for run in bad),
        bad=len(bad),
        named_good=sum(run["is_named"] for run in good),
        good=len(good),
        rules="\n".join(_rule_line(rule, found) for rule in (*RULES, "best")),
        short="" if _is_reached(found, bad, good) else " What is short of that stands below.",
        beyond=sum(run["ratios"][CHOSEN] + 2 * run["ratio_error"] < 1 - CLOSE for run in judged),
        reliability="\n".join(map(_sure_line, found["reliability"])),
        mean_confidence=found["mean_confidence"],
        share_close=found["within_5_percent"] / found["runs"],
        misses=_misses(judged),
        table="\n".join(map(_line, judged)),
        bad_table="\n".join(f"| {run['run']} | {run['kind']} | {run['verdict']} | {run['reason']} |" for run in bad),
    )


def _is_reached(found: Mapping[str, Any], bad: Sequence[Mapping[str, Any]], good: Sequence[Mapping[str, Any]]) -> bool:
    """Whether all that is wanted is there."""
    return bool(
        found["within_5_percent"] >= 0.9 * found["runs"]
        and found["tied"] == found["tied_within_5_percent"]
        and found["no_epoch"] <= 3
        and all(run["is_named"] for run in (*bad, *good))
    )


def _sure_line(row: Mapping[str, Any]) -> str:
    return f"| {row['from']:.2f} to {row['to']:.2f} | {row['runs']} | {row['told']:.2f} | {row['close']} |"


def _of_design(runs: Sequence[Mapping[str, Any]]) -> str:
    """What of the design is not in the results."""
    missing = [spec.name for spec in FINAL if spec.name not in {run["run"] for run in runs}]
    return f" (of a design of {len(FINAL)}; not run: {', '.join(missing)})" if missing else ""


def _rule_line(rule: str, found: Mapping[str, Any]) -> str:
    close = found["within_5_percent_by_rule"].get(rule, found["runs"])
    return f"| {rule} | {found['mean_score'][rule]:.3f} | {close} of {found['runs']} |"


def _misses(judged: Sequence[Mapping[str, Any]]) -> str:
    missed = [run for run in judged if run["ratios"][CHOSEN] < 1 - CLOSE]
    if not missed:
        return "None."
    return "\n".join(
        f"- {run['run']}: {_said(run)}, best {run['best']} ({1 - run['ratios'][CHOSEN]:.0%} less, "
        f"+- {run['ratio_error']:.0%}). {run['reason']}"
        for run in sorted(missed, key=lambda run: float(run["ratios"][CHOSEN]))
    )


def _said(run: Mapping[str, Any]) -> str:
    return "no epoch" if run["epoch"] is None else f"epoch {run['epoch']}"


def _line(run: Mapping[str, Any]) -> str:
    truth, epochs = run["truth"], run["epochs"]

    def scored(epoch: int | None) -> str:
        return "-" if epoch is None else f"{epoch}: {truth[str(epoch)]:.3f}"

    cells = (
        run["run"], run["verdict"], scored(run["epoch"]).partition(":")[0],
        "-" if run["epoch"] is None else f"{truth[str(run['epoch'])]:.3f}",
        scored(run["best"]), *(scored(epochs[rule]) for rule in (LAST, TRAINING_LOSS, VALIDATION_LOSS)),
        f"{run['ratios'][CHOSEN]:.3f} +- {run['ratio_error']:.3f}", f"{run['confidence']:.2f}",
    )  # fmt: skip
    return f"| {' | '.join(cells)} |"


def write_results(outcomes: Sequence[Outcome], machine: Mapping[str, Any], asked: Mapping[str, int]) -> None:
    """Writes the results."""
    RESULTS.write_text(json.dumps(document(outcomes, machine, asked), indent=1) + "\n", encoding="utf-8")


def write_page() -> None:
    """Writes the page from the results."""
    PAGE.write_text(page(json.loads(RESULTS.read_text("utf-8"))), encoding="utf-8")
