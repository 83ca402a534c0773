"""A Ray cluster of two nodes on this machine, with a token of its own; its processes are ended one by one."""

from __future__ import annotations

import importlib.util
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

import psutil
import pytest

from tests.support.paths import REPOSITORY

needs_ray = pytest.mark.skipif(
    importlib.util.find_spec("ray") is None or sys.platform == "win32", reason="needs the package ray"
)
START_SECONDS = 120


@dataclass
class Nodes:
    """The cluster."""

    address: str
    environment: Mapping[str, str]
    """What a process needs to be let in."""
    second: list[int] = field(default_factory=list)
    """Processes of the second node, its raylet first."""

    def kill_second(self) -> None:
        """As a machine is lost: nothing of it is asked to end."""
        for process in self.second:
            _kill(process)


@contextmanager
def two_nodes(folder: Path, *, token: bool = True) -> Iterator[Nodes]:
    """Start a head and a second node with a processor each; all of their processes are killed at the end."""
    port, home = _free_port(), folder / "home"
    (home / ".ray").mkdir(parents=True)
    secret = {"RAY_AUTH_MODE": "token", "RAY_AUTH_TOKEN": "d" * 64} if token else {"RAY_AUTH_MODE": "disabled"}
    environment = {
        **os.environ, **secret, "PYTHONPATH": os.pathsep.join([str(REPOSITORY), os.environ.get("PYTHONPATH", "")]),
        "HOME": str(home), "OMP_NUM_THREADS": "1", "RAY_USAGE_STATS_ENABLED": "0", "HF_HUB_OFFLINE": "1",
    }  # fmt: skip
    nodes = Nodes(f"127.0.0.1:{port}", environment)
    temporary = Path("/tmp") / f"loracle-ray-{os.getpid()}-{port}"  # sockets' paths have to be short
    usual = ["--num-cpus", "1", "--num-gpus", "0", "--disable-usage-stats", "--object-store-memory", "100000000"]
    head = ["--head", "--port", str(port), "--include-dashboard=false", "--temp-dir", str(temporary),
            "--ray-client-server-port", str(_free_port())]  # fmt: skip
    try:
        _start([*head, *usual], environment)
        of_head = _processes_of(temporary, home)
        _start(["--address", nodes.address, *usual], environment)
        nodes.second = [process for process in _processes_of(temporary, home) if process not in of_head]
        yield nodes
    finally:
        for process in _processes_of(temporary, home):
            _kill(process)


def _start(options: list[str], environment: Mapping[str, str]) -> None:
    command = [sys.executable, "-P", "-m", "ray.scripts.scripts", "start", *options]
    done = subprocess.run(
        command, env=dict(environment), capture_output=True, text=True, timeout=START_SECONDS, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr


def _processes_of(temporary: Path, home: Path) -> list[int]:
    """Those that were started with these folders, the raylets first."""
    found = []
    for process in psutil.process_iter(["pid", "cmdline", "environ"]):
        words, environment = process.info["cmdline"] or [""], process.info["environ"] or {}
        if environment.get("HOME") == str(home) or any(str(temporary) in word for word in words):
            found.append((0 if words[0].endswith("/raylet") else 1, process.info["pid"]))
    return [pid for _, pid in sorted(found)]


def _kill(process: int) -> None:
    with suppress(ProcessLookupError):
        os.kill(process, signal.SIGKILL)


def _free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])
