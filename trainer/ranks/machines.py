"""Processes of several machines find one another: the store at MASTER_ADDR, and the network interface that reaches it.

The store listens at that address alone, where the first process serves it and the system lets one choose; torchrun's
own listens at all. What crosses it is unpickled, so whoever reaches the port can run code as the user: it is for a
network whose machines are trusted, as torch.distributed's is altogether.
"""

from __future__ import annotations

import errno
import socket
import sys
import time
from collections.abc import Callable, Sequence
from contextlib import closing
from datetime import timedelta

import psutil
from torch.distributed import PrefixStore, Store, TCPStore  # type: ignore[attr-defined]

from advisor.errors import TrainingStopped
from trainer.ranks.rendezvous import Rendezvous
from trainer.runtime.interrupts import Interrupt

JOIN_SECONDS = 600.0
"""So long the processes of a training wait for one another at its start."""
CONNECT_SECONDS = 5
"""So long each try to reach the store may take."""
PARTING_SECONDS = 10.0
"""So long the first process waits for the others to read its last words."""
POLL_SECONDS = 0.1


def local_address(rendezvous: Rendezvous) -> str:
    """This machine's own address on the way to MASTER_ADDR.

    Raises:
        TrainingStopped: there is no such machine, or no way to it.
    """
    try:
        family, *_, there = socket.getaddrinfo(rendezvous.address, rendezvous.port, type=socket.SOCK_DGRAM)[0]
        with closing(socket.socket(family, socket.SOCK_DGRAM)) as looking:
            looking.connect(there)  # which sends nothing
            return str(looking.getsockname()[0])
    except OSError as error:
        name = rendezvous.address
        raise TrainingStopped(
            f"MASTER_ADDR {name} cannot be reached from {socket.gethostname()}: {error.strerror or error}. Give the "
            "address of the first process's machine"
        ) from error


def interface_of(address: str) -> str | None:
    """The name of the network interface with this address of this machine; None: nothing is known of one."""
    wanted = "127.0.0.1" if address.startswith("127.") else address
    found = psutil.net_if_addrs().items()
    return next((name for name, ones in found if any(one.address.partition("%")[0] == wanted for one in ones)), None)


def store_of(rendezvous: Rendezvous, interrupt: Interrupt) -> Store:
    """The store at MASTER_ADDR, which the first process serves unless torchrun does.

    Raises:
        TrainingStopped: its port is in use, or it is not there after JOIN_SECONDS.
        Interrupted: the user wanted to stop.
    """
    if rendezvous.is_first and not rendezvous.is_served:
        return _under_restarts(rendezvous, _serve(rendezvous))
    deadline = time.monotonic() + JOIN_SECONDS
    while True:
        try:
            return _under_restarts(rendezvous, _reach(rendezvous))
        except RuntimeError as error:
            if time.monotonic() >= deadline:
                raise TrainingStopped(
                    f"The first process of this training was not reached at {rendezvous.address}, port "
                    f"{rendezvous.port}, from {socket.gethostname()}: start it there, and let its firewall pass"
                ) from error
        interrupt.check()
        time.sleep(POLL_SECONDS)


def wait_until(is_so: Callable[[], bool], interrupt: Interrupt, late: Callable[[], str]) -> None:
    """Wait for something that other processes do.

    Args:
        late: the message where it does not come.

    Raises:
        TrainingStopped: it has not come after JOIN_SECONDS.
        Interrupted: the user wanted to stop.
    """
    deadline = time.monotonic() + JOIN_SECONDS
    while not is_so():
        interrupt.check()
        if time.monotonic() >= deadline:
            raise TrainingStopped(late())
        time.sleep(POLL_SECONDS)


def all_have_done(key: str, store: Store, rendezvous: Rendezvous) -> None:
    """Wait, for a moment, until all other processes have added 1 to a number: the first takes its store with it."""
    deadline = time.monotonic() + PARTING_SECONDS
    while store.add(key, 0) < rendezvous.world_size - 1 and time.monotonic() < deadline:
        time.sleep(POLL_SECONDS)


def has(store: Store, keys: Sequence[str]) -> bool:
    """Whether the store has all of these keys."""
    return bool(store.check(list(keys)))


def _under_restarts(rendezvous: Rendezvous, store: Store) -> Store:
    """A store that knows nothing of what was said before torchrun started all of them anew."""
    return PrefixStore(f"loracle {rendezvous.restarts}", store)


def _serve(rendezvous: Rendezvous) -> Store:
    # Windows lets nobody hand a socket on: there torch makes its own, which listens at all addresses.
    listener = None if sys.platform == "win32" else _listening(rendezvous).detach()
    try:
        return TCPStore(
            rendezvous.address, rendezvous.port, None, is_master=True, wait_for_workers=False, use_libuv=True,
            timeout=timedelta(seconds=JOIN_SECONDS), master_listen_fd=listener,
        )  # fmt: skip
    except RuntimeError as error:
        raise _in_use(rendezvous, str(error)) from error


def _listening(rendezvous: Rendezvous) -> socket.socket:
    family, kind, *_, address = socket.getaddrinfo(rendezvous.address, rendezvous.port, type=socket.SOCK_STREAM)[0]
    listener = socket.socket(family, kind)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(address)
        listener.listen(128)
    except OSError as error:
        listener.close()
        raise _in_use(rendezvous, error.strerror or str(error), error.errno) from error
    return listener


def _in_use(rendezvous: Rendezvous, reason: str, number: int | None = None) -> TrainingStopped:
    where = f"{rendezvous.address}, port {rendezvous.port}"
    if number == errno.EADDRNOTAVAIL:
        return TrainingStopped(
            f"{where} is no address of {socket.gethostname()}, where the first process (RANK 0) runs: give MASTER_ADDR "
            "as this machine's own"
        )
    return TrainingStopped(
        f"The first process cannot listen at {where} ({reason}): another program has it; choose another MASTER_PORT"
    )


def _reach(rendezvous: Rendezvous) -> Store:
    with closing(socket.socket(_family(rendezvous), socket.SOCK_STREAM)) as trying:  # torch's own tries print
        trying.settimeout(CONNECT_SECONDS)
        try:
            trying.connect((rendezvous.address, rendezvous.port))
        except OSError as error:
            raise RuntimeError(str(error)) from error
    return TCPStore(rendezvous.address, rendezvous.port, None, timeout=timedelta(seconds=JOIN_SECONDS))


def _family(rendezvous: Rendezvous) -> socket.AddressFamily:
    try:
        return socket.getaddrinfo(rendezvous.address, rendezvous.port, type=socket.SOCK_STREAM)[0][0]
    except OSError as error:
        raise RuntimeError(str(error)) from error
