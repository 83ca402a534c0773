from __future__ import annotations

import os
import re
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from advisor.errors import RunError
from advisor.run_folder import lock as lock_module
from advisor.run_folder import os_lock
from advisor.run_folder.layout import RunFolder
from advisor.run_folder.lock import Holder, RunInUse, training, writing
from advisor.run_folder.os_lock import NoLocks, OsLock
from tests.support.paths import REPOSITORY

HOLDS = """
import sys
from pathlib import Path
from advisor.run_folder.layout import RunFolder
from advisor.run_folder.lock import training, writing
run, what = RunFolder(Path(sys.argv[1])), sys.argv[2]
if what == "writing":
    held = writing(run, "loracle train", print)
else:
    held = training(run, "the trainer", print, is_launched=True)
with held:
    print("held", flush=True)
    sys.stdin.read()
"""


def holding(run: Path, what: str = "writing") -> subprocess.Popen[str]:
    """Another process that holds the run, until it is killed."""
    child = subprocess.Popen(
        [sys.executable, "-c", HOLDS, str(run), what],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=REPOSITORY,
    )  # fmt: skip
    assert child.stdout is not None
    assert child.stdout.readline() == "held\n"
    return child


def end(child: subprocess.Popen[str]) -> None:
    child.kill()
    child.communicate()


def test_a_second_process_is_told_who_has_the_run(tmp_path: Path) -> None:
    child = holding(tmp_path)
    try:
        with pytest.raises(RunInUse) as caught, writing(RunFolder(tmp_path), "loracle export", print):
            pass
    finally:
        end(child)

    assert caught.value.exit_code == 2
    told = rf"{re.escape(str(tmp_path))} is in use: loracle train \(process {child.pid} on .+, since \d{{4}}-\d\d-\d\d "
    assert re.match(told, str(caught.value))


def test_death_releases_a_run_and_nothing_needs_to_be_deleted(tmp_path: Path) -> None:
    end(holding(tmp_path))
    end(holding(tmp_path, "training"))
    assert {path.name for path in tmp_path.iterdir()} == {".lock", ".lock-trainer"}

    with writing(RunFolder(tmp_path), "loracle train", print):
        pass

    assert not list(tmp_path.iterdir())


def test_a_trainer_that_was_left_alone_keeps_others_out(tmp_path: Path) -> None:
    run, child = RunFolder(tmp_path), holding(tmp_path, "training")
    try:
        with pytest.raises(RunInUse, match=rf"still in use: the trainer \(process {child.pid} "):  # noqa: SIM117
            with writing(run, "loracle train", print):
                pass
        assert not run.lock.exists()
    finally:
        end(child)


def test_a_command_and_its_trainer_hold_a_run_together(tmp_path: Path) -> None:
    run = RunFolder(tmp_path)

    with writing(run, "loracle train", print), training(run, "the trainer", print, is_launched=True):
        assert Holder.read(run.trainer_lock) is not None
        with pytest.raises(RunInUse), training(run, "the trainer", print, is_launched=False):
            pass


def test_a_trainer_that_was_started_by_hand_holds_the_run_itself(tmp_path: Path) -> None:
    run = RunFolder(tmp_path)

    with (
        training(run, "the trainer", print, is_launched=False),
        pytest.raises(RunInUse, match="in use: the trainer"),
        writing(run, "loracle train", print),
    ):
        pass

    assert not list(tmp_path.iterdir())


def test_the_next_trainer_of_a_command_waits_for_the_one_before_it(tmp_path: Path) -> None:
    run, child = RunFolder(tmp_path), holding(tmp_path, "training")
    threading.Timer(0.5, end, [child]).start()

    with training(run, "the trainer", print, is_launched=True):
        held = Holder.read(run.trainer_lock)

    assert held is not None
    assert held.pid == os.getpid()


def test_the_next_trainer_waits_only_so_long(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lock_module, "PATIENCE_SECONDS", 0.2)
    child = holding(tmp_path, "training")
    try:
        with pytest.raises(RunInUse), training(RunFolder(tmp_path), "the trainer", print, is_launched=True):
            pass
    finally:
        end(child)


ALONE = """
import os, sys, time
from pathlib import Path
from advisor.run_folder.layout import RunFolder
from advisor.run_folder.lock import writing
folder = Path(sys.argv[1])
with writing(RunFolder(folder), "loracle train", print):
    own = folder / str(os.getpid())
    own.touch()
    time.sleep(0.02)
    assert [one for one in folder.iterdir() if one.name.isdigit()] == [own]
    own.unlink()
    print("alone")
"""


def test_of_many_at_the_same_moment_one_has_the_run(tmp_path: Path) -> None:
    children = [
        subprocess.Popen(
            [sys.executable, "-c", ALONE, str(tmp_path)],
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd=REPOSITORY,
        )
        for _ in range(12)
    ]  # fmt: skip
    ended = [child.communicate() for child in children]

    assert any(out == "alone\n" for out, _ in ended)
    assert all(out == "alone\n" or "in use" in err for out, err in ended), ended


@pytest.mark.parametrize("text", [b"", b"\0" * 90, b'{"pi', b'{"pid": 1}', b'{"pid": "x", "host": 1', b"\xff"])
def test_a_text_that_tells_nobody_is_no_holder(tmp_path: Path, text: bytes) -> None:
    (tmp_path / ".lock").write_bytes(text)

    assert Holder.read(tmp_path / ".lock") is None


def test_what_a_holder_says_steers_no_terminal() -> None:
    assert "\x1b" not in str(Holder(1, "\x1b[2J", 0.0, "loracle\x1b]0;x\x07"))


def a_link(path: Path, other: Path) -> None:
    path.symlink_to(other)


def a_hard_link(path: Path, other: Path) -> None:
    os.link(other, path)


def a_folder(path: Path, other: Path) -> None:
    path.mkdir()


def a_pipe(path: Path, other: Path) -> None:
    os.mkfifo(path)


def the_users(path: Path, other: Path) -> None:
    path.write_text("my notes")


@pytest.mark.skipif(sys.platform == "win32", reason="links need rights there")
@pytest.mark.parametrize("make", [a_link, a_hard_link, a_folder, a_pipe, the_users])
def test_what_is_none_of_ours_is_named_and_kept(tmp_path: Path, make: Callable[[Path, Path], None]) -> None:
    other = tmp_path / "bashrc"
    other.write_text("alias")
    run = RunFolder(tmp_path / "run")
    run.path.mkdir()
    make(run.lock, other)

    with pytest.raises(RunError, match=re.escape(str(run.lock))), writing(run, "loracle train", print):
        pass

    assert other.read_text() == "alias"
    assert os.path.lexists(run.lock)
    assert make is not the_users or run.lock.read_text() == "my notes"


def test_a_file_system_without_locks_is_told_and_not_in_the_way(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def none(handle: int) -> None:
        raise NoLocks

    monkeypatch.setattr(os_lock, "_lock", none)
    warnings = list[str]()

    with training(RunFolder(tmp_path), "the trainer", warnings.append, is_launched=False):
        pass

    assert len(warnings) == 1
    assert warnings[0].startswith(f"The file system of {tmp_path} has no locks")
    assert not list(tmp_path.iterdir())


@pytest.mark.skipif(sys.platform == "win32" or os.geteuid() == 0, reason="needs rights that root ignores")
def test_a_folder_that_may_not_be_written_to_is_named(tmp_path: Path) -> None:
    tmp_path.chmod(0o500)
    try:
        with pytest.raises(RunError, match="choose a folder that you may write to"):  # noqa: SIM117
            with writing(RunFolder(tmp_path), "loracle train", print):
                pass
    finally:
        tmp_path.chmod(0o700)


def test_a_lock_that_was_removed_before_it_was_locked_is_made_anew(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path, real, calls = tmp_path / "lock", os_lock._lock, list[int]()

    def late(handle: int) -> None:
        if not calls:
            path.unlink()
        calls.append(handle)
        real(handle)

    monkeypatch.setattr(os_lock, "_lock", late)
    lock = OsLock.take(path, lambda _: b'{"pid": 1}')

    assert len(calls) == 2
    assert path.read_bytes() == b'{"pid": 1}'
    lock.release()
    assert not path.exists()


@pytest.mark.skipif(sys.platform == "win32", reason="Windows deletes no file that is in use")
def test_a_trainer_whose_lock_was_deleted_takes_it_again(tmp_path: Path) -> None:
    run = RunFolder(tmp_path)
    with training(run, "the trainer", print, is_launched=True) as check:
        run.trainer_lock.unlink()
        check()

        with pytest.raises(RunInUse, match=r"the trainer \(process"), writing(run, "loracle train", print):
            pass
    assert not run.trainer_lock.exists()


@pytest.mark.skipif(sys.platform == "win32", reason="Windows deletes no file that is in use")
@pytest.mark.skipif(sys.platform == "win32", reason="Windows renames no folder that is in use")
def test_a_trainer_whose_run_is_exchanged_takes_no_lock_in_the_other(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = RunFolder(tmp_path / "run")
    run.path.mkdir()
    looked = OsLock.is_at_its_path

    def exchanged(lock: OsLock) -> bool:
        if lock.path == run.trainer_lock and not (tmp_path / "moved").exists():
            run.path.rename(tmp_path / "moved")
            run.path.mkdir()
        return looked(lock)

    with training(run, "a training", print, is_launched=False) as check:
        monkeypatch.setattr(OsLock, "is_at_its_path", exchanged)
        with pytest.raises(RunError, match="it was renamed, moved or deleted"):
            check()
        monkeypatch.setattr(OsLock, "is_at_its_path", looked)

    assert not list(run.path.iterdir())


def test_a_trainer_whose_lock_was_deleted_and_taken_by_another_ends(tmp_path: Path) -> None:
    run = RunFolder(tmp_path)
    with training(run, "the trainer", print, is_launched=True) as check:
        run.trainer_lock.unlink()
        other = holding(tmp_path, "training")
        try:
            with pytest.raises(RunInUse):
                check()
        finally:
            end(other)
