from __future__ import annotations

import errno
import json
import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch

from advisor.errors import RunError
from advisor.files import write_atomically
from advisor.run_folder.events import Paused, Resumed, Started
from advisor.run_folder.layout import RunFolder
from advisor.units import MIB
from tests.support.paths import REPOSITORY
from tests.support.runs import events_of, make_config, run_training, write_toml
from trainer import __main__ as trainer_command
from trainer import train_run
from trainer.data.tensor_cache import TensorCache
from trainer.runtime import disk_space
from trainer.runtime.disk_space import MARGIN_BYTES, DiskRoom, is_full, waiting_for
from trainer.runtime.events import Events
from trainer.runtime.interrupts import Interrupt
from trainer.training import prepare, state
from wizard.processes.launch import event_note

MakeRoom = Callable[[Callable[[Path], int | None], Callable[[float], None]], DiskRoom]


@pytest.fixture
def events(tmp_path: Path) -> Iterator[Events]:
    with Events(tmp_path) as found:
        yield found


@pytest.fixture
def make_room(events: Events) -> MakeRoom:
    return lambda free, sleep: DiskRoom(events, Interrupt(), free=free, sleep=sleep)


def told(run: Path) -> list[str]:
    return [event["event"] for event in events_of(run)]


def test_a_write_waits_until_there_is_room_and_goes_on_by_itself(tmp_path: Path, make_room: MakeRoom) -> None:
    free = [0, 10, 100 + MARGIN_BYTES]

    def sleep(seconds: float) -> None:
        free.pop(0)

    room = make_room(lambda _: free[0], sleep)

    room.write(tmp_path / "a" / "b", 100, lambda: write_atomically(tmp_path / "a" / "b", "x"))

    assert (tmp_path / "a" / "b").read_text() == "x"
    assert told(tmp_path) == ["paused", "warning", "resumed"]
    paused, warning, resumed = events_of(tmp_path)
    assert (paused["folder"], paused["needed_bytes"]) == ((tmp_path / "a").as_posix(), 100 + MARGIN_BYTES)
    assert str(tmp_path / "a") in warning["message"]
    assert "(100 bytes)" in warning["message"]
    assert "going on" in event_note(Resumed(folder=resumed["folder"]))


def test_where_there_is_room_nothing_is_told(tmp_path: Path, make_room: MakeRoom) -> None:
    make_room(lambda _: 100 * MIB, lambda _: None).write(tmp_path / "a", 1, lambda: None)

    assert told(tmp_path) == []


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EDQUOT])
def test_a_disk_full_only_while_it_is_written_is_waited_for_too(
    tmp_path: Path, make_room: MakeRoom, number: int
) -> None:
    tries = list[int]()

    def write() -> None:
        tries.append(1)
        if len(tries) < 3:
            raise RunError("it cannot be written") from OSError(number, "full")

    make_room(lambda _: None, lambda _: None).write(tmp_path / "a", 1, write)

    assert len(tries) == 3
    assert told(tmp_path) == ["paused", "warning", "resumed"]


def test_a_disk_that_does_not_tell_its_size_is_not_taken_for_full(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shutil, "disk_usage", lambda _: SimpleNamespace(total=0, used=0, free=0))

    assert disk_space.free_bytes(tmp_path) is None


def test_another_error_is_not_waited_for(tmp_path: Path, make_room: MakeRoom) -> None:
    def write() -> None:
        raise RunError("no right") from PermissionError(errno.EACCES, "no")

    with pytest.raises(RunError, match="no right"):
        make_room(lambda _: None, lambda _: None).write(tmp_path / "a", 1, write)


def test_after_ctrl_c_the_last_files_are_written_without_room_to_spare(tmp_path: Path, events: Events) -> None:
    interrupt = Interrupt()
    interrupt.ask()
    room = DiskRoom(events, interrupt, free=lambda _: 100, sleep=lambda _: None)

    room.write(tmp_path / "b", 100, lambda: write_atomically(tmp_path / "b", "x"))

    assert (tmp_path / "b").exists()


def test_ctrl_c_ends_the_waiting(tmp_path: Path, events: Events) -> None:
    interrupt = Interrupt()
    room = DiskRoom(events, interrupt, free=lambda _: 0, sleep=lambda _: interrupt.ask())

    with pytest.raises(KeyboardInterrupt):
        room.write(tmp_path / "a", 1, lambda: pytest.fail("it was written"))


class Full:
    """A disk with room for a few bytes at a time."""

    name = "events"

    def __init__(self) -> None:
        self.content, self.room = b"", 5

    def close(self) -> None:
        """Nothing to close."""

    def write(self, line: bytes) -> int:
        if not self.room:
            raise OSError(errno.ENOSPC, "full")
        part, self.room = line[: self.room], 0
        self.content += part
        return len(part)


def test_an_event_that_fits_only_in_part_is_finished_later(events: Events) -> None:
    disk = Full()
    events._writer._file.close()
    events._writer._file = disk  # type: ignore[assignment]
    events.when_full(lambda: setattr(disk, "room", 7))

    events.send(Started())

    assert json.loads(disk.content)["event"] == "started"


def test_ctrl_c_ends_a_training_where_not_even_an_event_can_be_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, events: Events
) -> None:
    def waits(run: Path, *_: object, events: Events, interrupt: Interrupt, **__: object) -> None:
        DiskRoom(events, interrupt)
        interrupt.ask()
        events.send(Paused(folder=run.as_posix()))

    monkeypatch.setattr(prepare, "prepare", waits)
    write_toml(tmp_path / "loracle.toml", make_config(tmp_path))
    events._writer._file.close()
    events._writer._file = Full()  # type: ignore[assignment]

    given = trainer_command._parser().parse_args([str(tmp_path), "--device", "cpu"])
    assert train_run._train(RunFolder(tmp_path), given, events, Interrupt()) == 130


def test_ctrl_c_ends_it_too_where_the_reason_of_its_end_cannot_be_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fails(*_: object, events: Events, interrupt: Interrupt, **__: object) -> None:
        DiskRoom(events, interrupt, sleep=lambda _: interrupt.ask())
        events._writer._file.close()
        events._writer._file = Full()  # type: ignore[assignment]
        raise RunError("a picture is gone")

    monkeypatch.setattr(prepare, "prepare", fails)
    write_toml(tmp_path / "loracle.toml", make_config(tmp_path))

    assert trainer_command.main([str(tmp_path), "--device", "cpu"]) == 130


def test_caches_loras_and_states_of_a_training_wait(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked = list[Path]()

    def free(folder: Path) -> int:
        asked.append(folder)
        return 0 if len(asked) % 2 else 1 << 40

    monkeypatch.setattr(disk_space, "free_bytes", free)
    monkeypatch.setattr(disk_space, "POLL_SECONDS", 0.0)
    config = make_config(tmp_path, schedule__epochs=2)
    run_training(tmp_path / "run", config)

    paused = {
        Path(event["folder"]).relative_to(tmp_path / "run").parts[0] for event in events_of(tmp_path / "run", "paused")
    }
    assert paused == {"cache", "model", "state"}
    assert (tmp_path / "run" / "model" / "tok.safetensors").exists()


def test_the_state_of_a_finished_training_is_not_waited_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    written = state.States._write

    def full(self: state.States, target: Path, made: state.State) -> None:
        if made.position.epoch == 2:
            raise RunError("it cannot be written") from OSError(errno.ENOSPC, "full")
        written(self, target, made)

    monkeypatch.setattr(state.States, "_write", full)
    run_training(tmp_path / "run", make_config(tmp_path, schedule__epochs=2))

    (warning,) = events_of(tmp_path / "run", "warning")
    assert warning["code"] == "state_not_saved"
    assert warning["message"].endswith("so the training cannot go on with more epochs: it cannot be written")
    assert events_of(tmp_path / "run", "finished")
    assert (tmp_path / "run" / "model" / "tok.safetensors").exists()


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of its own with 24 MiB."""
    folder = tmp_path / "disk"
    folder.mkdir()
    if sys.platform != "linux" or shutil.which("mount") is None:
        pytest.skip("needs Linux to mount a small file system")
    command = ["mount", "-t", "tmpfs", "-o", "size=24m", "tmpfs", str(folder)]
    mounted = subprocess.run(command, capture_output=True, check=False)
    if mounted.returncode != 0:
        pytest.skip("this user may not mount a small file system")
    try:
        yield folder
    finally:
        subprocess.run(["umount", "-l", str(folder)], check=True)


def fill(path: Path, *, leave: int) -> None:
    free = shutil.disk_usage(path.parent).free
    with path.open("wb") as file:
        file.write(b"x" * max(0, free - leave))


def wait_for(what: Callable[[], Any], seconds: float = 120.0) -> Any:
    end = time.monotonic() + seconds
    while not (found := what()):
        assert time.monotonic() < end, "it did not come"
        time.sleep(0.1)
    return found


def test_a_disk_that_is_really_full_is_waited_for_and_no_half_file_is_left(small_disk: Path) -> None:
    filler = small_disk / "filler"
    fill(filler, leave=4096 * 8)
    cache = TensorCache(small_disk / "cache")
    timer = threading.Timer(2.0, filler.unlink)
    timer.start()

    with Events(small_disk) as events:
        room = DiskRoom(events, Interrupt(), free=lambda _: None)  # nothing is known before: the write itself fails
        with waiting_for(room):
            cache.put("abc", {"a": torch.ones(1 << 18)})

    timer.join()
    assert TensorCache(small_disk / "cache").get("abc") is not None
    assert not list(small_disk.rglob("*.part"))
    assert told(small_disk) == ["paused", "warning", "resumed"]


@pytest.mark.slow
@pytest.mark.parametrize("ends", ["room", "ctrl_c"])
def test_a_training_on_a_full_disk_pauses_and_goes_on_or_ends_on_ctrl_c(
    small_disk: Path, tmp_path: Path, ends: str
) -> None:
    run = small_disk / "run"
    write_toml(run / "loracle.toml", make_config(tmp_path, schedule__epochs=3))
    filler = small_disk / "filler"
    fill(filler, leave=2 * MIB)
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "HF_HUB_OFFLINE": "1", "PYTHONPATH": str(REPOSITORY)}
    child = subprocess.Popen([sys.executable, "-P", "-m", "trainer", str(run), "--device", "cpu"], env=environment)
    try:
        wait_for(lambda: (run / "log" / "events.jsonl").exists() and events_of(run, "paused"))
        assert child.poll() is None
        if ends == "room":
            filler.unlink()
            assert child.wait(120) == 0
            assert events_of(run, "resumed")
            assert (run / "model" / "tok.safetensors").exists()
        else:
            child.send_signal(signal.SIGINT)
            assert child.wait(60) == 130
        assert not list(run.rglob("*.part"))
    finally:
        if child.poll() is None:
            child.kill()
            child.wait()


def test_a_full_disk_is_told_from_other_errors() -> None:
    error = RunError("x")
    error.__cause__ = OSError(errno.ENOSPC, "full")

    assert is_full(error)
    assert not is_full(RunError("x"))
