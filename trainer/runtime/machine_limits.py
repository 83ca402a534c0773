"""Failures by a limit of the machine: memory that there is none left of, threads that may not be started.

Without torch, since its import may be what fails; the launcher reads a dead process's log by the same signs.
"""

from __future__ import annotations

import errno
from collections.abc import Iterator

from advisor.errors import TrainingStopped

MEMORY_SIGNS = (
    "out of memory", "can't allocate memory", "not enough memory", "CUBLAS_STATUS_ALLOC_FAILED",
    "OUT_OF_DEVICE_MEMORY", "OUT_OF_HOST_MEMORY", "Cannot allocate memory", "std::bad_alloc",
)  # fmt: skip
"""What messages of torch's backends have in common when memory runs out; "Cannot allocate memory" is the system's word,
as torch hands it on when a file cannot be mapped, `std::bad_alloc` that of the C++ library.
"""
ONEDNN_SIGN = "could not create a primitive"
"""All that oneDNN says when it gets no memory for a layer's code or workspace. With "descriptor" behind it the layer is
one that it does not know.
"""
UNMAPPED_SIGN, UNMAPPABLE_SIGN = "failed to map segment from shared object", "not permitted"
"""The loader's words where a library finds no room; with the second the file system forbids to execute it."""
LOGGED_SIGNS = ("MemoryError", "Memory allocation still failed", "cannot allocate memory for thread-local data")
"""What else a process leaves in its log that ended for lack of memory: the words of Python, OpenBLAS and glibc."""
THREAD_SIGNS = ("can't start new thread", "Thread creation failed", "pthread_create failed")
"""Python's, OpenMP's and OpenBLAS's words where no thread can be started."""
WINDOWS_COMMIT_LIMIT = 1455
"""Windows' error "the paging file is too small", e.g. while a large file is mapped."""

NO_MEMORY = (
    "The machine has no memory (RAM) left for the program, or a limit allows it no more: close other programs, or "
    "raise the limit (`ulimit -v`, the memory of a container or a batch job)."
)
NO_THREADS = (
    "No further thread could be started: the machine, or a limit on memory or processes, allows no more. Close other "
    "programs, raise the limit (`ulimit -u`, `ulimit -v`, a container's `--pids-limit`), or take fewer threads "
    "(machine.cpu_threads, OMP_NUM_THREADS)."
)


def lacks_memory(error: BaseException) -> bool:
    """Whether the GPU or the machine had no memory left, as the error itself says."""
    if isinstance(error, MemoryError):
        return True
    if isinstance(error, OSError):
        return error.errno == errno.ENOMEM or getattr(error, "winerror", None) == WINDOWS_COMMIT_LIMIT
    return isinstance(error, RuntimeError | ImportError) and _tells_memory(str(error))


def limit_error(error: BaseException) -> TrainingStopped | None:
    """The error to tell the user where a limit of the machine is behind this one; None where none is."""
    chain = tuple(_chain(error))
    if any(lacks_memory(one) for one in chain):
        return TrainingStopped(NO_MEMORY)
    threads = any(isinstance(one, RuntimeError) and _tells_threads(str(one)) for one in chain)
    return TrainingStopped(NO_THREADS) if threads else None


def limit_sentence(log: str) -> str:
    """What to tell the user where the log of a process that broke says that a limit was reached; empty where it does
    not.
    """
    if _tells_threads(log):
        return NO_THREADS
    return NO_MEMORY if _tells_memory(log) or any(sign in log for sign in LOGGED_SIGNS) else ""


def _chain(error: BaseException | None) -> Iterator[BaseException]:
    """An error and those that it came from."""
    while error is not None:
        yield error
        error = error.__cause__ or (None if error.__suppress_context__ else error.__context__)


def _tells_memory(text: str) -> bool:
    is_onednn = ONEDNN_SIGN in text and f"{ONEDNN_SIGN} descriptor" not in text
    is_unmapped = UNMAPPED_SIGN in text and UNMAPPABLE_SIGN not in text
    return is_onednn or is_unmapped or any(sign in text for sign in MEMORY_SIGNS)


def _tells_threads(text: str) -> bool:
    return any(sign in text for sign in THREAD_SIGNS)
