"""Folders that have two names, as containers and some disks give them: in a namespace of mounts that ends with it."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
APART = ("unshare", "--user", "--map-root-user", "--mount")


def run_with_second_name(folder: Path, second: Path, code: str, *arguments: object) -> subprocess.CompletedProcess[str]:
    """Run Python code in a process that sees `folder` at `second` too, whatever lies there.

    Skips the test where this system has no such namespaces, or may not make them.
    """
    if not sys.platform.startswith("linux") or not _can_mount():
        pytest.skip("a folder cannot be mounted twice here")
    mounted = 'mount --bind "$1" "$2" && shift 2 && exec "$@"'
    command = [*APART, "sh", "-c", mounted, "sh", str(folder), str(second), sys.executable, "-c", code]
    return subprocess.run([*command, *map(str, arguments)], capture_output=True, text=True, cwd=ROOT, check=False)


def _can_mount() -> bool:
    try:
        done = subprocess.run([*APART, "mount", "--bind", "/tmp", "/tmp"], capture_output=True, check=False)
    except FileNotFoundError:
        return False
    return done.returncode == 0
