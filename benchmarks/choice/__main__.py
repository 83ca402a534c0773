"""Runs a set and writes what came of it: `python -m benchmarks.choice final --work FOLDER`; what is there is kept."""

from __future__ import annotations

import argparse
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from benchmarks.choice.design import SETS
from benchmarks.choice.run import Work

STAGES = ("train", "draw", "measure", "truth")


def _do(work: Work, stages: list[str]) -> None:
    """One run's stages, in this process."""
    import torch

    torch.set_num_threads(1)
    if "train" in stages:
        work.train()
    if "draw" in stages:
        work.draw()
    if "measure" in stages:
        work.measure()
    if "truth" in stages:
        work.measure_truth()


def _in_child(work: Work, stages: list[str], given: argparse.Namespace) -> int:
    """The same in a process of its own."""
    command = [sys.executable, "-m", "benchmarks.choice", given.set, "--work", str(given.work), "--run", work.spec.name]
    return subprocess.run([*command, *(f"--stage={stage}" for stage in stages)], check=False).returncode


def main() -> None:
    """Parses the command line and does what it says."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.choice", description=__doc__)
    parser.add_argument("set", choices=list(SETS))
    parser.add_argument("--stage", action="append", choices=STAGES, help="repeatable; default: all")
    parser.add_argument("--work", type=Path, required=True, help="folder for characters, runs and pictures (1 GB)")
    parser.add_argument("--run", help="only this one, in this process")
    parser.add_argument("--processes", type=int, default=2, help="runs side by side, each on one thread")
    given = parser.parse_args()
    stages = given.stage or list(STAGES)
    works = [Work(spec, given.work.absolute(), given.set) for spec in SETS[given.set]]
    if given.run:
        _do(next(work for work in works if work.spec.name == given.run), stages)
        return
    for work in works:
        work.write_pictures()
    with ThreadPoolExecutor(given.processes) as pool:
        codes = list(pool.map(lambda work: _in_child(work, stages, given), works))
    sys.exit(max(codes))


if __name__ == "__main__":
    main()
