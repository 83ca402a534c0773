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
TEXT = """# The recommended epoch, and the best one

Made by `python -m benchmarks.choice final --work FOLDER --page` from an empty folder; what is there already is kept.
All figures: `benchmarks/results/choice.json`. Measured on {machine}.

On the embedded base model it is known which epoch is best: everything is drawn by our own code, so the character's
colours can be looked for at their places. {runs} trainings{of_design} were judged twice. They are of two
characters (the demo's, and one that nothing was tuned on), at three rates and two ranks, with and without pictures of
other people, 200 to 320 steps long:

- *Recommended*: what `advisor.choosing` says of the measures of `trainer.evaluate`, on pictures of {prompts} prompts
  and {seeds} seeds at each of 8 epochs.
- *True*: identity x obedience x no leak, by classifiers of colours in regions that no recommender sees, on other
  prompts and seeds, 32 pictures an epoch. What each is: `benchmarks/choice/truth.py`, written before the trainings.

Nothing was tuned on these runs: measures and thresholds were made on others (`DEVELOPMENT` in
`benchmarks/choice/design.py`, of other characters), and on some of the demo's character with other settings.
One exception, for the verdicts and not for the epochs: which fault is named first, and how little is too little to have
been learned, were changed after figures of these runs had been seen. Before that zuvi-burnt was called no_trigger and
zuvi-6e-3-rank16-brief underfit (five of six bad runs named, one of two good ones not called bad), with the same epochs.

## What came of it

| | |
|---|---|
| recommended epoch within 5 % of the best one's true score | {close} of {runs} |
| runs without a recommended epoch | {no_epoch} of {runs} |
| called tied, and of these within 5 % by the epoch to take | {tied_close} of {tied} |
| runs made to be bad that were named | {named_bad} of {bad} |
| runs made to be good that were not called bad | {named_good} of {good} |

Wanted are nine in ten within 5 %, all ties within 5 %, no epoch in at most three of 24, every bad run named and no good
one. What is short of that stands below.

| rule | mean true score | within 5 % of the best |
|---|---|---|
{rules}

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
        close=found["within_5_percent"],
        no_epoch=found["no_epoch"],
        tied=found["tied"],
        tied_close=found["tied_within_5_percent"],
        named_bad=sum(run["is_named"] for run in bad),
        bad=len(bad),
        named_good=sum(run["is_named"] for run in good),
        good=len(good),
        rules="\n".join(_rule_line(rule, found) for rule in (*RULES, "best")),
        misses=_misses(judged),
        table="\n".join(map(_line, judged)),
        bad_table="\n".join(f"| {run['run']} | {run['kind']} | {run['verdict']} | {run['reason']} |" for run in bad),
    )


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
        f"- {run['run']}: {_said(run)}, best {run['best']} ({1 - run['ratios'][CHOSEN]:.0%} less). {run['reason']}"
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
        f"{run['ratios'][CHOSEN]:.3f}", f"{run['confidence']:.2f}",
    )  # fmt: skip
    return f"| {' | '.join(cells)} |"


def write_results(outcomes: Sequence[Outcome], machine: Mapping[str, Any], asked: Mapping[str, int]) -> None:
    """Writes the results."""
    RESULTS.write_text(json.dumps(document(outcomes, machine, asked), indent=1) + "\n", encoding="utf-8")


def write_page() -> None:
    """Writes the page from the results."""
    PAGE.write_text(page(json.loads(RESULTS.read_text("utf-8"))), encoding="utf-8")
