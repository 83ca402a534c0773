"""Whether a run folder is still the one at its path: it may be renamed or deleted while a training writes there."""

from __future__ import annotations

import errno
import os
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from advisor.errors import RunError
from advisor.shown_text import visible_line

PLACE_VARIABLE = "LORACLE_RUN_PLACE"
"""The environment variable by which a command tells the trainer that it starts which folder it means."""
GONE = (errno.ENOENT, errno.ENOTDIR)
"""Other errors, as a network folder has them for a while, tell nothing."""


class RunMoved(RunError):
    """The run folder is no longer at its path."""

    def __init__(self, run: Path) -> None:
        super().__init__(
            f"{visible_line(str(run))} is no longer the folder that this began in: it was renamed, moved or deleted, "
            "or its disk is gone. Nothing more is written there. What was saved lies in that folder: start again with "
            "where it is now, a training by `loracle train RUN --resume`"
        )


@dataclass(frozen=True)
class RunPlace:
    """A run folder, kept open, so that another one at its path can be told from it.

    Windows renames and deletes no folder in which a file is open, and lets none be kept open either.
    """

    run: Path
    _handle: int | None

    @classmethod
    def of(cls, run: Path) -> RunPlace:
        """The folder that is at `run` now, or where that link leads; close it after use."""
        try:
            return cls(run, os.open(run, os.O_RDONLY | getattr(os, "O_DIRECTORY", 0) | getattr(os, "O_CLOEXEC", 0)))
        except OSError:
            return cls(run, None)

    @classmethod
    def of_launched(cls, run: Path) -> RunPlace:
        """The same in a process that a command started, which may have meant another folder by that name.

        Raises:
            RunMoved: it has.
        """
        place, meant = cls.of(run), os.environ.get(PLACE_VARIABLE, "")
        if meant.endswith(_named(run)) and place.mark not in ("", meant):
            place.close()
            raise RunMoved(run)
        return place

    @property
    def mark(self) -> str:
        """The folder's identity with its path, for `PLACE_VARIABLE`; empty where none is kept open."""
        if self._handle is None:
            return ""
        found = os.fstat(self._handle)
        return f"{found.st_dev} {found.st_ino}{_named(self.run)}"

    @property
    def is_there(self) -> bool:
        """Whether it is still there, and no other."""
        if self._handle is None:
            return True
        try:
            return os.path.samestat(os.fstat(self._handle), self.run.stat())
        except OSError as error:
            return error.errno not in GONE

    def check(self) -> None:
        """See whether it is still there.

        Raises:
            RunMoved: it is not, or another is.
        """
        if not self.is_there:
            raise RunMoved(self.run)

    def close(self) -> None:
        """Let go of the folder."""
        if self._handle is not None:
            with suppress(OSError):
                os.close(self._handle)


def _named(run: Path) -> str:
    return f" {run}"
