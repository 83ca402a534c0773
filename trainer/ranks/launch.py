"""Starting the processes of a training by torchrun's launcher, and ending all of them with one exit code.

The launcher (`torch.distributed.launcher`) starts them anew in no case: whoever started this process decides that, as
it does where one process trains. Its rendezvous is a file.
"""

from __future__ import annotations

import logging
import os
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor, wait
from contextlib import suppress
from dataclasses import dataclass
from multiprocessing import get_context, parent_process
from multiprocessing.connection import Connection
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import psutil
from torch.distributed import FileStore  # type: ignore[attr-defined]
from torch.distributed.elastic.multiprocessing import DefaultLogsSpecs
from torch.distributed.elastic.multiprocessing.errors import ChildFailedError
from torch.distributed.launcher.api import LaunchConfig, elastic_launch

from trainer.ranks.group import LOOPBACK, RankGroup
from trainer.ranks.rendezvous import OF_TORCHRUN
from trainer.runtime.interrupts import Interrupt, Interrupted
from trainer.runtime.launcher import GONE

POLL_SECONDS = 0.1
NOTICE_SECONDS = 5.0
"""So long the first process waits, where another is gone, for the launcher to see who ended first."""


@dataclass(frozen=True)
class RankStart:
    """What each process is started with."""

    store: Path
    """A file by which they find one another."""
    asked: Connection
    """Here the first one is asked to end, and told why."""
    on_cards: bool
    """Each computes on a graphics card of its own; else all on the processor."""

    def joined(self) -> RankGroup:
        """This process among the others."""
        rank, world_size = int(os.environ["RANK"]), int(os.environ["WORLD_SIZE"])
        for name in OF_TORCHRUN:
            os.environ.pop(name, None)
        if self.on_cards:
            os.environ["CUDA_VISIBLE_DEVICES"] = card_of(os.environ.get("CUDA_VISIBLE_DEVICES", ""), rank)
        return RankGroup(FileStore(str(self.store), world_size), rank, world_size, on_cards=self.on_cards)

    def follow(self, interrupt: Interrupt) -> None:
        """Ask to end, from another thread, once the process that started this one asks for it or is gone."""
        threading.Thread(target=self._wait, args=(interrupt,), daemon=True).start()

    def _wait(self, interrupt: Interrupt) -> None:
        cause = GONE
        with suppress(EOFError, OSError):
            cause = self.asked.recv()
        interrupt.ask(cause)


def card_of(visible: str, rank: int) -> str:
    """The card of a process, as CUDA_VISIBLE_DEVICES names it.

    Args:
        visible: that variable of the process that started it; empty: all cards are visible.
    """
    return visible.split(",")[rank] if visible else str(rank)


def run_ranks(
    count: int, work: Callable[..., None], arguments: tuple[Any, ...], interrupt: Interrupt, *, on_cards: bool
) -> int:
    """Let so many processes work, and give the exit code: the first one's, or that of the one that was killed.

    Args:
        work: gets a `RankStart`, then the arguments; both cross to another process. It exits with a code that is not 0
            where it fails.
        interrupt: asked here, it asks the first process.
        on_cards: each computes on a graphics card of its own.

    Raises:
        KeyboardInterrupt: a second request; the processes were killed.
    """
    logging.disable(logging.CRITICAL)  # the launcher's, of how processes end; they tell that themselves
    os.environ["TORCH_DISABLE_SHARE_RDZV_TCP_STORE"] = "1"  # no port is opened for a store that a file is
    reader, writer = get_context("spawn").Pipe(duplex=False)
    with TemporaryDirectory(prefix="loracle-") as folder:
        start = RankStart(Path(folder) / "store", reader, on_cards)
        launch = elastic_launch(_launch_config(count, Path(folder)), work)
        with ThreadPoolExecutor(1) as pool:  # within this thread the launcher would take all signals
            ended: Future[Any] = pool.submit(launch, start, *arguments)
            try:
                _wait_until(ended, writer, interrupt)
            except KeyboardInterrupt:
                for child in psutil.Process().children():
                    with suppress(psutil.Error):
                        child.kill()
                raise
        return _exit_code(ended, interrupt)


def _launch_config(count: int, folder: Path) -> LaunchConfig:
    return LaunchConfig(
        min_nodes=1,
        max_nodes=1,
        nproc_per_node=count,
        run_id="loracle",
        rdzv_backend="c10d",
        rdzv_endpoint=str(folder / "rendezvous"),
        rdzv_configs={"store_type": "file"},
        local_addr=LOOPBACK,
        max_restarts=0,
        monitor_interval=POLL_SECONDS,
        logs_specs=DefaultLogsSpecs(log_dir=str(folder / "logs")),
    )


def _wait_until(ended: Future[Any], writer: Connection, interrupt: Interrupt) -> None:
    """Wait for the processes; an interrupt is handed on once."""
    is_passed_on = False
    while not wait([ended], POLL_SECONDS).done:
        if interrupt.asked and not is_passed_on:
            is_passed_on = True
            with suppress(OSError):
                writer.send(interrupt.cause)


def _exit_code(ended: Future[Any], interrupt: Interrupt) -> int:
    try:
        ended.result()
    except ChildFailedError as error:
        code = error.get_first_failure()[1].exitcode
        return Interrupted.exit_code if interrupt.asked else code
    return 0


def wait_for_launcher(interrupt: Interrupt) -> None:
    """Where another process was killed, let the launcher see that before this one ends, which it asks for then."""
    deadline = time.monotonic() + NOTICE_SECONDS
    while not interrupt.asked and time.monotonic() < deadline:
        time.sleep(POLL_SECONDS)


def end_with_launcher() -> None:
    """To be called when the work is done: the launcher lets this process end with the others, unless it is gone."""
    threading.Thread(target=_end_with_parent, daemon=True).start()


def _end_with_parent() -> None:
    parent = parent_process()
    if parent is not None:
        parent.join()
        os._exit(0)
