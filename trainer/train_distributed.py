"""Training a run by processes that torchrun or a batch system has started, on one machine or several.

The first process is the run's, and its command climbs the memory ladder as ever: it is then started anew, and the
others, which stay, join it again. How it has ended is told in the store; where nothing is told, it was killed.
"""

from __future__ import annotations

import argparse
import os
import secrets
import signal
import socket
import threading
import time
from contextlib import suppress

from torch.distributed import PrefixStore, Store  # type: ignore[attr-defined]

from advisor.errors import HardwareError, LoraError, OutOfMemory, TrainingStopped
from advisor.estimate.several_processes import Shares
from advisor.run_folder.layout import RunFolder
from trainer.ranks.acquaintance import get_acquainted
from trainer.ranks.group import RankGroup
from trainer.ranks.launch import card_of
from trainer.ranks.machines import (
    JOIN_SECONDS,
    POLL_SECONDS,
    all_have_done,
    has,
    interface_of,
    local_address,
    store_of,
    wait_until,
)
from trainer.ranks.rendezvous import Rendezvous
from trainer.runtime.addresses import is_loopback
from trainer.runtime.interrupts import Interrupt, Interrupted
from trainer.train_in_ranks import follow
from trainer.train_run import print_error, train_run

START, ENDED, SEEN = "start", "ended", "seen"
"""Keys of the store: the token of the newest start, the first process's exit code, how many others have read it."""
BEGUN, RESUMED = "begun", "resumed"
"""What a start's token ends with."""
GRACE_SECONDS = 20.0
"""So long a process that is asked to end leaves the first one for saving; torchrun kills all of them after 30."""


def train_distributed(
    given: argparse.Namespace, rendezvous: Rendezvous, interrupt: Interrupt, *, is_launched: bool
) -> int:
    """Train with the processes that meet there, and give the exit code.

    Args:
        given: the command line.
        is_launched: a command holds the run.
    """
    try:
        with interrupt.listening():
            _take_card(given, rendezvous)
            if rendezvous.is_first:
                store = store_of(rendezvous, interrupt)
                token = f"{secrets.token_hex(16)} {RESUMED if given.resume else BEGUN}"
                store.set(START, token)
                mine = PrefixStore(token, store)
                ranks = _joined(given, rendezvous, mine, token, interrupt)
        if rendezvous.is_first:
            code = train_run(given, interrupt, is_launched=is_launched, ranks=ranks)
            ranks.close()
            _part(mine, rendezvous, code)
            return code
        return _follow_starts(given, rendezvous)
    except LoraError as error:
        return print_error(error)
    except (Interrupted, KeyboardInterrupt):
        return Interrupted.exit_code


def _follow_starts(given: argparse.Namespace, rendezvous: Rendezvous) -> int:
    """Compute shares of each start of the first process, until one of them is the last.

    Raises:
        LoraError: it was killed, does not come, or does not fit this process.
        Interrupted: this process is asked to end while it waits.
    """
    last, interrupt = "", Interrupt()
    while True:
        with interrupt.listening():
            store, last = _next_start(rendezvous, last, interrupt)
            given.resume = last.endswith(RESUMED)  # as the first process does, whoever asked for it
            mine = PrefixStore(last, store)
            ranks = _joined(given, rendezvous, mine, last, interrupt)
        before = signal.signal(signal.SIGTERM, _end_later)
        follow(given, ranks)
        ranks.close()
        code = _code_of_first(mine)
        signal.signal(signal.SIGTERM, before)
        if code is None:
            raise TrainingStopped("The first process of this training has ended without a word; `--resume` goes on")
        if code != OutOfMemory.exit_code:
            return 0  # the first one's exit code counts


def _next_start(rendezvous: Rendezvous, last: str, interrupt: Interrupt) -> tuple[Store, str]:
    """The store, and the token of a start of the first process that is not the last one's."""
    found = list[tuple[Store, str]]()

    def is_there() -> bool:
        store = store_of(rendezvous, interrupt)
        with suppress(RuntimeError):  # of a first process that is just ending
            if has(store, [START]) and (token := store.get(START).decode()) != last:
                found.append((store, token))
        return bool(found)

    wait_until(is_there, interrupt, lambda: f"The first process has not started in {JOIN_SECONDS:.0f} s")
    return found[0]


def _joined(
    given: argparse.Namespace, rendezvous: Rendezvous, store: Store, token: str, interrupt: Interrupt
) -> RankGroup:
    """This process among the others, once they are known to fit.

    Raises:
        LoraError: they do not, or cannot connect.
        Interrupted: the user wanted to stop.
    """
    address = local_address(rendezvous)
    try:
        get_acquainted(rendezvous, store, token, given.run, interrupt, own_address=address)
        _refuse_idle(given, rendezvous)
        return RankGroup(
            store, rendezvous.rank, rendezvous.world_size, on_cards=_on_cards(given),
            interface=None if is_loopback(address) else interface_of(address),
        )  # fmt: skip
    except RuntimeError as error:
        raise TrainingStopped(
            f"{socket.gethostname()} ({address}) cannot connect with the other processes of this training, or one of "
            f"them has ended: {error}"
        ) from error


def _refuse_idle(given: argparse.Namespace, rendezvous: Rendezvous) -> None:
    """Refuse more processes than a step has pictures.

    Raises:
        HardwareError: there are more.
    """
    shares = Shares.of(RunFolder.given(given.run).read_config().schedule, rendezvous.world_size)
    if shares.processes < rendezvous.world_size:
        raise HardwareError(
            f"A step has {shares.pictures} pictures (batch times accumulation), so at most {shares.processes} of "
            f"these {rendezvous.world_size} processes have something to do: start no more"
        )


def _take_card(given: argparse.Namespace, rendezvous: Rendezvous) -> None:
    """Let this process see its own card alone."""
    visible = os.environ.get("CUDA_VISIBLE_DEVICES", "")
    cards = visible.split(",") if visible else []
    if given.device == "cpu" or len(cards) == 1:  # as batch systems give each its own
        return
    if cards and rendezvous.local_rank >= len(cards):
        raise HardwareError(
            f"{socket.gethostname()} shows {len(cards)} cards (CUDA_VISIBLE_DEVICES), and process "
            f"{rendezvous.rank} is its {rendezvous.local_rank + 1}th: start as many as there are cards"
        )
    os.environ["CUDA_VISIBLE_DEVICES"] = card_of(visible, rendezvous.local_rank)


def _on_cards(given: argparse.Namespace) -> bool:
    return given.device != "cpu" and RunFolder.given(given.run).read_config().memory.preset != "cpu"


def _part(store: Store, rendezvous: Rendezvous, code: int) -> None:
    """Tell the others how this process, the first, has ended; waits until they know, or are gone."""
    with suppress(RuntimeError):
        store.set(ENDED, str(code))
        all_have_done(SEEN, store, rendezvous)


def _code_of_first(store: Store) -> int | None:
    """The first process's exit code; None where it told none."""
    deadline = time.monotonic() + GRACE_SECONDS
    with suppress(RuntimeError):
        while not has(store, [ENDED]):
            if time.monotonic() >= deadline:
                return None
            time.sleep(POLL_SECONDS)
        code = int(store.get(ENDED))
        store.add(SEEN, 1)
        return code
    return None


def _end_later(number: int, frame: object) -> None:  # noqa: ARG001
    """Leave the first process time to save: torchrun asks all of them to end at once."""
    timer = threading.Timer(GRACE_SECONDS, os._exit, (128 + number,))
    timer.daemon = True
    timer.start()
