"""`python -P -m trainer.convert.pickle IN OUT [--new]`: writes a pickled checkpoint's weights as a safetensors file.

It talks by lines of JSON on stdout: {"event": "progress", "phase", "done", "total"}, and at last
{"event": "finished", ...} or {"event": "failed", "message"}. Exit codes: 0; 2 the file cannot be converted; 130.
"""

from __future__ import annotations

import json
import re
import shutil
import signal
import sys
import time
import traceback
from _thread import interrupt_main
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import FrameType
from typing import Any, NoReturn, Protocol

from advisor.errors import HardwareError, LoraError, ModelError, RunError
from advisor.files import replacing
from advisor.units import gib
from trainer.runtime.interrupts import ending_signals
from trainer.runtime.launcher import follow_launcher

OLDEST_TORCH = (2, 10)
"""Before it, files made for that could get around `weights_only`: CVE-2025-32434 (until 2.6), CVE-2026-24747."""
LARGEST_GROWTH = 4
"""Tensors that share numbers are written in full; a file that would grow more than so many times is refused."""
SPARE_BYTES = 64 * 1024**2
"""Disk space that is left free, and what a small file may grow by."""
TELL_SECONDS = 0.2
INTERRUPTED, DEFECT = 130, 1
NEW = "--new"
"""Nothing is at OUT, and nothing that comes to be there is replaced."""

Tell = Callable[[Mapping[str, Any]], None]
"""Sends a line."""


class Convert(Protocol):
    """Makes the second file of the first, and says what was done."""

    def __call__(self, source: Path, out: Path, tell: Tell, *, is_new: bool) -> dict[str, Any]:
        """Nothing is at `out` where that is said, and what comes to be there meanwhile stays."""


def convert(source: Path, out: Path, tell: Tell, *, is_new: bool = False) -> dict[str, Any]:
    """Write the weights in `source` to `out`, whole or not at all, and say what was done.

    Args:
        is_new: nothing is at `out`; what comes to be there meanwhile stays.

    Raises:
        LoraError: the file is refused, damaged or no checkpoint, or there is no room for the new one.
    """
    refuse_old_torch(_torch_version())
    if source.suffix.lower() == ".safetensors":
        raise ModelError(
            f"{source} is a pickle under a wrong name: rename it so that it ends in .ckpt, and convert that"
        )
    from trainer.convert.checkpoint_weights import load_checkpoint
    from trainer.convert.checksums import check_bytes
    from trainer.convert.pickle_scan import refuse_changed, scan_file

    tell({"event": "progress", "phase": "check", "done": 0, "total": 0})
    scan = scan_file(source)
    if not scan.is_zip:
        _refuse_without_memory(source)
    checked = check_bytes(source, scan.parts, _Progress("check", source.stat().st_size, tell))
    refuse_changed(source, scan)
    checkpoint = load_checkpoint(source, scan)
    refuse_changed(source, scan)
    metadata = {"format": "pt", "converted_from": _plain(source.name), "converted_from_sha256": checked.sha256}
    not_finite = _write(source, out, checkpoint.tensors, metadata, tell, is_new=is_new)
    return {
        "event": "finished",
        "path": str(out),
        "num_tensors": len(checkpoint.tensors),
        "sha256_of_source": checked.sha256,
        "notes": [*checkpoint.notes, *checked.warnings, *_warning(not_finite)],
    }


def refuse_old_torch(version: str) -> None:
    """Raise a HardwareError where pickles made for that can get around torch's restriction to weights."""
    found = re.match(r"(\d+)\.(\d+)", version)
    if found is None or (int(found[1]), int(found[2])) < OLDEST_TORCH:
        raise HardwareError(
            f"torch {version} is installed, and before {OLDEST_TORCH[0]}.{OLDEST_TORCH[1]} a file made for that could "
            "run code even where only weights are read (CVE-2025-32434, CVE-2026-24747): update torch, then convert"
        )


def _torch_version() -> str:
    import torch

    return str(torch.__version__)


def _write(
    source: Path, out: Path, tensors: Mapping[str, Any], metadata: Mapping[str, str], tell: Tell, *, is_new: bool
) -> list[str]:
    """Write the file; gives the names of tensors that are not finite."""
    from trainer.lora_files.write_safetensors import num_bytes, write_safetensors

    total = num_bytes(tensors)
    if total > LARGEST_GROWTH * source.stat().st_size + SPARE_BYTES:
        raise ModelError(
            f"{source} would grow from {gib(source.stat().st_size)} to {gib(total)}: its tensors repeat the same "
            "numbers, as in files made to fill disks; it is not converted"
        )
    with replacing(out, is_new=is_new) as temporary:
        free = shutil.disk_usage(temporary.parent).free
        if free < total + SPARE_BYTES:
            raise RunError(
                f"{out} needs {gib(total)} and {gib(free)} are free on that disk: free some space, or name another "
                "place with --out"
            )
        try:
            return write_safetensors(temporary, tensors, metadata, _Progress("write", total, tell))
        except ValueError as error:
            raise ModelError(f"{source} cannot be written as safetensors: {error}") from error


def _warning(not_finite: Sequence[str]) -> list[str]:
    from trainer.convert.pickle_scan import printable
    from trainer.models.weight_files import named

    if not not_finite:
        return []
    names = named([printable(name) for name in not_finite])
    what = "tensor holds" if len(not_finite) == 1 else "tensors hold"
    return [
        f"Careful: {len(not_finite):,} {what} numbers that are not finite (NaN or infinity), as in the file it was "
        f"made from: {names}. Pictures may come out black; look for another copy of this model."
    ]


def _refuse_without_memory(source: Path) -> None:
    """Files of before torch 1.6 can only be read whole."""
    import psutil

    size, free = source.stat().st_size, int(psutil.virtual_memory().available)
    if size > free:
        raise ModelError(
            f"{source} has torch's old layout, which must be read whole: that takes {gib(size)} of memory (RAM), and "
            f"{gib(free)} are free; close other programs"
        )


def _plain(name: str) -> str:
    """A file name that any program can read; on Linux it may hold bytes that are no text."""
    return name.encode("utf-8", "replace").decode("utf-8")


class _Progress:
    """Tells now and then how far one part of the work is."""

    def __init__(self, phase: str, total: int, tell: Tell) -> None:
        self._phase, self._total, self._tell, self._told_at = phase, total, tell, 0.0

    def __call__(self, done: int) -> None:
        now = time.monotonic()
        if done < self._total and now - self._told_at < TELL_SECONDS:
            return
        self._told_at = now
        self._tell({"event": "progress", "phase": self._phase, "done": done, "total": self._total})


def main(arguments: Sequence[str] | None = None) -> int:
    """Convert what the command line names, and give the exit code."""
    return run_command(convert, arguments)


def run_command(work: Convert, arguments: Sequence[str] | None = None) -> int:
    """Do that kind of conversion with what the command line names, and give the exit code."""
    given = list(sys.argv[1:] if arguments is None else arguments)
    source, out = Path(given[0]), Path(given[1])
    try:
        _send(work(source, out, _send, is_new=NEW in given[2:]))
    except LoraError as error:
        _send({"event": "failed", "message": str(error)})
        return error.exit_code
    except KeyboardInterrupt:
        return INTERRUPTED
    except Exception:
        traceback.print_exc()
        return DEFECT
    return 0


def _send(line: Mapping[str, Any]) -> None:
    sys.stdout.write(json.dumps(line) + "\n")
    sys.stdout.flush()


def _stop(number: int, frame: FrameType | None) -> NoReturn:  # noqa: ARG001
    raise KeyboardInterrupt


def listen() -> None:
    """Let everything that asks this process to end leave no half-written file behind; so does its launcher's death."""
    for number in ending_signals():
        signal.signal(number, _stop)
    follow_launcher(lambda _: interrupt_main())


if __name__ == "__main__":
    listen()
    sys.exit(main())
