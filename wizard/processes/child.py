"""Our code in a process of its own, which may import torch: how it is started, and what its end means."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

import wizard

INSTALL_FOLDERS = ("site-packages", "dist-packages")
"""Where packages are found without being told."""

WINDOWS_CTRL_C = 0xC000013A
WINDOWS_CRASHES = {0xC0000005: "access violation", 0xC0000409: "stack overrun", 0xC000001D: "illegal instruction"}
"""Exit codes of Windows, unsigned."""


def child_command(module: str, *arguments: str) -> list[str]:
    """The command that runs a module of ours; `-P` keeps the current folder from shadowing it."""
    return [sys.executable, "-P", "-m", module, *arguments]


def child_environment(base: Mapping[str, str], *, gpu_uuid: str = "") -> dict[str, str]:
    """The environment for it: our packages are found, nothing is downloaded, one card is seen.

    Args:
        base: this process's own.
        gpu_uuid: NVML's identifier of the card; empty: all are seen.
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
    """Start it in a process group of its own: Ctrl-C then reaches it only as we hand it on, and not twice.

    Args:
        log: gets all that it prints, added to what is there.
        folder: where it runs.
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
    """Hand Ctrl-C on."""
    if child.poll() is not None:
        return
    if sys.platform == "win32":
        child.send_signal(signal.CTRL_BREAK_EVENT)
    else:
        child.send_signal(signal.SIGINT)


def crash_name(code: int) -> str | None:
    """What killed a process that ended with `code`; None where it ended by itself."""
    if code < 0:
        try:
            return signal.Signals(-code).name
        except ValueError:
            return f"signal {-code}"
    return WINDOWS_CRASHES.get(code)
