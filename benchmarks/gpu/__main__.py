"""Steps on the card of this machine: seconds and memory of ours and of the recipe, and what is predicted of them.

    python -m benchmarks.gpu                          some seven minutes; writes JSON and a table among the results
    python -m benchmarks.gpu --seconds 200 --family sdxl --out FOLDER
    python -m benchmarks.gpu --device cpu --tiny      tries everything with small models, on a processor

No model is needed: weights are random. Each case is a process of its own, the most telling first; when the time is over
the rest is left out and named. What fails (memory, a missing package) is a result, and the others go on.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import sys
import time
from collections.abc import Sequence
from dataclasses import replace
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

from advisor.files import write_atomically
from advisor.machine.probe import probe_hardware
from benchmarks.gpu.cases import TINY_SIDE_PX, Case, chosen
from benchmarks.gpu.measure import measure_apart
from benchmarks.gpu.table import table
from benchmarks.scan_many import machine

RESULTS = Path(__file__).parents[1] / "results"
BUDGET_SECONDS = 420.0
FIRST_GUESS_SECONDS, MOST_SECONDS = 30.0, 100.0
"""What a case is expected to take before one of its family was measured; what one may take."""


def run_all(cases: Sequence[Case], *, device: str, tiny: bool, seconds: float, out: Path) -> dict[str, Any]:
    """Measure one after the other while there is time; the files are written anew after each."""
    began, took = time.monotonic(), dict[str, float]()
    document: dict[str, Any] = {
        "command": " ".join(["python -m benchmarks.gpu", *sys.argv[1:]]),
        "machine": _machine(device),
        "budget_seconds": seconds,
        "results": [],
        "left_out": [],
    }
    for case in cases:
        start = time.monotonic()
        left = began + seconds - start
        if took.get(case.family, FIRST_GUESS_SECONDS) > left:
            document["left_out"].append(case.name)
        else:
            document["results"].append({"name": case.name, "way": case.way, **_apart(case, device, tiny, left)})
            took[case.family] = time.monotonic() - start
            print(document["results"][-1], flush=True)
        write_atomically(out / "gpu.json", json.dumps(document, indent=1) + "\n")
        write_atomically(out / "gpu.md", table(document))
    return document


def _apart(case: Case, device: str, tiny: bool, left: float) -> dict[str, Any]:
    """What a process of its own found; it is ended when it takes too long."""
    # Of a server that has the libraries loaded and never touches the card.
    if sys.platform == "win32":
        context = multiprocessing.get_context("spawn")
    else:
        context = multiprocessing.get_context("forkserver")
        context.set_forkserver_preload(["benchmarks.gpu.measure"])
    reader, writer = context.Pipe(duplex=False)
    process = context.Process(target=measure_apart, args=(case, device, tiny, writer))
    process.start()
    writer.close()
    patience = min(MOST_SECONDS, left)
    answer = _answer(reader, patience)
    if answer is None:
        process.join(1)
        answer = {
            "failed": f"not done after {patience:.0f} s" if process.exitcode is None else _ended(process.exitcode)
        }
    process.kill()
    process.join()
    return answer


def _answer(reader: Connection, patience: float) -> dict[str, Any] | None:
    """What the process sent; None where it sent nothing."""
    try:
        return dict(reader.recv()) if reader.poll(patience) else None
    except EOFError:
        return None


def _ended(code: int) -> str:
    return f"the process ended by signal {-code}" if code < 0 else f"the process ended with {code}"


def _machine(device: str) -> str:
    if device == "cpu":
        return machine()
    card = probe_hardware(Path.cwd()).main_gpu
    return machine() if card is None else f"{card.name}, {machine()}"


def main() -> int:
    """Do what the command line says."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.gpu", description=__doc__)
    parser.add_argument("--device", default="cuda", help="cpu: to try the script (default: cuda)")
    parser.add_argument("--tiny", action="store_true", help="small models and pictures")
    parser.add_argument("--seconds", type=float, default=BUDGET_SECONDS)
    parser.add_argument("--family", action="append", default=[], help="repeatable; default: all")
    parser.add_argument("--out", type=Path, default=RESULTS)
    given = parser.parse_args()
    cases = chosen(tuple(given.family))
    if given.tiny:
        cases = tuple(dict.fromkeys(replace(case, side_px=TINY_SIDE_PX) for case in cases))
    given.out.mkdir(parents=True, exist_ok=True)
    document = run_all(cases, device=given.device, tiny=given.tiny, seconds=given.seconds, out=given.out)
    print(table(document))
    return 0 if any("measured" in found for found in document["results"]) else 1


if __name__ == "__main__":
    raise SystemExit(main())
