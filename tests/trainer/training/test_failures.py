from __future__ import annotations

import errno

import pytest
import torch

from trainer.training.failures import is_out_of_memory


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
