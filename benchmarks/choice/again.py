"""What was judged once, judged again by another truth: the epochs that were taken stay as they are."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from statistics import fmean
from typing import Any

import numpy as np

from benchmarks.choice.outcome import CHOSEN, CLOSE
from benchmarks.choice.truth import EpochTruth, bootstrap, true_scores


def judged_again(runs: Sequence[Mapping[str, Any]], truths: Mapping[str, Sequence[EpochTruth]]) -> dict[str, Any]:
    """What the epochs that rules took of runs are worth by these truths, for JSON.

    Args:
        runs: as the results have them.
        truths: by the name of a run; runs without are left out.
    """
    rows = {run["run"]: _row(run, truths[run["run"]]) for run in runs if truths.get(run["run"])}
    ties = [run["run"] for run in runs if run["run"] in rows and run["verdict"] == "tied"]
    rules = runs[0]["epochs"] if rows else {}
    of_rule = {rule: [row["ratios"][rule] for row in rows.values()] for rule in rules}
    best = [max(row["truth"].values()) for row in rows.values()]
    means = {rule: fmean(row["scores"][rule] for row in rows.values()) for rule in rules}
    return {
        "pictures": max((len(found[0].identity) + len(found[0].leak) for found in truths.values() if found), default=0),
        "runs": rows,
        "within_5_percent_by_rule": {rule: sum(map(_is_close, ratios)) for rule, ratios in of_rule.items()},
        "mean_score": {rule: round(mean, 4) for rule, mean in {**means, "best": fmean(best)}.items()} if rows else {},
        "tied": len(ties),
        "tied_within_5_percent": sum(_is_close(rows[name]["ratios"][CHOSEN]) for name in ties),
        "epoch_error": round(fmean(row["epoch_error"] for row in rows.values()), 4) if rows else 0.0,
        "first_best_within_5_percent": sum(_is_close(row["first_best"]) for row in rows.values()),
    }


def _row(run: Mapping[str, Any], truths: Sequence[EpochTruth]) -> dict[str, Any]:
    scores, by_epoch = true_scores(truths), bootstrap(truths)
    best = min(scores, key=lambda epoch: (-scores[epoch], epoch))
    taken = {rule: 0.0 if epoch is None else scores[epoch] for rule, epoch in run["epochs"].items()}
    good = [
        float(np.std(draw / by_epoch[best]))
        for epoch, draw in by_epoch.items()
        if epoch != best and scores[epoch] > scores[best] / 2 and by_epoch[best].min() > 0
    ]
    return {
        "truth": {str(epoch): round(score, 4) for epoch, score in scores.items()},
        "best": best,
        "scores": {rule: round(score, 4) for rule, score in taken.items()},
        "ratios": {rule: round(score / scores[best], 4) for rule, score in taken.items()},
        "first_best": round(scores[run["best"]] / scores[best], 4),
        "epoch_error": round(fmean(good), 4) if good else 0.0,
    }


def _is_close(ratio: float) -> bool:
    return ratio >= 1 - CLOSE
