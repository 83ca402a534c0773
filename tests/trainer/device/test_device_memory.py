from __future__ import annotations

import errno
from types import SimpleNamespace
from typing import Any

import psutil
import pytest
import torch

from advisor.machine.driver_spill import CAP_MARGIN_BYTES
from advisor.machine.memory_snapshot import Room
from trainer.device.device_memory import cap_memory, is_out_of_memory, room_of

GIB = 2**30
ROOM = Room(free_bytes=6 * GIB, total_bytes=8 * GIB, own_bytes=0)


class Cuda:
    """As much of torch.cuda as a limit needs."""

    def __init__(self) -> None:
        self.limits: list[tuple[float, Any]] = []

    def set_per_process_memory_fraction(self, fraction: float, device: Any) -> None:
        self.limits.append((fraction, device))


@pytest.mark.parametrize(("device", "index"), [("cuda", None), ("cuda:1", 1)])
def test_where_the_driver_spills_torch_may_take_what_was_free(device: str, index: int | None) -> None:
    cuda = Cuda()

    limit = cap_memory(torch.device(device), ROOM, spills=True, cuda=cuda)

    assert limit == 6 * GIB - CAP_MARGIN_BYTES
    assert cuda.limits == [(limit / (8 * GIB), index)]


@pytest.mark.parametrize(("device", "spills"), [("cuda", False), ("cpu", True), ("mps", True)])
def test_elsewhere_there_is_no_limit(device: str, spills: bool) -> None:
    cuda = Cuda()

    assert cap_memory(torch.device(device), ROOM, spills=spills, cuda=cuda) is None
    assert cuda.limits == []


def test_on_a_processor_the_machines_memory_counts() -> None:
    room = room_of(torch.device("cpu"))

    assert room.total_bytes == psutil.virtual_memory().total
    assert 0 < room.own_bytes < room.total_bytes
    assert 0 < room.full_share < 1


@pytest.mark.parametrize("tells", [True, False])
def test_a_driver_that_does_not_tell_what_is_free_leaves_what_is_not_ours(
    monkeypatch: pytest.MonkeyPatch, tells: bool
) -> None:
    def told(_: torch.device) -> tuple[int, int]:
        if not tells:
            raise RuntimeError("The device does not support querying the available free memory")
        return 5 * GIB, 8 * GIB

    monkeypatch.setattr(torch.xpu, "mem_get_info", told)
    monkeypatch.setattr(torch.xpu, "memory_reserved", lambda _: GIB)
    monkeypatch.setattr(torch.xpu, "get_device_properties", lambda _: SimpleNamespace(total_memory=8 * GIB))

    assert room_of(torch.device("xpu")) == Room((5 if tells else 7) * GIB, 8 * GIB, GIB)


class WindowsError(OSError):
    winerror = 1455


@pytest.mark.parametrize(
    "error",
    [
        MemoryError(),
        torch.OutOfMemoryError("CUDA out of memory"),
        RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried to allocate 9 bytes"),
        RuntimeError("could not create a primitive"),
        RuntimeError("unable to mmap 240652 bytes from file <tok.safetensors>: Cannot allocate memory (12)"),
        OSError(errno.ENOMEM, "Cannot allocate memory"),
        WindowsError("The paging file is too small for this operation to complete"),
    ],
)
def test_memory_that_ran_out_is_told_from_a_mistake(error: Exception) -> None:
    assert is_out_of_memory(error)


@pytest.mark.parametrize(
    "error",
    [
        RuntimeError("shapes differ"),
        RuntimeError("could not create a primitive descriptor for a convolution"),
        OSError(errno.ENOSPC, "full"),
        ValueError("memory"),
    ],
)
def test_other_errors_are_none_of_it(error: Exception) -> None:
    assert not is_out_of_memory(error)
