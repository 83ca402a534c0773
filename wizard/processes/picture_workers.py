"""Worker processes that decode pictures: one that crashes or hangs costs its picture and no other.

What a worker is asked and answers: `advisor.dataset.doctor.worker`.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from queue import SimpleQueue
from threading import Timer
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
"""Answers are waited for in their order; so many more pictures may be under way."""


def num_workers(pictures: int) -> int:
    """How many workers are started for so many pictures."""
    return max(1, min(os.cpu_count() or 1, pictures // PICTURES_EACH))


@dataclass
class PictureWorkers:
    """Workers that are started when they are needed, and ended with the block."""

    number: int
    patience_seconds: float = PATIENCE_SECONDS
    _idle: SimpleQueue[_Worker] = field(default_factory=SimpleQueue)
    _pool: ThreadPoolExecutor = field(init=False)

    def __enter__(self) -> PictureWorkers:
        """Get ready; nothing is started yet."""
        self._pool = ThreadPoolExecutor(self.number)
        self._workers = [_Worker(self.patience_seconds) for _ in range(self.number)]
        for worker in self._workers:
            self._idle.put(worker)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """End the workers, at once where something was raised."""
        if kind is not None:
            for worker in self._workers:
                worker.end()
        self._pool.shutdown(cancel_futures=True)
        for worker in self._workers:
            worker.end()

    def answers(self, requests: Sequence[dict[str, Any]]) -> Iterator[bytes | None]:
        """The answer to each request, in their order; None where the worker crashed or hung."""
        ahead = [self._pool.submit(self._answer, request) for request in requests[:MOST_WAITING]]
        for place in range(len(requests)):
            answer = ahead[place % MOST_WAITING].result()
            following = place + MOST_WAITING
            if following < len(requests):
                ahead[place % MOST_WAITING] = self._pool.submit(self._answer, requests[following])
            yield answer

    def _answer(self, request: dict[str, Any]) -> bytes | None:
        worker = self._idle.get()
        try:
            return worker.answer(request)
        finally:
            self._idle.put(worker)


@dataclass
class _Worker:
    """One process, started anew where it has died."""

    patience_seconds: float
    _process: subprocess.Popen[bytes] | None = None
    _has_ended: bool = False

    def answer(self, request: dict[str, Any]) -> bytes | None:
        """Its answer; None where it died over the request."""
        if self._has_ended:
            return None
        patience = self.patience_seconds
        if self._process is None or self._process.poll() is not None:
            self._process = _started()
            patience += START_SECONDS
        process = self._process
        assert process.stdin is not None
        assert process.stdout is not None
        timer = Timer(patience, process.kill)
        timer.start()
        try:
            process.stdin.write(json.dumps(request).encode() + b"\n")
            process.stdin.flush()
            answer = process.stdout.readline()
        except OSError:
            answer = b""
        finally:
            timer.cancel()
        if answer.endswith(b"\n"):
            return answer
        self._stop()
        return None

    def end(self) -> None:
        """End the process for good."""
        self._has_ended = True
        self._stop()

    def _stop(self) -> None:
        process, self._process = self._process, None
        if process is not None:
            process.kill()
            process.wait()
            for pipe in (process.stdin, process.stdout):
                if pipe is not None:
                    pipe.close()


def _started() -> subprocess.Popen[bytes]:
    """A worker that Ctrl-C does not reach: it ends with its parent, whose pipe it reads."""
    environment = {**child_environment(os.environ), "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
    apart: dict[str, Any] = {"start_new_session": True}
    if sys.platform == "win32":
        apart = {"creationflags": subprocess.CREATE_NEW_PROCESS_GROUP}
    return subprocess.Popen(
        child_command(WORKER), env=environment, cwd=own_home(), stdin=subprocess.PIPE, stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL, **apart,
    )  # fmt: skip
