"""The conversion of a pickle in a process of its own: started, watched, interrupted, and its end told."""

from __future__ import annotations

import json
import os
import subprocess
import tempfile
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from advisor.errors import LoraError, ModelError, RunError
from advisor.run_folder.event_file import LineTail
from wizard.exit_codes import INTERRUPTED, TrainerBroke
from wizard.processes.child import WINDOWS_CTRL_C, child_command, child_environment, crash_name, interrupt, start_apart

PICKLE_MODULE, LORA_MODULE = "trainer.convert.pickle", "trainer.convert.lora"
"""A checkpoint's weights out of a pickle; a LoRA in diffusers' names."""
PHASES = {"check": "Looking through the file", "write": "Writing the weights"}
POLL_SECONDS = 0.05
TELL_SECONDS = 10.0
"""A long conversion says how far it is this often."""
GRACE_SECONDS = 20.0
"""How long an interrupted conversion may take to clean up before it is killed."""


def run_conversion(
    source: Path,
    target: Path,
    say: Callable[[str], None],
    *,
    module: str = PICKLE_MODULE,
    command: Callable[[Path, Path], list[str]] | None = None,
) -> dict[str, Any]:
    """Convert, and give what the process said at its end.

    Args:
        say: gets a line now and then.
        module: which of the trainer's conversions it is.
        command: the process's command line; tests pass another.

    Raises:
        LoraError: the file was refused, or the new one could not be written.
        KeyboardInterrupt: the user ended it; nothing was written.
        TrainerBroke: a defect of ours.
    """
    made = command(source, target) if command else child_command(module, str(source), str(target))
    with tempfile.TemporaryDirectory(prefix="loracle-", ignore_cleanup_errors=True) as folder:
        log = Path(folder, "convert.log")
        log.touch()
        tail = LineTail(log)
        try:
            child = start_apart(made, child_environment(os.environ), log, Path(folder))
        except OSError as error:
            raise RunError(f"the conversion cannot be started: {error.strerror or error}") from error
        last = _watch(child, tail, say)
        if child.returncode == 0 and last.get("event") == "finished":
            return dict(last)
        raise _ending(child.returncode, last, source, log.read_text("utf-8", "replace"))


def _watch(child: subprocess.Popen[bytes], tail: LineTail, say: Callable[[str], None]) -> Mapping[str, Any]:
    """Follow it to its end; gives the last thing that it said."""
    last: Mapping[str, Any] = {}
    phase, told_at = "", 0.0
    try:
        ended = False
        while not ended:
            ended = child.poll() is not None
            for line in tail.new():
                if (event := _said(line)) is None:
                    continue
                last = event
                name = event.get("phase")
                if name is not None and (name != phase or time.monotonic() - told_at > TELL_SECONDS):
                    phase, told_at = str(name), time.monotonic()
                    say(_line(event))
            if not ended:
                time.sleep(POLL_SECONDS)
    except BaseException:
        _end(child)
        raise
    return last


def _said(line: bytes) -> dict[str, Any] | None:
    """What a line of the process's output says; None: it is no message, e.g. a library's warning."""
    try:
        found = json.loads(line)
    except (ValueError, RecursionError):
        return None
    return found if isinstance(found, dict) and isinstance(found.get("event"), str) else None


def _line(event: Mapping[str, Any]) -> str:
    title = PHASES.get(str(event.get("phase")), "Working")
    done, total = event.get("done"), event.get("total")
    percent = 100 * done // total if isinstance(done, int) and isinstance(total, int) and total else 0
    return f"{title}: {percent} % ..." if percent else f"{title} ..."


def _end(child: subprocess.Popen[bytes]) -> None:
    """End it, so that it can take its half-written file away."""
    interrupt(child)
    try:
        child.wait(GRACE_SECONDS)
    except subprocess.TimeoutExpired:
        child.kill()
        child.wait()


def _ending(code: int, last: Mapping[str, Any], source: Path, log: str) -> BaseException:
    if code == 2 and last.get("event") == "failed":
        return LoraError(str(last.get("message")))
    if code in (INTERRUPTED, WINDOWS_CTRL_C):
        return KeyboardInterrupt("Interrupted; nothing was written.")
    crash = crash_name(code)
    if crash == "SIGKILL":
        return ModelError(
            f"{source}: the system ended the conversion, most likely because the machine's memory (RAM) ran out: close "
            "other programs"
        )
    if crash is not None:
        return ModelError(
            f"{source}: the conversion crashed below Python ({crash}); nothing was written. The file may be damaged, "
            "or have changed while it was read: download it again"
        )
    return TrainerBroke(f"The conversion of {source} broke; nothing was written.\n{log[-4000:]}")
