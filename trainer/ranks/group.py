"""Processes that exchange by torch.distributed: gloo between processors, NCCL between NVIDIA's cards.

Each exchange begins with a meeting: a number of each process, 0 while all is well. A process that failed comes to the
next meeting, whichever it is, and says so there; one that is gone breaks its connections, which the others notice at
once. So no wait needs a limit, and the first process may encode pictures for hours.

All of it is bound to one network interface, the machine's loopback unless several machines train together, and no port
is open but those of gloo's and NCCL's connections.
"""

from __future__ import annotations

import os
import pickle
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import timedelta
from typing import Any

import psutil
import torch
from torch import Tensor
from torch.distributed import (  # type: ignore[attr-defined]
    PrefixStore,
    ProcessGroupGloo,
    ReduceOp,
    Store,
    is_nccl_available,
)

from trainer.ranks.ranks import Ranks, RanksEnded, T, Told

PATIENCE = timedelta(days=365)
"""How long an exchange waits for who is alive; who is not breaks the connection."""
LOOPBACK = "127.0.0.1"
FAILED = "failed"
"""Under this key a process tells why it ends."""


class RankGroup(Ranks):
    """One of the processes of a training."""

    def __init__(
        self, store: Store, rank: int, world_size: int, *, on_cards: bool = False, interface: str | None = None
    ) -> None:
        """Join the others; waits until all are there.

        Args:
            store: where they find one another.
            on_cards: each computes on a graphics card of its own.
            interface: the name of the network interface by which they exchange; None: this machine's loopback.
        """
        self.rank, self.world_size, self._store = rank, world_size, store
        self._values = 0
        """How many the first process has given."""
        bind_to(interface or loopback_interface())
        self._control: Any = ProcessGroupGloo(PrefixStore("control", store), rank, world_size, PATIENCE)
        self._cards: Any = None
        if on_cards and torch.cuda.is_available() and is_nccl_available():
            self._cards = _nccl(PrefixStore("cards", store), rank, world_size)

    def close(self) -> None:
        """Let go of the others: those that wait for this process end."""
        self._control = None
        if self._cards is not None:
            self._cards.abort()
            self._cards = None

    def from_first(self, make: Callable[[], T]) -> T:
        """What the first process makes, given to all of them.

        Raises:
            RanksEnded: another process has ended.
        """
        self._values += 1
        name = f"value {self._values}"
        if not self.is_first:
            self._meet()
            given: T = pickle.loads(self._store.get(name))  # from this run's own first process
            return given
        made = make()
        self._store.set(name, pickle.dumps(made))  # type: ignore[arg-type]
        self._meet()
        return made

    def first_then_others(self, make: Callable[[], T]) -> T:
        """What each process makes, the first before the others.

        Raises:
            RanksEnded: another process has ended.
        """
        if not self.is_first:
            self._meet()
            return make()
        made = make()
        self._meet()
        return made

    def as_first(self, tensors: Sequence[Tensor]) -> None:
        """Give the tensors the values that they have in the first process.

        Raises:
            RanksEnded: another process has ended.
        """
        self._meet()
        if not tensors:
            return
        values = _flat(tensors).cpu()
        if not self.is_first:
            values.zero_()
        with _noticing_ends():
            self._control.allreduce([values]).wait()
        with torch.no_grad():
            for tensor, part in zip(tensors, torch.split(values, [one.numel() for one in tensors]), strict=True):
                tensor.copy_(part.view(tensor.shape))

    def sum_gradients(self, parameters: Sequence[Tensor], loss: Tensor) -> Tensor:
        """Add up all processes' gradients, in one exchange; gives the sum of their losses.

        Raises:
            RanksEnded: another process has ended; no gradient is changed.
        """
        self._meet()
        there = self._anybodys([one.grad is not None for one in parameters])
        trained = [one for one, is_there in zip(parameters, there, strict=True) if is_there]
        # Where this process computed no picture that reaches a parameter, its part is zero.
        total = _flat([loss, *(torch.zeros_like(one) if one.grad is None else one.grad for one in trained)])
        total = self._summed(total)
        loss, *gradients = torch.split(total, [1, *(one.numel() for one in trained)])
        for one, gradient in zip(trained, gradients, strict=True):
            one.grad = gradient.view(one.shape)
        return loss.view(())

    def tell(self, told: Told) -> None:
        """Tell the others at the next meeting why this process ends; they end too. Not for the first process."""
        try:
            self._store.set(FAILED, pickle.dumps(told))  # type: ignore[arg-type]
            self._meet(is_well=False)
        except (RanksEnded, RuntimeError):
            pass  # they have ended already, or do so by what was told

    def _meet(self, *, is_well: bool = True) -> None:
        """Wait for all.

        Raises:
            RanksEnded: one of them has ended, or ends now.
        """
        failed = torch.tensor([0 if is_well else 1], dtype=torch.int32)
        with _noticing_ends():
            self._control.allreduce([failed], ReduceOp.MAX).wait()
        if int(failed):
            raise RanksEnded(pickle.loads(self._store.get(FAILED)))  # from a process of this run

    def _anybodys(self, mine: Sequence[bool]) -> list[bool]:
        """Of each, whether it is true in any process."""
        found = torch.tensor(mine, dtype=torch.uint8)
        if len(found):
            with _noticing_ends():
                self._control.allreduce([found], ReduceOp.MAX).wait()
        return [bool(one) for one in found.tolist()]

    def _summed(self, values: Tensor) -> Tensor:
        """The sum over all processes, on the same device; by way of the processor where cards have no exchange."""
        group, sent = (self._control, values.cpu()) if self._cards is None else (self._cards, values)
        with _noticing_ends():
            group.allreduce([sent], ReduceOp.SUM).wait()
        return sent.to(values.device)


def _flat(tensors: Sequence[Tensor]) -> Tensor:
    """All values in a row."""
    return torch.cat([tensor.detach().reshape(-1) for tensor in tensors])


def loopback_interface() -> str | None:
    """The name of the interface that only this machine reaches."""
    found = psutil.net_if_addrs().items()
    return next((name for name, ones in found if any(one.address == LOOPBACK for one in ones)), None)


def bind_to(interface: str | None) -> None:
    """Let gloo and NCCL of this process use one network interface alone; None: those that they find."""
    if interface is not None:
        os.environ["GLOO_SOCKET_IFNAME"] = os.environ["NCCL_SOCKET_IFNAME"] = interface


@contextmanager
def _noticing_ends() -> Iterator[None]:
    """Within, a broken connection is another process's end."""
    try:
        yield
    except RuntimeError as error:
        raise RanksEnded from error


def _nccl(store: Store, rank: int, world_size: int) -> Any:
    from torch.distributed import ProcessGroupNCCL  # only where torch is built with it

    options = ProcessGroupNCCL.Options()
    options._timeout = PATIENCE
    return ProcessGroupNCCL(store, rank, world_size, options)
