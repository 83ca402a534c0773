"""What may lie where a file is expected: pipes, devices, sockets, folders."""

from __future__ import annotations

import os
import socket
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

KINDS = ("pipe", "socket", "zero", "folder", "link to zero")

on_posix = pytest.mark.skipif(sys.platform == "win32", reason="Windows has no such files")


@contextmanager
def special_file(path: Path, kind: str) -> Iterator[Path]:
    """A file of that kind at `path`, or what `path` should be replaced by: devices cannot be made by everyone."""
    if kind == "zero":
        yield Path("/dev/zero")
    elif kind == "link to zero":
        path.symlink_to("/dev/zero")
        yield path
    elif kind == "pipe":
        os.mkfifo(path)
        yield path
    elif kind == "folder":
        path.mkdir()
        yield path
    else:
        # A socket's address must be short, so it is made under a short name of the working directory.
        before = Path.cwd()
        os.chdir(path.parent)
        try:
            with socket.socket(socket.AF_UNIX) as listening:
                listening.bind(path.name)
                yield path
        finally:
            os.chdir(before)
