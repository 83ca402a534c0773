"""A folder for what two processes tell each other, gone when both are done."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

from advisor.errors import RunError


@contextmanager
def temporary_folder(purpose: str) -> Iterator[Path]:
    """An empty folder where the system keeps temporary files; it is removed at the end.

    Args:
        purpose: a word for its name.

    Raises:
        RunError: no folder for temporary files can be written to.
    """
    try:
        made = TemporaryDirectory(prefix=f"loracle-{purpose}-", ignore_cleanup_errors=True)
    except OSError as error:
        raise RunError(
            f"There is no folder for temporary files that can be written to ({error.strerror or error}): free some "
            "space, or name another with the variable TMPDIR (TEMP on Windows)"
        ) from None
    with made as folder:
        yield Path(folder)
