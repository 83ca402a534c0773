"""Predictions beside what others published, row by row: `python -m benchmarks.public_figures`.

    python -m benchmarks.public_figures           prints ratio and error of each row, of each source and of all
    python -m benchmarks.public_figures --fit     prints the constants of `advisor.estimate.device_speed` that fit best
    python -m benchmarks.public_figures --page    writes the results, docs/time.md and docs/memory.md

The rows are in `benchmarks.public_rows`. Each time is also predicted by constants fitted without its source.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

from advisor.files import write_atomically
from benchmarks.memory_grid import write_page
from benchmarks.public_fit import fit_cases, fitted, memory, times
from benchmarks.public_page import TIME_PAGE, lines, time_page

RESULTS = Path(__file__).parent / "results" / "public_figures.json"


def main(arguments: Sequence[str] | None = None) -> int:
    """Print the tables, or write them."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.public_figures", description=__doc__)
    parser.add_argument("--fit", action="store_true", help="print the constants that fit best")
    parser.add_argument("--page", action="store_true", help="write the results, docs/time.md and docs/memory.md")
    given = parser.parse_args(arguments)
    if given.fit:
        print(fitted(fit_cases()))
    elif given.page:
        found = {"memory": [asdict(row) for row in memory()], "time": [asdict(row) for row in times()]}
        write_atomically(RESULTS, json.dumps(found, indent=1) + "\n")
        write_atomically(TIME_PAGE, time_page(times()))
        write_page()
    else:
        print("\n".join(lines(memory(), times())))
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
