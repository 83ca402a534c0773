"""What loading a base model takes of the machine's memory: `python -P -m benchmarks.loading_memory FILE [--dtype ...]`.

Told are the process's memory before, its peak while loading (all of it, and without what is mapped from the file, which
the system may drop), and what the networks themselves should take. Linux only.
"""

from __future__ import annotations

import argparse
import json
import threading
import time
from collections.abc import Sequence
from pathlib import Path

import torch

from advisor.checkpoints.identify import identify
from advisor.settings.config import parse_config
from trainer.device.choose import COMPUTE_DTYPES, peak_process_bytes
from trainer.models.load import load_base_model

RESULTS = Path(__file__).parent / "results" / "loading_memory.json"
POLL_SECONDS = 0.002


def main(arguments: Sequence[str] | None = None) -> None:
    """Load it, watch, and add the result to those kept."""
    parser = argparse.ArgumentParser(prog="python -P -m benchmarks.loading_memory", description=__doc__)
    parser.add_argument("file", type=Path)
    parser.add_argument("--dtype", choices=sorted(COMPUTE_DTYPES), default="bfloat16")
    given = parser.parse_args(arguments)
    identity = identify(given.file)
    assert identity.structure is not None
    structure = identity.structure
    config = parse_config(
        {"model": {"path": str(given.file), "family": identity.family}, "dataset": {"images": ""},
         "saving": {"name": "loading"}}
    )  # fmt: skip
    anonymous, done = [anonymous_bytes()], threading.Event()
    before = anonymous[0]
    watcher = threading.Thread(target=_watch, args=(anonymous, done))
    watcher.start()
    began = time.perf_counter()
    base = load_base_model(
        config.model, dtype=COMPUTE_DTYPES[given.dtype], vae_dtype=torch.float32, device=torch.device("cpu")
    )  # fmt: skip
    seconds = time.perf_counter() - began
    done.set()
    watcher.join()
    each = 4 if given.dtype == "float32" else 2
    counted = (structure.denoiser_parameters + structure.text_parameters) * each + structure.vae.parameters * 4
    found = {
        "family": base.family.name, "dtype": given.dtype, "file_bytes": given.file.stat().st_size,
        "before_bytes": before, "peak_without_file_bytes": max(anonymous), "peak_resident_bytes": peak_process_bytes(),
        "networks_bytes": int(counted), "seconds": round(seconds, 2),
    }  # fmt: skip
    print(json.dumps(found, indent=1))
    kept = json.loads(RESULTS.read_text(encoding="utf-8")) if RESULTS.exists() else []
    same = (found["family"], found["dtype"])
    rest = [one for one in kept if (one["family"], one["dtype"]) != same]
    RESULTS.write_text(json.dumps([*rest, found], indent=1) + "\n", encoding="utf-8")


def anonymous_bytes() -> int:
    """What this process has in memory of its own, without mapped files."""
    lines = Path("/proc/self/status").read_text(encoding="ascii", errors="replace").splitlines()
    return next(int(line.split()[1]) * 1024 for line in lines if line.startswith("RssAnon:"))


def _watch(seen: list[int], done: threading.Event) -> None:
    while not done.is_set():
        seen.append(anonymous_bytes())
        time.sleep(POLL_SECONDS)


if __name__ == "__main__":
    main()
