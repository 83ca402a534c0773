from __future__ import annotations

import os
import subprocess
import sys
import time

import psutil
import pytest

from advisor.machine.processes import is_running


def test_this_process_runs() -> None:
    assert is_running(os.getpid(), since=time.time())


def test_one_that_has_ended_does_not() -> None:
    child = subprocess.Popen([sys.executable, "-c", ""])
    child.wait()

    assert not is_running(child.pid, since=time.time())


@pytest.mark.skipif(sys.platform == "win32", reason="no process of Windows waits for its parent")
def test_one_that_has_ended_unseen_by_its_parent_does_not() -> None:
    child = subprocess.Popen([sys.executable, "-c", ""])
    while psutil.Process(child.pid).status() != psutil.STATUS_ZOMBIE:
        time.sleep(0.01)

    assert not is_running(child.pid, since=time.time())
    child.wait()


def test_another_that_got_its_number_later_is_not_it() -> None:
    assert not is_running(os.getpid(), since=psutil.Process().create_time() - 3600)


@pytest.mark.parametrize("pid", [-1, 0, 2**31 - 1, 2**70])
def test_a_number_that_no_process_has_is_none_that_runs(pid: int) -> None:
    assert not is_running(pid, since=0.0)
