"""How long a cached training takes to the end of its first step, its check after the last LoRA and its end.

    python -m benchmarks.start_up RUN                        this tree, writes benchmarks/results/start_up.json
    python -m benchmarks.start_up RUN --beside TREE          another checkout first, in turns, and the ratios

RUN is a planned run, e.g. of a checkpoint of `benchmarks.make_checkpoint`; what is measured trains one step in a copy
of it, once before to fill the caches. Seconds count from the start of the process; processor seconds, which other work
on the machine moves less, are of the whole process. Figures are medians of the turns.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from advisor.run_folder.layout import RunFolder
from benchmarks.scan_many import machine
from wizard.processes.child import child_environment

HERE = Path(__file__).parents[1]
RESULT = HERE / "benchmarks" / "results" / "start_up.json"
Figures = dict[str, float]


def one_step_of(run: Path, to: Path) -> Path:
    """A copy of what a run was planned as, which trains one step."""
    to.mkdir()
    for name in ("loracle.toml", "plan.json", "answers.toml"):
        shutil.copy(run / name, to / name)
    config = to / "loracle.toml"
    text = re.sub(r"(?m)^max_steps = \d+", "max_steps = 1", config.read_text(encoding="utf-8"))
    config.write_text(text, encoding="utf-8")
    return to


def train_once(tree: Path, run: Path) -> Figures:
    """Train the run anew with the code of a checkout; what of the time each part took."""
    folder = RunFolder(run)
    for name in ("log", "state", "model"):
        shutil.rmtree(run / name, ignore_errors=True)
    environment = child_environment(os.environ, on_processor=True) | {"PYTHONPATH": str(tree)}
    start = time.time()
    child = subprocess.Popen([sys.executable, "-P", "-m", "trainer", str(run)], env=environment, cwd=tree)
    _, status, used = os.wait4(child.pid, 0)
    end = time.time()
    if status != 0:
        raise SystemExit(f"{tree}: the training of {run} ended with {status}")
    at = {}
    for line in folder.events.read_text(encoding="utf-8").splitlines():
        event = json.loads(line)
        at[f"{event['event']} {event.get('name', '')}".strip()] = event["t"]
    return {
        "imported": at["started"] - start,
        "ready for the first step": at["phase train"] - start,
        "first step done": at["step"] - start,
        "check": at["reload_check"] - at["phase check"],
        "process ended after its last event": end - at["finished"],
        "all": end - start,
        "processor seconds": used.ru_utime + used.ru_stime,
    }


def medians(turns: list[Figures]) -> Figures:
    """Of each figure."""
    return {name: round(statistics.median(turn[name] for turn in turns), 2) for name in turns[0]}


def main() -> None:
    """Measure in turns, and write the figures."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("run", type=Path)
    parser.add_argument("--beside", type=Path, help="a checkout that is measured first in each turn")
    parser.add_argument("--turns", type=int, default=3)
    parser.add_argument("--out", type=Path, default=RESULT)
    given = parser.parse_args()
    trees = {"before": given.beside.resolve(), "now": HERE} if given.beside else {"now": HERE}
    found: dict[str, list[Figures]] = {name: [] for name in trees}
    with tempfile.TemporaryDirectory() as folder:
        run = one_step_of(given.run, Path(folder) / "run")
        train_once(HERE, run)
        for turn in range(given.turns):
            for name, tree in trees.items():
                found[name].append(train_once(tree, run))
                print(turn, name, {part: round(value, 2) for part, value in found[name][-1].items()}, flush=True)
    figures: dict[str, object] = {
        "command": f"python -m benchmarks.start_up RUN{' --beside TREE' * (len(trees) > 1)}",
        "machine": machine(),
        "load": round(os.getloadavg()[0], 1),
    }
    each = {name: medians(turns) for name, turns in found.items()}
    figures |= each
    if "before" in each:
        figures["ratio"] = {part: round(each["now"][part] / before, 2) for part, before in each["before"].items()}
    given.out.write_text(json.dumps(figures, indent=2) + "\n", encoding="utf-8")
    print(json.dumps(figures, indent=2))


if __name__ == "__main__":
    main()
