"""Bringing weights from the machine's memory to a device: on a card of NVIDIA's or AMD's while it computes."""

from __future__ import annotations

import weakref
from dataclasses import dataclass
from typing import Any, Protocol

import torch
from torch import Tensor


@dataclass(frozen=True)
class Copy:
    """What is on its way to a device, or there."""

    tensor: Tensor
    arrived: Any = None
    """The event after which it is there; None: it is."""


class Mover(Protocol):
    """How weights wait in the machine's memory and come to a device."""

    def room(self, number: int) -> Tensor:
        """So many bytes of the machine's memory, uint8 [N]."""

    def start(self, waiting: Tensor, device: torch.device) -> Copy:
        """Begin to copy what waits to the device."""

    def finish(self, copy: Copy) -> None:
        """Let whatever is computed from now on, or takes its memory once it is dropped, wait until it is there."""


class PlainMover:
    """Copies while nothing else is done: for devices whose streams nobody tried, and for counting bytes."""

    def room(self, number: int) -> Tensor:
        """So many bytes."""
        return torch.empty(number, dtype=torch.uint8)

    def start(self, waiting: Tensor, device: torch.device) -> Copy:
        """Copy it now."""
        return Copy(waiting.to(device, copy=True))

    def finish(self, copy: Copy) -> None:
        """It is there."""


class CudaMover:
    """Copies out of page-locked memory on a stream of their own, so that the card computes meanwhile.

    A copy's memory is of the stream that computes. So the copying waits for what was started on that stream before,
    which may have used the same memory, and what comes after `finish` waits for the copying.
    """

    def __init__(self, device: torch.device, cuda: Any = torch.cuda) -> None:
        """A new stream on the card.

        Args:
            cuda: torch's module for it.
        """
        self._cuda, self._stream = cuda, cuda.Stream(device)

    def room(self, number: int) -> Tensor:
        """So many bytes, page-locked where the system allows it; else copies are as right, but nothing is done beside.

        torch's own page-locked memory is rounded up to powers of two, which would be a third more on average.
        """
        found = torch.empty(number, dtype=torch.uint8)
        runtime, address = self._cuda.cudart(), found.data_ptr()
        if number and int(runtime.cudaHostRegister(address, number, 0)) == 0:
            weakref.finalize(found.untyped_storage(), runtime.cudaHostUnregister, address)
        return found

    def start(self, waiting: Tensor, device: torch.device) -> Copy:
        """Begin to copy it after what the card was given to do so far; in the machine's memory it is there already."""
        if device.type == "cpu":
            return Copy(waiting)
        found = torch.empty_like(waiting, device=device)
        self._stream.wait_stream(self._cuda.current_stream(device))
        with self._cuda.stream(self._stream):
            found.copy_(waiting, non_blocking=True)
            return Copy(found, self._stream.record_event())

    def finish(self, copy: Copy) -> None:
        """Let the card wait for it; the processor does not."""
        if copy.arrived is not None:
            self._cuda.current_stream(copy.tensor.device).wait_event(copy.arrived)


def mover_for(device: torch.device) -> Mover | None:
    """What brings weights to that device; None: it shares the machine's memory, and nothing can wait elsewhere."""
    if device.type == "cuda":
        return CudaMover(device)
    return PlainMover() if device.type == "xpu" else None
