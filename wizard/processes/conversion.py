"""Runs a conversion in a child process: starts it, follows its messages, passes Ctrl-C on, explains its exit code."""

from __future__ import annotations

import json
import os
import subprocess
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from advisor.errors import LoraError, ModelError, RunError
from advisor.run_folder.event_file import LineTail
from trainer.convert.pickle import NEW
from trainer.runtime.machine_limits import limit_sentence
from wizard.exit_codes import INTERRUPTED, TrainerBroke
from wizard.processes.child import WINDOWS_CTRL_C, child_command, child_environment, crash_name, interrupt, start_apart
from wizard.processes.temporary_folder import temporary_folder

PICKLE_MODULE, LORA_MODULE = "trainer.convert.pickle", "trainer.convert.lora"
"""From a pickled checkpoint to safetensors; from a LoRA in kohya's names to diffusers'."""
PHASES = {"check": "Looking through the file", "write": "Writing the weights"}
POLL_SECONDS = 0.05
MESSAGE_SECONDS = 10.0
"""How often the progress within a phase is printed."""
GRACE_SECONDS = 20.0
"""How long an interrupted conversion may take to clean up before it is killed."""


def run_conversion(
    source: Path,
    target: Path,
    say: Callable[[str], None],
    *,
    module: str = PICKLE_MODULE,
    is_new: bool = False,
    command: Callable[[Path, Path], list[str]] | None = None,
) -> dict[str, Any]:
    """Convert a file; returns the last message of the process.

    Args:
        say: called with each line of progress.
        module: PICKLE_MODULE or LORA_MODULE.
        is_new: nothing is at `target`; what another program puts there meanwhile stays.
        command: makes the process's command line; tests pass another.

    Raises:
        LoraError: the file was refused, or the new one could not be written.
        KeyboardInterrupt: Ctrl-C; nothing was written.
        TrainerBroke: the process failed by a bug of ours.
    """
    new = [NEW] if is_new else []
    made = command(source, target) if command else child_command(module, str(source), str(target), *new)
    with temporary_folder("convert") as folder:
        log = folder / "convert.log"
        log.touch()
        tail = LineTail(log)
        try:
            child = start_apart(made, child_environment(os.environ), log, is_followed=True)
        except OSError as error:
            raise RunError(f"the conversion cannot be started: {error.strerror or error}") from error
        last = _watch(child, tail, say)
        if child.returncode == 0 and last.get("event") == "finished":
            return dict(last)
        raise _error_of_exit(child.returncode, last, source, log.read_text("utf-8", "replace"))


def _watch(child: subprocess.Popen[bytes], tail: LineTail, say: Callable[[str], None]) -> Mapping[str, Any]:
    """Print the progress until the process ends; returns its last message."""
    last: Mapping[str, Any] = {}
    phase, printed_at = "", 0.0
    try:
        ended = False
        while not ended:
            ended = child.poll() is not None
            for line in tail.new():
                if (event := _message(line)) is None:
                    continue
                last = event
                name = event.get("phase")
                if name is not None and (name != phase or time.monotonic() - printed_at > MESSAGE_SECONDS):
                    phase, printed_at = str(name), time.monotonic()
                    say(_line(event))
            if not ended:
                time.sleep(POLL_SECONDS)
    except BaseException:
        _stop(child)
        raise
    finally:
        if child.stdin is not None:
            child.stdin.close()
    return last


def _message(line: bytes) -> dict[str, Any] | None:
    """The message in a line of output; None: there is none, as in a library's warning."""
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


def _stop(child: subprocess.Popen[bytes]) -> None:
    """Send Ctrl-C, on which it deletes its half-written file; kill it after GRACE_SECONDS."""
    interrupt(child)
    try:
        child.wait(GRACE_SECONDS)
    except subprocess.TimeoutExpired:
        child.kill()
        child.wait()


def _error_of_exit(code: int, last: Mapping[str, Any], source: Path, log: str) -> BaseException:
    if code == 2 and last.get("event") == "failed":
        return LoraError(str(last.get("message")))
    if code in (INTERRUPTED, WINDOWS_CTRL_C):
        return KeyboardInterrupt("Interrupted; nothing was written.")
    crash = crash_name(code)
    if limit := limit_sentence(log):
        return ModelError(f"{source} is not converted, and nothing was written. {limit}")
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
