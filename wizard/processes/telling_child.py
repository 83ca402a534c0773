"""A child process that tells what it does in lines of JSON on stdout: followed until it ends, ended with this one."""

from __future__ import annotations

import json
import os
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from advisor.errors import RunError
from advisor.run_folder.event_file import LineTail
from wizard.processes.child import child_environment, interrupt, start_apart
from wizard.processes.temporary_folder import temporary_folder

POLL_SECONDS = 0.05


@dataclass(frozen=True)
class Ended:
    """How a child has ended."""

    code: int
    printed: str
    """All of it, with what libraries print."""


def run_telling(
    command: Sequence[str], take: Callable[[Mapping[str, Any]], object], *, name: str, grace_seconds: float
) -> Ended:
    """Run a command, and hand on each message of it.

    Args:
        take: called with each; a message is an object with an `event`.
        name: what the command does, for its files and for errors: `conversion`.
        grace_seconds: how long it may take to clean up once it is interrupted; then it is killed.

    Raises:
        RunError: it cannot be started.
        BaseException: what `take` raises, and KeyboardInterrupt; the child has ended then.
    """
    with temporary_folder(name) as folder:
        log = folder / "output.log"
        log.touch()
        tail = LineTail(log)
        try:
            child = start_apart(command, child_environment(os.environ), log, is_followed=True)
        except OSError as error:
            raise RunError(f"the {name} cannot be started: {error.strerror or error}") from error
        _follow(child, tail, take, grace_seconds)
        return Ended(child.returncode, log.read_text("utf-8", "replace"))


def _follow(
    child: subprocess.Popen[bytes], tail: LineTail, take: Callable[[Mapping[str, Any]], object], grace_seconds: float
) -> None:
    try:
        ended = False
        while not ended:
            ended = child.poll() is not None
            for line in tail.new():
                if (message := _message(line)) is not None:
                    take(message)
            if not ended:
                time.sleep(POLL_SECONDS)
    except BaseException:
        _stop(child, grace_seconds)
        raise
    finally:
        if child.stdin is not None:
            child.stdin.close()


def _message(line: bytes) -> dict[str, Any] | None:
    """The message in a line of output; None: there is none, as in a library's warning."""
    try:
        found = json.loads(line)
    except (ValueError, RecursionError):
        return None
    return found if isinstance(found, dict) and isinstance(found.get("event"), str) else None


def _stop(child: subprocess.Popen[bytes], grace_seconds: float) -> None:
    """Send Ctrl-C; kill it where it goes on."""
    interrupt(child)
    try:
        child.wait(grace_seconds)
    except subprocess.TimeoutExpired:
        child.kill()
        child.wait()
