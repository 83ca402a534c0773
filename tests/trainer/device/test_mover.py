"""How weights come to a device. The card's part is run on a made-up card, which writes down what it is told."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
import torch

from trainer.device.mover import CudaMover, PlainMover, mover_for

CPU, META = torch.device("cpu"), torch.device("meta")


class MadeUpCuda:
    """`torch.cuda` as far as a mover needs it."""

    def __init__(self, *, refuses: bool = False) -> None:
        self.told: list[str] = []
        self._error = 801 if refuses else 0
        self.locked = dict[int, int]()

    def Stream(self, device: torch.device) -> Any:  # noqa: N802, ARG002
        return MadeUpStream("side", self.told)

    def current_stream(self, device: torch.device) -> Any:  # noqa: ARG002
        return MadeUpStream("main", self.told)

    @contextmanager
    def stream(self, stream: Any) -> Iterator[None]:
        self.told.append(f"on {stream.name}")
        yield
        self.told.append("back")

    def cudart(self) -> Any:
        return self

    def cudaHostRegister(self, address: int, number: int, flags: int) -> int:  # noqa: N802, ARG002
        if not self._error:
            self.locked[address] = number
        return self._error

    def cudaHostUnregister(self, address: int) -> None:  # noqa: N802
        del self.locked[address]


class MadeUpStream:
    def __init__(self, name: str, told: list[str]) -> None:
        self.name, self._told = name, told

    def wait_stream(self, other: MadeUpStream) -> None:
        self._told.append(f"{self.name} waits for {other.name}")

    def wait_event(self, event: str) -> None:
        self._told.append(f"{self.name} waits for {event}")

    def record_event(self) -> str:
        self._told.append(f"{self.name} has copied")
        return "the copy"


def test_a_card_copies_beside_what_it_computes_and_waits_before_it_uses_the_copy() -> None:
    cuda = MadeUpCuda()
    mover = CudaMover(META, cuda)
    waiting = mover.room(8)

    copy = mover.start(waiting, META)
    assert cuda.told == ["side waits for main", "on side", "side has copied", "back"]
    mover.finish(copy)

    assert cuda.told[-1] == "main waits for the copy"
    assert (copy.tensor.device.type, copy.tensor.shape) == ("meta", (8,))


def test_before_the_denoiser_is_on_the_card_its_weights_are_where_they_wait() -> None:
    cuda = MadeUpCuda()
    mover = CudaMover(META, cuda)
    waiting = mover.room(8)
    copy = mover.start(waiting, CPU)
    mover.finish(copy)

    assert copy.tensor is waiting
    assert cuda.told == []


def test_memory_is_page_locked_as_it_is_and_given_back_with_it() -> None:
    cuda = MadeUpCuda()
    room = CudaMover(META, cuda).room(1_000_000)

    assert cuda.locked == {room.data_ptr(): 1_000_000}
    del room
    gc.collect()
    assert cuda.locked == {}


def test_where_no_memory_can_be_page_locked_it_is_plain() -> None:
    cuda = MadeUpCuda(refuses=True)
    room = CudaMover(META, cuda).room(16)
    del room
    gc.collect()

    assert cuda.locked == {}


def test_a_plain_copy_is_another_tensor_on_the_same_device_too() -> None:
    waiting = torch.arange(4, dtype=torch.uint8)
    copy = PlainMover().start(waiting, CPU)
    waiting.zero_()

    assert copy.tensor.tolist() == [0, 1, 2, 3]


@pytest.mark.parametrize(("device", "kind"), [("cpu", None), ("mps", None), ("xpu", PlainMover)])
def test_weights_are_brought_to_devices_that_have_memory_of_their_own(device: str, kind: type | None) -> None:
    found = mover_for(torch.device(device))

    assert found is None if kind is None else isinstance(found, kind)


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="no card")
def test_what_arrives_on_a_card_is_what_waited() -> None:
    device = torch.device("cuda", 0)
    mover = CudaMover(device)
    waiting = mover.room(2**24)
    waiting.copy_(torch.randint(0, 256, (2**24,), dtype=torch.uint8))
    copies = [mover.start(waiting, device) for _ in range(3)]
    for copy in copies:
        mover.finish(copy)

    assert all(torch.equal(copy.tensor.cpu(), waiting) for copy in copies)
    assert waiting.is_pinned()
