"""Runs a set, and writes what came of it: `python -m benchmarks.choice fifth --work FOLDER --page`.

What is there is kept, so a set that was broken off goes on where it was: begin with an empty folder. Judged is by the
code as it is, which may be a later one than a set was begun with (`--stage judge --page`): commit it before. Both
commits stand in the results.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import torch

from advisor.files import is_there, write_atomically
from benchmarks.choice.again import judged_again
from benchmarks.choice.design import SETS
from benchmarks.choice.outcome import Outcome
from benchmarks.choice.page import ROOT, Commits, document, read_results, write_page, write_results
from benchmarks.choice.prompts import SEEDS, prompts_of
from benchmarks.choice.run import Work
from benchmarks.choice.truth import MOST_PICTURES, PICTURES
from benchmarks.demo_model.evaluate import machine

STAGES = ("train", "draw", "truth", "measure")
JUDGE = "judge"
"""No stage of a run: what is there is judged."""


def _do(work: Work, stages: Sequence[str], again: int) -> None:
    """One run's stages, in this process, on one thread."""
    torch.set_num_threads(1)
    if again:
        work.measure_truth_again(again)
        return
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
    command += ["--again", str(given.again)] if given.again else [f"--stage={stage}" for stage in stages]
    return subprocess.run(command, check=False).returncode


def _begun_with(folder: Path) -> str:
    """The commit that a set was begun with, kept in its folder: what trained, drew and measured it."""
    file = folder / "commit"
    if not is_there(file):
        write_atomically(file, _code() + "\n")
    return file.read_text("utf-8").strip()


def _code() -> str:
    """The commit of the code that runs, with `-dirty` where files differ from it."""
    command = ["git", "describe", "--always", "--dirty", "--exclude=*"]
    return subprocess.run(command, check=True, capture_output=True, text=True, cwd=ROOT).stdout.strip()


def _write(works: Sequence[Work], outcomes: Sequence[Outcome], given: argparse.Namespace) -> None:
    """The results and the page."""
    if given.again:
        results = read_results()
        results["again"] = judged_again(results["runs"], {work.spec.name: work.truths_again() for work in works})
    else:
        truth = {"truth_pictures": 2 * PICTURES, "most_truth_pictures": 2 * MOST_PICTURES}
        asked = {"prompts": len(prompts_of("")), "seeds": len(SEEDS), **truth}
        commits = Commits(design=_begun_with(given.work / given.set), choice=_code())
        results = document(outcomes, machine(), asked, given.set, commits)
    write_results(results)
    write_page()


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.choice", description=__doc__)
    parser.add_argument("set", choices=list(SETS))
    parser.add_argument("--work", type=Path, required=True, help="folder for characters, runs and pictures (1 GB)")
    parser.add_argument("--stage", action="append", choices=(*STAGES, JUDGE), help="repeatable; default: all")
    parser.add_argument("--run", help="only this one, in this process")
    parser.add_argument(
        "--again",
        type=int,
        default=0,
        metavar="N",
        help="judge the epochs in benchmarks/results/choice.json, whose truth was of one seed, again: by the truth of "
        "N prompts with the trigger and N without",
    )
    parser.add_argument("--processes", type=int, default=2, help="runs side by side, each on one thread")
    parser.add_argument("--page", action="store_true", help="write benchmarks/results/choice.json and docs/choosing.md")
    return parser.parse_args()


def main() -> None:
    """Do what the command line says."""
    given = _arguments()
    stages = given.stage or STAGES
    works = [Work(spec, given.work.absolute(), given.set) for spec in SETS[given.set]]
    if given.run:
        _do(next(work for work in works if work.spec.name == given.run), stages, given.again)
        return
    if not given.again:
        _begun_with(given.work / given.set)
    for work in works:
        work.write_pictures()
    with ThreadPoolExecutor(given.processes) as pool:
        todo = [] if stages == [JUDGE] else works
        codes = list(pool.map(lambda work: _in_child(work, stages, given), todo))
    outcomes = [] if given.again else [work.outcome() for work in works if work.is_judged]
    for one in outcomes:
        print(f"{one.name}: {one.chosen.verdict}, {one.chosen.reason}")
    if given.page:
        _write(works, outcomes, given)
    sys.exit(max(codes, default=0))


if __name__ == "__main__":
    main()
