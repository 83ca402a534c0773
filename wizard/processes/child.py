"""Child processes that may import torch: command line, environment, start, interrupt, and why one crashed."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

import wizard

INSTALL_FOLDERS = ("site-packages", "dist-packages")
"""Folders on sys.path of any Python; packages elsewhere need PYTHONPATH."""

WINDOWS_CTRL_C = 0xC000013A
WINDOWS_CRASHES = {0xC0000005: "access violation", 0xC0000409: "stack overrun", 0xC000001D: "illegal instruction"}
"""Exit codes of Windows, unsigned."""


def child_command(module: str, *arguments: str) -> list[str]:
    """The command line that runs a module of ours; `-P` keeps the current folder off sys.path."""
    return [sys.executable, "-P", "-m", module, *arguments]


def child_environment(base: Mapping[str, str], *, gpu_uuid: str = "") -> dict[str, str]:
    """The child's environment: our packages are importable, nothing is downloaded, one GPU is visible.

    Args:
        base: this process's own.
        gpu_uuid: NVML's UUID of the only visible GPU; empty: all are visible.
    """
    # Waiting threads sleep instead of spinning: on a processor with other work spinning took most of the time.
    environment = {
        "OMP_WAIT_POLICY": "PASSIVE",
        **base,
        "HF_HUB_OFFLINE": "1",
        "TRANSFORMERS_OFFLINE": "1",
        "PYTHONUTF8": "1",
    }
    home = Path(wizard.__file__).absolute().parent.parent
    if home.name not in INSTALL_FOLDERS:  # a checkout, which may not be installed
        environment["PYTHONPATH"] = os.pathsep.join(filter(None, (str(home), base.get("PYTHONPATH", ""))))
    if gpu_uuid:
        environment["CUDA_VISIBLE_DEVICES"] = gpu_uuid
    return environment


def start_apart(
    command: Sequence[str], environment: Mapping[str, str], log: Path, folder: Path
) -> subprocess.Popen[bytes]:
    """Start a child in a process group of its own, so that Ctrl-C reaches it only through `interrupt`.

    Args:
        log: its output is appended here.
        folder: its working directory.
    """
    log.parent.mkdir(parents=True, exist_ok=True)
    with log.open("ab") as output:
        if sys.platform == "win32":
            return subprocess.Popen(
                command, env=dict(environment), cwd=folder, stdin=subprocess.DEVNULL, stdout=output, stderr=output,
                creationflags=subprocess.CREATE_NEW_PROCESS_GROUP,
            )  # fmt: skip
        return subprocess.Popen(
            command, env=dict(environment), cwd=folder, stdin=subprocess.DEVNULL, stdout=output, stderr=output,
            start_new_session=True,
        )  # fmt: skip


def interrupt(child: subprocess.Popen[bytes]) -> None:
    """Send Ctrl-C to the child, if it still runs."""
    if child.poll() is not None:
        return
    if sys.platform == "win32":
        child.send_signal(signal.CTRL_BREAK_EVENT)
    else:
        child.send_signal(signal.SIGINT)


def crash_name(code: int) -> str | None:
    """The signal or Windows exception that killed a process with this exit code; None: it exited by itself."""
    if code < 0:
        try:
            return signal.Signals(-code).name
        except ValueError:
            return f"signal {-code}"
    return WINDOWS_CRASHES.get(code)
