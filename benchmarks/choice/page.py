"""docs/choosing.md and the results behind it: which epochs were recommended, and what they are worth."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from advisor.units import counted
from benchmarks.choice.design import BAD, SETS, SetName, Spec
from benchmarks.choice.outcome import CHOSEN, CLOSE, LAST, TRAINING_LOSS, VALIDATION_LOSS, Outcome, totals
from benchmarks.choice.page_text import AGAIN, HISTORY, TEXT

ROOT = Path(__file__).parents[2]
RESULTS = ROOT / "benchmarks" / "results" / "choice.json"
PAGE = ROOT / "docs" / "choosing.md"
RULES = (CHOSEN, LAST, TRAINING_LOSS, VALIDATION_LOSS)


@dataclass(frozen=True)
class Commits:
    """What code made the results."""

    design: str = ""
    """That a set was begun with: its runs, prompts and truth, and what draws and measures."""
    choice: str = ""
    """By which it was judged."""


def document(
    outcomes: Sequence[Outcome],
    machine: Mapping[str, Any],
    asked: Mapping[str, int],
    set_name: SetName = "final",
    commits: Commits = Commits(),
) -> dict[str, Any]:
    """What is kept of a set, as JSON.

    Args:
        outcomes: Of all runs.
        machine: What it was measured on.
        asked: Prompts and seeds of the recommender.
        commits: Of what is judged, and of what judges.
    """
    judged = [one for one in outcomes if one.kind not in BAD]
    return {
        "set": set_name,
        "command": f"python -m benchmarks.choice {set_name} --work FOLDER --page",
        "machine": dict(machine),
        "design": commits.design,
        "choice": commits.choice,
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
    if said.seeds:
        row["seeds"] = said.seeds
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
        command=results["command"],
        design_name=results["set"].upper(),
        history=HISTORY[results["set"]].format(design=results["design"], choice=results["choice"]),
        again=_again(results),
        machine=f"{machine['processor']}, {machine['cores']} cores that other work used too, torch {machine['torch']}",
        runs=found["runs"],
        of_design=_of_design(runs, SETS[results["set"]]),
        prompts=results["asked"]["prompts"],
        seeds=results["asked"]["seeds"],
        truth_pictures=_truth_pictures(results["asked"]),
        drawn_on=_drawn_on(runs, results["asked"]["seeds"]),
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


def _truth_pictures(asked: Mapping[str, int]) -> str:
    """How many pictures an epoch's truth is of."""
    first, most = asked["truth_pictures"], asked.get("most_truth_pictures")
    return f"{first} to {most} pictures" if most else f"{first} pictures"


def _drawn_on(runs: Sequence[Mapping[str, Any]], seeds: int) -> str:
    """In how many runs further seeds were drawn; empty of results before that was done."""
    more = [run["seeds"] for run in runs if run.get("seeds", seeds) > seeds]
    if not any("seeds" in run for run in runs):
        return ""
    if not more:
        return " None of these runs needed more to tell."
    runs_of = counted(len(more), "run")
    return f" In {runs_of} that did not tell, and prompts with the trigger were drawn from up to {max(more)}."


def _sure_line(row: Mapping[str, Any]) -> str:
    return f"| {row['from']:.2f} to {row['to']:.2f} | {row['runs']} | {row['told']:.2f} | {row['close']} |"


def _of_design(runs: Sequence[Mapping[str, Any]], design: Sequence[Spec]) -> str:
    """What of the design is not in the results."""
    missing = [spec.name for spec in design if spec.name not in {run["run"] for run in runs}]
    return f" (of a design of {len(design)}; not run: {', '.join(missing)})" if missing else ""


def _again(results: Mapping[str, Any]) -> str:
    """What the same choices come to by another truth; empty where they were judged once."""
    found = results.get("again")
    if not found:
        return ""
    runs, close = len(found["runs"]), found["within_5_percent_by_rule"]
    lines = (
        f"| {rule} | {mean:.3f} | {close.get(rule, runs)} of {runs} |" for rule, mean in found["mean_score"].items()
    )
    return AGAIN.format(
        pictures=found["pictures"],
        seeds=found["pictures"] // 2,
        runs=runs,
        close=close[CHOSEN],
        tied=found["tied"],
        tied_close=found["tied_within_5_percent"],
        first_best=found["first_best_within_5_percent"],
        rules="\n".join(lines),
        table="\n".join(
            _again_line(run, found["runs"][run["run"]]) for run in results["runs"] if run["run"] in found["runs"]
        ),
    )


def _again_line(run: Mapping[str, Any], row: Mapping[str, Any]) -> str:
    truth, taken = row["truth"], row["ratios"][CHOSEN]
    scores = ", ".join(f"{score:.2f}" for score in truth.values())
    return f"| {run['run']} | {scores} | {row['best']} | {_said(run)} | {run['ratios'][CHOSEN]:.3f} | {taken:.3f} |"


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


def write_results(results: Mapping[str, Any]) -> None:
    """Writes the results."""
    RESULTS.write_text(json.dumps(results, indent=1) + "\n", encoding="utf-8")


def read_results() -> dict[str, Any]:
    """The results that are there."""
    found: dict[str, Any] = json.loads(RESULTS.read_text("utf-8"))
    return found


def write_page() -> None:
    """Writes the page from the results."""
    PAGE.write_text(page(read_results()), encoding="utf-8")
