"""`loracle train --distributed`: real processes by torchrun, which meet on this machine's loopback address."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import psutil
import pytest

from advisor.run_folder.layout import RunFolder
from tests.support.killed import assert_every_lora_loads, has_begun, launched, trainer_pid, wait_for
from tests.support.paths import REPOSITORY
from tests.support.runs import events_of, make_config, same, weights, write_toml
from tests.wizard.commands.test_train_processes import BENT, LAUNCHER

posix = pytest.mark.skipif(sys.platform == "win32", reason="signals are POSIX's")
pytestmark = [pytest.mark.slow, posix]


def free_port() -> int:
    with closing(socket.socket()) as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])


def planned(folder: Path, name: str, **settings: Any) -> Path:
    run = folder / name
    write_toml(run / "loracle.toml", make_config(folder, **settings))
    return run


@contextmanager
def started(command: Sequence[str], more: Mapping[str, str] | None = None) -> Iterator[subprocess.Popen[str]]:
    """A process; what still runs of it and of its children at the end is killed."""
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": str(REPOSITORY), **(more or {})}
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, env=environment)
    try:
        yield process
    finally:
        try:
            below = psutil.Process(process.pid).children(recursive=True)
        except psutil.Error:
            below = []
        for one in below:
            one.kill()
        process.kill()
        process.communicate()


def torchrun(run: Path, *options: str, restarts: int = 0) -> list[str]:
    launcher = [sys.executable, "-m", "torch.distributed.run", "--nproc-per-node", "2"]
    meeting = ["--master-addr", "127.0.0.1", "--master-port", str(free_port()), "--max-restarts", str(restarts)]
    ours = ["-m", "wizard.cli", "train", str(run), "--distributed", "--device", "cpu", *options]
    return [*launcher, *meeting, *ours]


def by_hand(run: Path, rank: int, port: int, **more: str) -> tuple[list[str], dict[str, str]]:
    """Command and environment of one process of two, as a batch system sets them."""
    command = [sys.executable, "-P", "-m", "wizard.cli", "train", str(run), "--distributed", "--device", "cpu"]
    meeting = {"RANK": str(rank), "WORLD_SIZE": "2", "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(port)}
    return command, {**meeting, **more}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """With a training by two processes of one command, `whole`."""
    folder = tmp_path_factory.mktemp("distributed")
    with launched(planned(folder, "whole", schedule__epochs=3), "--processes", "2") as process:
        out, _ = process.communicate(timeout=200)
    assert process.returncode == 0, out
    return folder


def test_torchruns_processes_train_the_same_bytes_as_those_of_one_command(folder: Path) -> None:
    run = planned(folder, "torchrun", schedule__epochs=3)

    with started(torchrun(run)) as process:
        out, _ = process.communicate(timeout=200)

    assert process.returncode == 0, out
    assert events_of(run, "started")[0]["processes"] == 2
    assert same(weights(run), weights(folder / "whole"))
    assert not RunFolder(run).meeting.exists()
    assert not list(run.glob(".lock*"))


def test_processes_started_by_hand_serve_the_meeting_themselves(folder: Path) -> None:
    run, port = planned(folder, "by hand", schedule__epochs=3), free_port()

    with started(*by_hand(run, 1, port)) as second, started(*by_hand(run, 0, port)) as first:
        wait_for(lambda: has_begun(run, "step"), "a step")
        listening = [
            one.laddr.ip
            for process in (psutil.Process(trainer_pid(run)), psutil.Process(second.pid))
            for one in process.net_connections()
            if one.status == psutil.CONN_LISTEN
        ]
        out, _ = first.communicate(timeout=200)
        told, _ = second.communicate(timeout=60)

    assert (first.returncode, second.returncode) == (0, 0), out + told
    assert same(weights(run), weights(folder / "whole"))
    assert listening
    assert set(listening) == {"127.0.0.1"}


def test_where_a_process_is_killed_torchrun_goes_on_from_the_last_state(folder: Path) -> None:
    run = planned(folder, "killed", schedule__epochs=3)

    with started(torchrun(run, restarts=3)) as process:
        wait_for(lambda: has_begun(run, "step"), "a step")
        children = psutil.Process(process.pid).children()
        next(one for one in children if "--rendezvous" in one.cmdline()).kill()
        out, _ = process.communicate(timeout=300)

    assert process.returncode == 0, out
    assert len(events_of(run, "started")) > 1
    assert same(weights(run), weights(folder / "whole"))
    assert_every_lora_loads(run)


def test_ctrl_c_ends_all_of_them_with_a_state(folder: Path) -> None:
    run = planned(folder, "interrupted", schedule__epochs=200)

    with started(torchrun(run)) as process:
        wait_for(lambda: has_begun(run, "step"), "a step")
        process.send_signal(signal.SIGINT)
        out, _ = process.communicate(timeout=60)

    assert events_of(run, "failed")[0]["code"] == "interrupted", out
    assert RunFolder(run).has_state()
    assert_every_lora_loads(run)


def test_where_one_has_no_memory_left_the_others_join_the_first_again_a_rung_lower(folder: Path) -> None:
    run, port, script = planned(folder, "ladder", schedule__batch_size=4), free_port(), folder / "bent.py"
    script.write_text(BENT.format(error="MemoryError('std::bad_alloc')"))
    launcher = [sys.executable, "-P", "-c", LAUNCHER.format(script=str(script)), "train", str(run), "--distributed"]

    with started(launcher, by_hand(run, 1, port)[1]) as second, started(launcher, by_hand(run, 0, port)[1]) as first:
        out, _ = first.communicate(timeout=250)
        told, _ = second.communicate(timeout=60)

    assert (first.returncode, second.returncode) == (0, 0), out + told
    assert [rung["rung"] for rung in events_of(run, "ladder")] == ["checkpointing", "smaller_parts"]
    assert [event["resumed_from"] for event in events_of(run, "started")] == [None, 2, 2]
    assert [event["processes"] for event in events_of(run, "started")] == [2, 2, 2]


def test_processes_that_differ_are_told_apart_before_a_step(folder: Path, tmp_path: Path) -> None:
    run, port = planned(folder, "here", schedule__epochs=3), free_port()
    other = planned(tmp_path, "not shared", schedule__epochs=4)

    with started(*by_hand(other, 1, port)) as second, started(*by_hand(run, 0, port)) as first:
        out, _ = first.communicate(timeout=120)
        told, _ = second.communicate(timeout=60)

    assert first.returncode == second.returncode == 2
    for text in (out, told):
        assert f"Process 1 on {socket.gethostname()} does not see the first one's run folder" in text
        assert "keep the run on storage that all machines share" in text
    assert not RunFolder(run).events.exists()
    assert not RunFolder(run).has_trained()


def test_a_port_in_use_is_told(folder: Path) -> None:
    run = planned(folder, "port", schedule__epochs=3)
    with closing(socket.socket()) as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = int(taken.getsockname()[1])
        with started(*by_hand(run, 0, port)) as first:
            out, _ = first.communicate(timeout=120)

    assert first.returncode == 3
    assert f"cannot listen at 127.0.0.1, port {port}" in out
    assert "choose another MASTER_PORT" in out
