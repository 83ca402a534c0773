from __future__ import annotations

import pytest

from advisor.errors import TrainingStopped
from trainer.runtime.machine_limits import NO_MEMORY, NO_THREADS, limit_error, limit_sentence


def behind(cause: BaseException) -> Exception:
    """What diffusers makes of an import that failed."""
    try:
        try:
            raise cause
        except BaseException as error:
            raise RuntimeError("Failed to import diffusers.models because of the following error") from error
    except RuntimeError as made:
        return made


@pytest.mark.parametrize(
    ("error", "told"),
    [
        (MemoryError(), NO_MEMORY),
        (RuntimeError("std::bad_alloc"), NO_MEMORY),
        (behind(MemoryError()), NO_MEMORY),
        (behind(ImportError("x.so: failed to map segment from shared object")), NO_MEMORY),
        (RuntimeError("can't start new thread"), NO_THREADS),
    ],
)
def test_a_limit_of_the_machine_is_no_defect(error: Exception, told: str) -> None:
    found = limit_error(error)

    assert isinstance(found, TrainingStopped)
    assert str(found) == told


@pytest.mark.parametrize(
    "error",
    [
        ImportError("x.so: failed to map segment from shared object: Operation not permitted"),
        ImportError("x.so: cannot allocate memory in static TLS block"),
        RuntimeError("shapes differ"),
        ValueError("can't start new thread"),
    ],
)
def test_other_errors_are_none(error: Exception) -> None:
    assert limit_error(error) is None


@pytest.mark.parametrize(
    ("log", "told"),
    [
        ("terminate called after throwing an instance of 'std::bad_alloc'\n  what():  std::bad_alloc", NO_MEMORY),
        ("OpenBLAS error: Memory allocation still failed after 10 retries, giving up.", NO_MEMORY),
        ("Traceback (most recent call last):\nMemoryError", NO_MEMORY),
        ("libgomp: Thread creation failed: Resource temporarily unavailable", NO_THREADS),
        ("OpenBLAS blas_thread_init: pthread_create failed for thread 1 of 2", NO_THREADS),
        ("IndexError: list index out of range", ""),
    ],
)
def test_a_dead_processs_last_words_tell_of_it_too(log: str, told: str) -> None:
    assert limit_sentence(log) == told
