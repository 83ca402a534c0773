"""The queue's worker: one at a time, in this terminal or in a process that outlives it, and how it is asked to end."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from advisor.data_folder import data_folder
from advisor.errors import LoraError, RunError
from advisor.files import file_digest, is_file, open_to_append
from advisor.run_folder.keep import keep_beside
from advisor.run_folder.lock import Holder
from advisor.run_folder.os_lock import Held, NoLocks, OsLock
from advisor.run_folder.run_state import still_works
from advisor.run_folder.written import Written, WrittenFiles
from wizard.processes.child import child_command, own_home, with_own_packages
from wizard.processes.launch import log_tail
from wizard.processes.queue_database import OWNER_ONLY
from wizard.processes.queue_store import QueueStore, StopWish

WHAT = "loracle queue"
"""As others are told who works on a run, or on the queue."""
LOCK_NAME, LOG_NAME, EARLIER_LOG_NAME = "queue.lock", "queue.log", "queue-1.log"
MOST_LOG_BYTES = 1024**2
"""A longer log is set aside when a worker begins."""
LOOK_SECONDS = 0.5
"""So often it is looked whether the worker is asked to end."""
START_SECONDS = 60.0
"""A worker in the background has begun within so much, or that is told."""


class WorkerRuns(RunError):
    """There is a worker already."""


@contextmanager
def only_worker(folder: Path | None = None) -> Iterator[str]:
    """Within, this process alone works on the queue; gives by what it is known.

    Args:
        folder: None: the user's data folder.

    Raises:
        WorkerRuns: another process does; it is named.
        RunError: nobody can be kept out, or the folder cannot be written to.
    """
    path, holder = (folder or data_folder()) / LOCK_NAME, Holder.this_process(WHAT)
    try:
        lock = OsLock.take(path, holder.text)
    except Held:
        who = Holder.read(path)
        raise WorkerRuns(
            f"The queue is worked on already: {who or 'another process'}; `loracle queue stop` ends that"
        ) from None
    except NoLocks:
        raise RunError(
            f"The file system of {path.parent} has no locks, so that two could work on the queue at once: set "
            "LORACLE_DATA to a folder on a disk of this machine"
        ) from None
    try:
        yield known_as(holder)
    finally:
        lock.release()


def known_as(worker: Holder) -> str:
    """By what a worker is told from all others."""
    return f"{worker.pid} {worker.since:.3f} {worker.host}"


def worker_at_work(folder: Path | None = None) -> Holder | None:
    """Who works on the queue; None: nobody."""
    path = (folder or data_folder()) / LOCK_NAME
    holder = Holder.read(path)
    if holder is None or (works := still_works(holder)) is False:
        return None
    return holder if works or _is_held(path) else None


def _is_held(path: Path) -> bool:
    """Whether another process has the lock, which says to be another machine's: so does that of one which was killed
    here, where the machine had another name then, as containers have.
    """
    try:
        OsLock.take(path, Holder.this_process(WHAT).text).release()
    except Held:
        return True
    except (NoLocks, RunError):
        pass
    return False


@dataclass
class StopAsked:
    """What a worker is asked for by `loracle queue stop`."""

    wish: StopWish | None = None


@contextmanager
def listening_for_stop(store: QueueStore, worker: str) -> Iterator[StopAsked]:
    """Within, it is looked whether this worker is asked to end; to end now is as Ctrl-C in its terminal, once."""
    asked, over = StopAsked(), threading.Event()
    looking = threading.Thread(target=_look, args=(store, worker, asked, over, _interrupt_own_process), daemon=True)
    looking.start()
    try:
        yield asked
    finally:
        over.set()
        looking.join()


def _look(
    store: QueueStore, worker: str, asked: StopAsked, over: threading.Event, interrupt: Callable[[], None]
) -> None:
    while not over.is_set():
        with (
            suppress(LoraError),
            store.wishes_of(worker) as wishes,
        ):  # a database that cannot be read now is tried again
            while not over.wait(LOOK_SECONDS):
                asked.wish = wishes.stop() or asked.wish
                if asked.wish == "now":
                    interrupt()
                    return
        over.wait(LOOK_SECONDS)


def _interrupt_own_process() -> None:
    """As if Ctrl-C were pressed; what the main thread waits for is interrupted too."""
    if sys.platform == "win32":
        signal.raise_signal(signal.SIGINT)
    else:
        os.kill(os.getpid(), signal.SIGINT)


def worker_command(*options: str) -> list[str]:
    """The command line of a worker in the background, which is started with these options."""
    return child_command("wizard.cli", "queue", "start", *options)


def _keep_log(log: Path, earlier: Path) -> None:
    """Rename a long log, over the one before; a file of that name that is none stays beside it."""
    written = WrittenFiles(data=log.parent)
    if os.path.lexists(earlier) and not written.is_as_written(earlier, "queue"):
        keep_beside(earlier)
    written.note({earlier: Written(kind="queue", sha256=(file_digest(log),))})
    log.replace(earlier)


def start_in_background(*options: str, folder: Path | None = None) -> Holder | None:
    """Start a worker as a process of its own, which outlives this one and its terminal; its output goes to a log.

    Args:
        options: of `loracle queue start`.
        folder: None: the user's data folder.

    Returns:
        Who it is; None: it found nothing to do, or is through already.

    Raises:
        RunError: it cannot be started, or has ended at once; the end of its log is told.
    """
    home = (folder or data_folder()).absolute()
    log = home / LOG_NAME
    try:
        home.mkdir(parents=True, exist_ok=True)
        if is_file(log) and log.stat().st_size > MOST_LOG_BYTES:
            _keep_log(log, home / EARLIER_LOG_NAME)
        os.close(os.open(log, os.O_CREAT | os.O_APPEND | os.O_WRONLY, OWNER_ONLY))
        began = log.stat().st_size
        child = _detached(worker_command(*options), {**with_own_packages(os.environ), "LORACLE_DATA": str(home)}, log)
    except OSError as error:
        raise RunError(f"the queue cannot be started in the background: {error.strerror or error}") from error
    since, deadline = time.time(), time.monotonic() + START_SECONDS
    while time.monotonic() < deadline:
        if (code := child.poll()) is not None:
            if code:
                raise RunError(f"The queue has ended at once:\n{log_tail(log, began)}")
            return None
        worker = worker_at_work(home)
        if worker is not None and (worker.pid == child.pid or worker.since >= since - LOOK_SECONDS):
            child.returncode = 0  # it is left to itself
            return worker
        time.sleep(0.05)
    child.kill()
    child.wait()
    raise RunError(f"The queue did not start within {START_SECONDS:.0f} seconds:\n{log_tail(log, began)}")


def _detached(command: list[str], environment: dict[str, str], log: Path) -> subprocess.Popen[bytes]:
    """A process in a session of its own, without a terminal: closing that sends it no signal."""
    with open_to_append(log) as output:
        if sys.platform == "win32":
            return subprocess.Popen(
                command, env=environment, cwd=own_home(), stdin=subprocess.DEVNULL, stdout=output, stderr=output,
                creationflags=subprocess.CREATE_NO_WINDOW | subprocess.CREATE_NEW_PROCESS_GROUP,
            )  # fmt: skip
        return subprocess.Popen(
            command, env=environment, cwd=own_home(), stdin=subprocess.DEVNULL, stdout=output, stderr=output,
            start_new_session=True,
        )  # fmt: skip
