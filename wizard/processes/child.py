"""Child processes that may import torch: command line, environment, start, interrupt, and why one crashed."""

from __future__ import annotations

import os
import platform
import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path

import psutil

import wizard
from advisor.files import is_folder, open_to_append
from advisor.units import GIB
from trainer.runtime.launcher import LAUNCHER_VARIABLE

INSTALL_FOLDERS = ("site-packages", "dist-packages")
"""Folders on sys.path of any Python; packages elsewhere need PYTHONPATH."""

WINDOWS_CTRL_C = 0xC000013A
WINDOWS_CRASHES = {0xC0000005: "access violation", 0xC0000409: "stack overrun", 0xC000001D: "illegal instruction"}
"""Exit codes of Windows, unsigned."""


def child_command(module: str, *arguments: str) -> list[str]:
    """The command line that runs a module of ours; `-P` keeps the current folder off sys.path."""
    return [sys.executable, "-P", "-m", module, *arguments]


NVIDIA_DRIVER = Path("/proc/driver/nvidia")
"""There where NVIDIA's driver for Linux is loaded; WSL and AMD's cards have none."""
ALLOCATOR_VARIABLES = ("PYTORCH_ALLOC_CONF", "PYTORCH_CUDA_ALLOC_CONF")
"""Settings of torch's allocator; the second is the name before torch 2.9."""
GROWING_SEGMENTS = "expandable_segments:True"
"""Torch then maps memory behind what it has instead of asking for pieces that later fit nothing. It works with CUDA on
Linux: docs.pytorch.org/docs/stable/notes/cuda.html."""


KEPT_HEAP = {"MALLOC_MMAP_MAX_": "0", "MALLOC_TRIM_THRESHOLD_": str(16 * GIB)}
"""glibc's malloc keeps what a step has freed for the next one, instead of asking the system for zeroed pages each time:
mallopt(3). Its threshold for mmap does the same, but glibc before 2.35 refuses one over 32 MiB."""
IDLE_SHARE = 0.1
"""A processor of whose cores less than this is busy is idle."""
LOOK_SECONDS = 0.5
"""So long is looked where the last minute was busy, as after the run before in a list."""


def child_environment(
    base: Mapping[str, str],
    *,
    gpu_uuid: str = "",
    on_processor: bool = False,
    is_alone: bool = True,
    nvidia_driver: Path = NVIDIA_DRIVER,
) -> dict[str, str]:
    """The child's environment: our packages are importable, nothing is downloaded, one GPU is visible.

    Args:
        base: this process's own; what the user set of allocators and of waiting threads stays.
        gpu_uuid: NVML's UUID of the only visible GPU, or several with commas between; empty: all are visible.
        on_processor: it trains or draws on the processor.
        is_alone: nothing else of ours does so at the same time.
        nvidia_driver: where NVIDIA's driver for Linux shows that it is loaded.
    """
    environment = {
        **(processor_settings(base) if on_processor else {}),
        # Waiting threads sleep instead of spinning: on a processor with other work spinning took most of the time.
        **({} if on_processor and is_alone and _is_idle() else {"OMP_WAIT_POLICY": "PASSIVE"}),
        **base,
        "HF_HUB_OFFLINE": "1",
        "TRANSFORMERS_OFFLINE": "1",
        "PYTHONUTF8": "1",
    }
    environment = with_own_packages(environment)
    if is_folder(nvidia_driver) and not any(name in base for name in ALLOCATOR_VARIABLES):
        environment[ALLOCATOR_VARIABLES[0]] = GROWING_SEGMENTS
    if gpu_uuid:
        environment["CUDA_VISIBLE_DEVICES"] = gpu_uuid
    return environment


def with_own_packages(base: Mapping[str, str]) -> dict[str, str]:
    """The environment in which our packages are importable, wherever the child runs."""
    # Empty and relative entries would be looked for there.
    paths = [path for path in base.get("PYTHONPATH", "").split(os.pathsep) if path and Path(path).is_absolute()]
    if own_home().name not in INSTALL_FOLDERS:  # a checkout, which may not be installed
        paths.insert(0, str(own_home()))
    environment = {name: value for name, value in base.items() if name != "PYTHONPATH"}
    return {**environment, "PYTHONPATH": os.pathsep.join(paths)} if paths else environment


def processor_settings(base: Mapping[str, str]) -> dict[str, str]:
    """Variables by which a training on the processor is faster; none where the user set any of the allocator."""
    is_glibc = sys.platform == "linux" and platform.libc_ver()[0] == "glibc"
    return KEPT_HEAP if is_glibc and not any(name.startswith("MALLOC_") for name in base) else {}


def _is_idle() -> bool:
    """Whether nothing else computes: by the last minute's load, which stays high for a while, else by a look."""
    with suppress(OSError):
        if psutil.getloadavg()[0] < IDLE_SHARE * (psutil.cpu_count() or 1):
            return True
    return psutil.cpu_percent(LOOK_SECONDS) < IDLE_SHARE * 100


def own_home() -> Path:
    """The folder that holds our packages: where children run, since nobody else's files are in it."""
    return Path(wizard.__file__).absolute().parent.parent


def start_apart(
    command: Sequence[str], environment: Mapping[str, str], log: Path, *, is_followed: bool = False
) -> subprocess.Popen[bytes]:
    """Start a child in a process group of its own, so that Ctrl-C reaches it only through `interrupt`.

    It runs in `own_home`: what lies in a run, which may be a stranger's, is neither imported nor taken for settings.

    Args:
        log: its output is appended here.
        is_followed: it ends when this process dies, by `trainer.runtime.launcher`: its standard input is a pipe, which
            is left open and empty.
    """
    given = subprocess.PIPE if is_followed else subprocess.DEVNULL
    environment = {**environment, LAUNCHER_VARIABLE: str(os.getpid())} if is_followed else environment
    log.parent.mkdir(parents=True, exist_ok=True)
    with open_to_append(log) as output:
        if sys.platform == "win32":
            return subprocess.Popen(
                command, env=dict(environment), cwd=own_home(), stdin=given, stdout=output, stderr=output,
                creationflags=subprocess.CREATE_NEW_PROCESS_GROUP,
            )  # fmt: skip
        return subprocess.Popen(
            command, env=dict(environment), cwd=own_home(), stdin=given, stdout=output, stderr=output,
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
