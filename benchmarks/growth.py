"""How planning and the look-up of a cache grow with the number of pictures.

    python -m benchmarks.growth --model FILE                  5,000 and 50,000, writes benchmarks/results/growth.json
    python -m benchmarks.growth --model FILE --counts 500 5000

`plan` runs as its user runs it, over the pictures of `benchmarks.scan_many`; its memory is the process's highest. A
cache is looked through as a start does that finds all in it: by reading each entry, and by what is remembered of them.
Processor seconds, which other work on the machine moves less than seconds by the clock; of the look-up less those that
the process takes to start. `growth` is what the largest set's figure is of the smallest's, each by its number of
pictures: at most 1 is linear.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

from benchmarks.scan_many import machine, write_pictures

RESULT = Path(__file__).parent / "results" / "growth.json"
ENTRY = (4, 16, 16)
"""Latents of 128 px."""
Figures = dict[str, float]


def measure(command: list[str]) -> tuple[float, float]:
    """Processor seconds and highest memory in GiB of a command."""
    with tempfile.TemporaryFile() as output:
        child = subprocess.Popen([sys.executable, "-m", *command], stdout=output, stderr=output)
        _, status, used = os.wait4(child.pid, 0)
        if status != 0:
            output.seek(0)
            raise SystemExit(output.read().decode("utf-8", "replace"))
    return used.ru_utime + used.ru_stime, used.ru_maxrss / 2**20


def figures_of(count: int, model: Path) -> Figures:
    """Of so many pictures."""
    with tempfile.TemporaryDirectory() as folder:
        images, cache = Path(folder) / "images", Path(folder) / "cache"
        images.mkdir()
        write_pictures(images, count)
        plan, memory = measure(
            ["wizard.cli", "plan", "--images", str(images), "--model", str(model), "--name", "tok", "--json"]
        )
        own = ["benchmarks.growth", "--model", str(model), "--cache", str(cache), "--counts"]
        measure([*own, str(count), "--fill"])  # not here: a child's highest memory is at least its parent's
        start, _ = measure([*own, "0"])
        first, again = (measure([*own, str(count)])[0] - start for _ in range(2))
    return {
        "plan_seconds": round(plan, 2),
        "plan_memory_gib": round(memory, 3),
        "look_up_reading_seconds": round(first, 2),
        "look_up_remembered_seconds": round(again, 2),
        "look_up_ratio": round(again / first, 2),
    }


def fill_cache(folder: Path, count: int) -> None:
    """Write so many entries, as a version wrote them that remembered nothing."""
    import torch

    from trainer.data.tensor_cache import TensorCache

    cache = TensorCache(folder)
    for number in range(count):
        cache.put(key(number), {"latents": torch.full(ENTRY, float(number))})


def look_up(folder: Path, count: int) -> None:
    """Look for every entry, and remember."""
    from trainer.data.tensor_cache import TensorCache

    cache = TensorCache(folder)
    if not all(cache.has(key(number)) for number in range(count)):
        raise SystemExit("an entry is missing")
    cache.remember()


def key(number: int) -> str:
    """An entry's, spread over the folders as hashes are."""
    return f"{number * 2654435761 % 2**32:08x}{number:032x}"


def main() -> None:
    """Measure each number of pictures, and write the figures."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--model", type=Path, required=True)
    parser.add_argument("--counts", type=int, nargs="+", default=[5_000, 50_000])
    parser.add_argument("--out", type=Path, default=RESULT)
    parser.add_argument("--cache", type=Path, help=argparse.SUPPRESS)
    parser.add_argument("--fill", action="store_true", help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.cache is not None:
        (fill_cache if given.fill else look_up)(given.cache, given.counts[0])
        return
    found = {count: figures_of(count, given.model) for count in given.counts}
    least, most = min(found), max(found)
    growth = {
        name: round(found[most][name] / found[least][name] / (most / least), 2)
        for name in found[least]
        if name.endswith("_seconds")
    }
    asked = f"python -m benchmarks.growth --model FILE --counts {' '.join(map(str, given.counts))}"
    figures = {"command": asked, "machine": machine(), "pictures": found, "growth": growth}
    given.out.write_text(json.dumps(figures, indent=2) + "\n", encoding="utf-8")
    print(json.dumps(figures, indent=2))


if __name__ == "__main__":
    main()
