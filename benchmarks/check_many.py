"""How long `loracle check` takes over many pictures, beside a bare loop that decodes them.

    python -m benchmarks.check_many          10,000 JPEGs of 2 megapixels, writes benchmarks/results/check_many.json
    python -m benchmarks.check_many --count 1000 --out FILE

The pictures have the grain of photographs and no two are alike; they take some 5 GB in the folder for temporary files.
The bare loop opens each file, decodes it and does nothing else, in as many processes: whole, as a program does that
knows of no smaller decoding, and reduced, as the check decodes it. Each loop is run over one half of the pictures
before the check and over the other half after it, each part in a process of its own; seconds of processor time are told
too, since others may use the machine. The check is then run again, and once more after every tenth picture was renamed.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import os
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from contextlib import redirect_stdout
from pathlib import Path
from random import Random
from typing import Any

import numpy as np
import psutil
from PIL import Image, ImageChops, ImageFilter

from advisor.dataset.doctor.measure import ENOUGH_PX
from benchmarks.scan_many import machine
from tests.support.pictures import scene

RESULT = Path(__file__).parent / "results" / "check_many.json"
SIZE = (1632, 1224)
NUM_GROUNDS = 40
QUALITY = 88
IN_ONE_FOLDER = 1000
LEAST_RATIO = 0.8
SECONDS = ("seconds", "processor_seconds")


def write_pictures(root: Path, count: int) -> None:
    """Fill `root` with JPEGs that are put together of some scenes with grain, and captions."""
    rng, noise = Random(1), np.random.default_rng(1)
    grounds = []
    for seed in range(NUM_GROUNDS):
        soft = np.asarray(scene(seed, SIZE).filter(ImageFilter.GaussianBlur(1)), np.float32)
        grain = noise.normal(0, 6, (SIZE[1], SIZE[0], 1)).astype(np.float32)
        grounds.append(Image.fromarray(np.clip(soft + grain, 0, 255).astype(np.uint8)))
    for index in range(count):
        folder = root / f"folder {index // IN_ONE_FOLDER}"
        folder.mkdir(exist_ok=True)
        first = ImageChops.offset(rng.choice(grounds), rng.randrange(SIZE[0]), rng.randrange(SIZE[1]))
        first.paste(rng.choice(grounds).crop((0, 0, SIZE[0] // 2, SIZE[1])), (rng.randrange(SIZE[0] // 2), 0))
        first.save(folder / f"{index}.jpg", quality=QUALITY)
        (folder / f"{index}.txt").write_text(f"mia, 1girl, place {index % 97}, pose {index % 31}", encoding="utf-8")


def decode(path: str) -> int:
    """Decode one picture; its number of pixels."""
    with Image.open(path) as image:
        image.load()
        return image.width * image.height


def decode_reduced(path: str) -> int:
    """The same in the size that the check decodes it in."""
    with Image.open(path) as image:
        image.draft("RGB", (ENOUGH_PX, ENOUGH_PX))
        image.load()
        return image.width * image.height


LOOPS: dict[str, Callable[[str], int]] = {"whole": decode, "reduced": decode_reduced}


def bare_loop(decoding: Callable[[str], int], paths: list[str], processes: int) -> None:
    """Decode all, in some processes."""
    with multiprocessing.Pool(processes) as pool:
        for _ in pool.imap_unordered(decoding, paths, chunksize=8):
            pass


def part(kind: str, root: Path) -> dict[str, float]:
    """Do one part in this process; seconds, seconds of processor time and the highest memory of it and its workers."""
    paths = sorted(map(str, root.rglob("*.jpg")))
    half = len(paths) // 2
    process, peak, over = psutil.Process(), [0, 0], threading.Event()

    def watch() -> None:
        while not over.wait(0.2):
            try:
                workers = [child.memory_info().rss for child in process.children(recursive=True)]
            except psutil.Error:
                continue
            peak[0] = max(peak[0], process.memory_info().rss)
            peak[1] = max(peak[1], max(workers, default=0))

    watcher = threading.Thread(target=watch, daemon=True)
    watcher.start()
    start = time.perf_counter()
    if kind == "check":
        _check(root)
    else:
        decoding, _, which = kind.partition(" ")
        bare_loop(LOOPS[decoding], paths[:half] if which == "first" else paths[half:], os.cpu_count() or 1)
    seconds = time.perf_counter() - start
    over.set()
    watcher.join()
    times = os.times()
    cpu = times.user + times.system + times.children_user + times.children_system
    return {
        "seconds": round(seconds, 2),
        "processor_seconds": round(cpu, 2),
        "memory_mb": round(peak[0] / 1e6),
        "worker_memory_mb": round(peak[1] / 1e6),
    }


def _check(root: Path) -> None:
    from wizard.commands.check import CheckOptions, check

    with Path(os.devnull).open("w", encoding="utf-8") as nowhere, redirect_stdout(nowhere):
        check(str(root), CheckOptions(as_json=True))


def _apart(kind: str, root: Path, data: Path) -> dict[str, float]:
    command = [sys.executable, "-m", "benchmarks.check_many", "--part", kind, "--root", str(root)]
    environment = {**os.environ, "LORACLE_DATA": str(data), "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
    result = subprocess.run(command, capture_output=True, text=True, check=True, env=environment)
    found: dict[str, float] = json.loads(result.stdout)
    print(kind, found, flush=True)
    return found


def figures(root: Path, data: Path, count: int) -> dict[str, Any]:
    """All parts in their order."""
    before = {decoding: _apart(f"{decoding} first", root, data) for decoding in LOOPS}
    cold = _apart("check", root, data)
    after = {decoding: _apart(f"{decoding} second", root, data) for decoding in LOOPS}
    bare = {
        decoding: {key: round(before[decoding][key] + after[decoding][key], 2) for key in SECONDS} for decoding in LOOPS
    }
    again = _apart("check", root, data)
    for index in range(0, count, 10):
        path = root / f"folder {index // IN_ONE_FOLDER}" / f"{index}.jpg"
        path.rename(path.with_stem(f"renamed {index}"))
    renamed = _apart("check", root, data)
    return {
        "pictures": count,
        "megabytes": round(sum(path.stat().st_size for path in root.rglob("*.jpg")) / 1e6),
        "processes": os.cpu_count(),
        "bare_loop": bare,
        "check": cold,
        "ratio": {decoding: {key: round(bare[decoding][key] / cold[key], 3) for key in SECONDS} for decoding in LOOPS},
        "least_ratio": LEAST_RATIO,
        "again": again,
        "a_tenth_renamed": renamed,
    }


def main() -> None:
    """Write the pictures, do the parts, write the figures."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--count", type=int, default=10_000)
    parser.add_argument("--out", type=Path, default=RESULT)
    parser.add_argument("--part", help=argparse.SUPPRESS)
    parser.add_argument("--root", type=Path, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.part is not None:
        print(json.dumps(part(arguments.part, arguments.root)))
        return
    with tempfile.TemporaryDirectory() as folder:
        root, data = Path(folder) / "pictures", Path(folder) / "data"
        root.mkdir()
        write_pictures(root, arguments.count)
        found = {
            "command": f"python -m benchmarks.check_many --count {arguments.count}",
            "machine": machine(),
            **figures(root, data, arguments.count),
        }
    arguments.out.write_text(json.dumps(found, indent=2) + "\n", encoding="utf-8")
    print(json.dumps(found, indent=2))


if __name__ == "__main__":
    main()
