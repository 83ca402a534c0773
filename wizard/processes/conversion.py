"""Runs a conversion in a child process: starts it, follows its messages, passes Ctrl-C on, explains its exit code."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from advisor.errors import LoraError, ModelError
from trainer.convert.pickle import NEW
from trainer.runtime.machine_limits import limit_sentence
from wizard.exit_codes import INTERRUPTED, TrainerBroke
from wizard.processes.child import WINDOWS_CTRL_C, child_command, crash_name
from wizard.processes.telling_child import run_telling

PICKLE_MODULE, LORA_MODULE = "trainer.convert.pickle", "trainer.convert.lora"
"""From a pickled checkpoint to safetensors; from a LoRA in kohya's names to diffusers'."""
PHASES = {"check": "Looking through the file", "write": "Writing the weights"}
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
    progress = _Progress(say)
    ended = run_telling(made, progress.after, name="conversion", grace_seconds=GRACE_SECONDS)
    if ended.code == 0 and progress.last.get("event") == "finished":
        return dict(progress.last)
    raise _error_of_exit(ended.code, progress.last, source, ended.printed)


@dataclass
class _Progress:
    """Prints what the process is at."""

    say: Callable[[str], None]
    last: Mapping[str, Any] = field(default_factory=dict)
    """Its newest message."""
    phase: str = ""
    printed_at: float = 0.0
    """Seconds of the monotonic clock."""

    def after(self, event: Mapping[str, Any]) -> None:
        self.last = event
        name = event.get("phase")
        if name is not None and (name != self.phase or time.monotonic() - self.printed_at > MESSAGE_SECONDS):
            self.phase, self.printed_at = str(name), time.monotonic()
            self.say(_line(event))


def _line(event: Mapping[str, Any]) -> str:
    title = PHASES.get(str(event.get("phase")), "Working")
    done, total = event.get("done"), event.get("total")
    percent = 100 * done // total if isinstance(done, int) and isinstance(total, int) and total else 0
    return f"{title}: {percent} % ..." if percent else f"{title} ..."


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
