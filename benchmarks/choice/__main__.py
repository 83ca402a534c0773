"""Runs a set, and writes what came of the final one: `python -m benchmarks.choice final --work FOLDER --page`.

What is there is kept, so a set that was broken off goes on where it was.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import torch

from benchmarks.choice.design import SETS
from benchmarks.choice.page import write_page, write_results
from benchmarks.choice.prompts import SEEDS, prompts_of
from benchmarks.choice.run import Work
from benchmarks.choice.truth import PROMPTS
from benchmarks.choice.truth import SEEDS as TRUTH_SEEDS
from benchmarks.demo_model.evaluate import machine

STAGES = ("train", "draw", "truth", "measure")
JUDGE = "judge"
"""No stage of a run: what is there is judged."""


def _do(work: Work, stages: Sequence[str]) -> None:
    """One run's stages, in this process, on one thread."""
    torch.set_num_threads(1)
    if "train" in stages:
        work.train()
    if "draw" in stages:
        work.draw()
    if "truth" in stages:
        work.measure_truth()
    if "measure" in stages:
        work.measure()


def _in_child(work: Work, stages: Sequence[str], given: argparse.Namespace) -> int:
    """The same in a process of its own."""
    command = [sys.executable, "-m", "benchmarks.choice", given.set, "--work", str(given.work), "--run", work.spec.name]
    return subprocess.run([*command, *(f"--stage={stage}" for stage in stages)], check=False).returncode


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.choice", description=__doc__)
    parser.add_argument("set", choices=list(SETS))
    parser.add_argument("--work", type=Path, required=True, help="folder for characters, runs and pictures (1 GB)")
    parser.add_argument("--stage", action="append", choices=(*STAGES, JUDGE), help="repeatable; default: all")
    parser.add_argument("--run", help="only this one, in this process")
    parser.add_argument("--processes", type=int, default=2, help="runs side by side, each on one thread")
    parser.add_argument("--page", action="store_true", help="write benchmarks/results/choice.json and docs/choosing.md")
    return parser.parse_args()


def main() -> None:
    """Do what the command line says."""
    given = _arguments()
    stages = given.stage or STAGES
    works = [Work(spec, given.work.absolute(), given.set) for spec in SETS[given.set]]
    if given.run:
        _do(next(work for work in works if work.spec.name == given.run), stages)
        return
    for work in works:
        work.write_pictures()
    with ThreadPoolExecutor(given.processes) as pool:
        todo = [] if stages == [JUDGE] else works
        codes = list(pool.map(lambda work: _in_child(work, stages, given), todo))
    outcomes = [work.outcome() for work in works if work.is_judged]
    for one in outcomes:
        print(f"{one.name}: {one.chosen.verdict}, {one.chosen.reason}")
    if given.page:
        asked = {"prompts": len(prompts_of("")), "seeds": len(SEEDS), "truth_pictures": 2 * PROMPTS * len(TRUTH_SEEDS)}
        write_results(outcomes, machine(), asked)
        write_page()
    sys.exit(max(codes, default=0))


if __name__ == "__main__":
    main()
