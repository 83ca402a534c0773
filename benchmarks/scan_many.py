"""How long `scan` takes over very many pictures, and how much memory.

    python -m benchmarks.scan_many                   100,000 pictures, writes benchmarks/results/scan_many.json
    python -m benchmarks.scan_many --count 5000 --out FILE

The files are small but real: PNG, JPEG and WebP in turn, in folders of a thousand, each with a caption of thirty tags.
`scan` reads no more of larger ones. It runs in a process of its own, whose peak memory is told by the system, less what
it had before the scan. The folder is just written, so it comes from the system's cache, not from a disk.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

import psutil
from PIL import Image

RESULT = Path(__file__).parent / "results" / "scan_many.json"
IN_ONE_FOLDER = 1000
FORMATS = (("png", "PNG"), ("jpg", "JPEG"), ("webp", "WEBP"))
SIZES = ((512, 512), (768, 512), (512, 768))
CAPTION = ", ".join(f"tag number {number}" for number in range(30))


def write_pictures(root: Path, count: int) -> None:
    """Fill `root` with `count` pictures and captions: three pictures are drawn, the rest are their copies."""
    drawn = []
    for (extension, name), size in zip(FORMATS, SIZES, strict=True):
        path = root / f"drawn.{extension}"
        Image.linear_gradient("L").resize(size).convert("RGB").save(path, name)
        drawn.append((extension, path.read_bytes()))
        path.unlink()
    for index in range(count):
        folder = root / f"{index // IN_ONE_FOLDER % 9 + 1}_folder {index // IN_ONE_FOLDER}"
        folder.mkdir(exist_ok=True)
        extension, content = drawn[index % len(drawn)]
        (folder / f"picture {index}.{extension}").write_bytes(content)
        (folder / f"picture {index}.txt").write_text(f"{index}, {CAPTION}", encoding="utf-8")


def measure(root: Path) -> dict[str, float]:
    """Scan `root` in this process; seconds, and how far memory grew at its highest, in MB."""
    from advisor.dataset.scan import scan

    process, peak, over = psutil.Process(), 0, threading.Event()
    before = process.memory_info().rss

    def watch() -> None:
        nonlocal peak
        while not over.wait(0.02):
            peak = max(peak, process.memory_info().rss)

    watcher = threading.Thread(target=watch)
    watcher.start()
    start = time.perf_counter()
    report = scan(root)
    seconds = time.perf_counter() - start
    over.set()
    watcher.join()
    peak = max(peak, process.memory_info().rss)
    return {
        "pictures": report.num_images,
        "captioned": report.num_captioned,
        "problems": len(report.problems),
        "seconds": round(seconds, 2),
        "memory_growth_mb": round((peak - before) / 1e6, 1),
    }


def machine() -> str:
    """The machine in words."""
    memory = psutil.virtual_memory().total / 2**30
    system = f"{platform.system()} {platform.machine()}"
    return f"{os.cpu_count()} threads, {memory:.0f} GiB, {system}, Python {platform.python_version()}"


def main() -> None:
    """Write the pictures, scan them in a child process, write the figures."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--count", type=int, default=100_000)
    parser.add_argument("--out", type=Path, default=RESULT)
    parser.add_argument("--measure", type=Path, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.measure is not None:
        print(json.dumps(measure(arguments.measure)))
        return
    with tempfile.TemporaryDirectory() as folder:
        write_pictures(Path(folder), arguments.count)
        command = [sys.executable, "-m", "benchmarks.scan_many", "--measure", folder]
        result = subprocess.run(command, capture_output=True, text=True, check=True)
    asked = f"python -m benchmarks.scan_many --count {arguments.count}"
    figures = {"command": asked, "machine": machine(), **json.loads(result.stdout)}
    arguments.out.parent.mkdir(parents=True, exist_ok=True)
    arguments.out.write_text(json.dumps(figures, indent=2) + "\n", encoding="utf-8")
    print(json.dumps(figures, indent=2))


if __name__ == "__main__":
    main()
