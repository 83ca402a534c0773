"""Worker processes that decode pictures: one that crashes or hangs costs its picture and no other.

What a worker is asked and answers: `advisor.dataset.doctor.worker`.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections import deque
from collections.abc import Iterator, Sequence
from concurrent.futures import Future
from contextlib import suppress
from dataclasses import dataclass, field
from queue import Empty, SimpleQueue
from threading import Event, Thread
from types import TracebackType
from typing import Any

from wizard.processes.child import child_command, child_environment, own_home

WORKER = "advisor.dataset.doctor.worker"
PATIENCE_SECONDS = 30.0
"""For one picture; the largest that is opened takes a few."""
START_SECONDS = 60.0
"""On top for the first picture of a worker, which imports numpy on a machine that may be busy."""
PICTURES_EACH = 4
"""So few pictures are worth no further worker."""
MOST_WAITING = 64
"""Answers are waited for in their order; so many more pictures may be under way than the workers have."""
AT_ONCE = 8
"""Pictures that are sent and answered together: to wake the other process for each takes a tenth of decoding it."""
BATCHES_EACH = 8
"""Each worker gets so many at least, so that all end at about the same time; of few pictures each is sent alone."""
BYTES_AT_ONCE = 1200
"""Of a batch of more than one: what a worker has not read yet must fit into a pipe, which on Windows has 4 KiB."""
AHEAD = 3
"""Batches that a worker is sent before it has answered the first, so that it never waits for its parent."""
BUFFER_BYTES = 128 * 1024
"""For the answers to a batch."""
LOOK_SECONDS = 0.2
"""Between two looks at whether a worker takes too long."""


def num_workers(pictures: int) -> int:
    """How many workers are started for so many pictures."""
    return max(1, min(os.cpu_count() or 1, pictures // PICTURES_EACH))


@dataclass(frozen=True)
class _Job:
    """One picture."""

    request: bytes
    answer: Future[bytes | None] = field(default_factory=Future)


_Batch = tuple[_Job, ...]


class PictureWorkers:
    """Workers that are started when they are needed, and ended with the block."""

    def __init__(self, number: int, patience_seconds: float = PATIENCE_SECONDS) -> None:
        """Start nothing yet.

        Args:
            patience_seconds: for a batch; where it is not enough, or the worker crashes, its pictures are asked for
                again one by one, each with as much.
        """
        self._jobs = SimpleQueue[_Batch | None]()
        self._workers = [_Worker(self._jobs, patience_seconds) for _ in range(number)]
        self._threads = [Thread(target=worker.work, daemon=True) for worker in self._workers]
        self._over = Event()

    def __enter__(self) -> PictureWorkers:
        """Wait for pictures."""
        for thread in (*self._threads, Thread(target=self._watch, daemon=True)):
            thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """End the workers, at once where something was raised."""
        for worker in self._workers:
            if kind is not None:
                worker.end()
            self._jobs.put(None)
        for thread in self._threads:
            thread.join()
        self._over.set()

    def answers(self, requests: Sequence[dict[str, Any]]) -> Iterator[bytes | None]:
        """The answer to each request, in their order; None where the worker crashed or hung."""
        waiting, number = deque[_Job](), len(self._workers)
        size = max(1, min(AT_ONCE, len(requests) // (BATCHES_EACH * number)))
        for batch in _batches(requests, size):
            waiting.extend(batch)
            self._jobs.put(batch)
            while len(waiting) > MOST_WAITING + number * AHEAD * size:
                yield waiting.popleft().answer.result()
        while waiting:
            yield waiting.popleft().answer.result()

    def _watch(self) -> None:
        while not self._over.wait(LOOK_SECONDS):
            for worker in self._workers:
                worker.stop_if_late()


def _batches(requests: Sequence[dict[str, Any]], size: int) -> Iterator[_Batch]:
    batch, taken = list[_Job](), 0
    for request in requests:
        job = _Job(json.dumps(request).encode())
        if batch and (len(batch) == size or taken + len(job.request) > BYTES_AT_ONCE):
            yield tuple(batch)
            batch, taken = [], 0
        batch.append(job)
        taken += len(job.request)
    if batch:
        yield tuple(batch)


class _Worker:
    """One process, started anew where it has died."""

    def __init__(self, jobs: SimpleQueue[_Batch | None], patience_seconds: float) -> None:
        self._jobs, self._patience_seconds = jobs, patience_seconds
        self._sent = deque[_Batch]()
        self._process: subprocess.Popen[bytes] | None = None
        self._due: tuple[subprocess.Popen[bytes], float] | None = None
        self._has_answered, self._has_ended = False, False

    def work(self) -> None:
        """Do jobs until there is None."""
        is_last = False
        while not is_last or self._sent:
            while not is_last and len(self._sent) < AHEAD:
                try:
                    batch = self._jobs.get(block=not self._sent)
                except Empty:
                    break
                if batch is None:
                    is_last = True
                else:
                    self._sent.append(batch)
                    self._send(batch)
            if self._sent:
                self._receive()
        self._stop()

    def stop_if_late(self) -> None:
        """Kill the process where it takes too long."""
        due = self._due
        if due is not None and time.monotonic() > due[1]:
            due[0].kill()

    def end(self) -> None:
        """Give no more answers, and let the process end."""
        self._has_ended = True
        if (process := self._process) is not None:
            process.kill()

    def _send(self, batch: _Batch) -> None:
        if self._process is None and not self._has_ended:
            self._process, self._has_answered = _started(), False
        if self._process is not None:
            assert self._process.stdin is not None
            with suppress(OSError):  # it has died, which its silence tells
                self._process.stdin.write(b"[" + b",".join(job.request for job in batch) + b"]\n")
                self._process.stdin.flush()

    def _receive(self) -> None:
        batch = self._sent.popleft()
        answers = self._lines(len(batch))
        self._has_answered = len(answers) == len(batch)
        if self._has_answered:
            for job, answer in zip(batch, answers, strict=True):
                job.answer.set_result(answer)
            return
        self._stop()
        if len(batch) == 1:
            batch[0].answer.set_result(None)
        else:
            self._sent.extendleft((job,) for job in reversed(batch))
        for sent in self._sent:
            self._send(sent)

    def _lines(self, number: int) -> list[bytes]:
        """The answers to a batch; fewer where the process dies."""
        found = list[bytes]()
        if self._process is not None and not self._has_ended:
            patience = self._patience_seconds + (0 if self._has_answered else START_SECONDS)
            self._due = self._process, time.monotonic() + patience
            assert self._process.stdout is not None
            with suppress(OSError):
                while len(found) < number and (line := self._process.stdout.readline()).endswith(b"\n"):
                    found.append(line)
            self._due = None
        return found

    def _stop(self) -> None:
        process, self._process = self._process, None
        if process is not None:
            process.kill()
            process.wait()
            for pipe in (process.stdin, process.stdout):
                if pipe is not None:
                    with suppress(OSError):  # what it was sent and did not take
                        pipe.close()


def _started() -> subprocess.Popen[bytes]:
    """A worker that Ctrl-C does not reach: it ends with its parent, whose pipe it reads."""
    environment = {**child_environment(os.environ), "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
    apart: dict[str, Any] = {"start_new_session": True}
    if sys.platform == "win32":
        apart = {"creationflags": subprocess.CREATE_NEW_PROCESS_GROUP}
    return subprocess.Popen(
        child_command(WORKER), BUFFER_BYTES, env=environment, cwd=own_home(), stdin=subprocess.PIPE,
        stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, **apart,
    )  # fmt: skip
