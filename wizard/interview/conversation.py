"""What one conversation keeps in the user's data folder, apart from what another at the same moment keeps there."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from advisor.data_folder import data_folder, numbered
from advisor.errors import LoraError, RunError
from advisor.run_folder.lock import Holder
from advisor.run_folder.os_lock import Held, NoLocks, OsLock
from wizard.draft_edits import DraftEdits
from wizard.user_data import Session

LOCK_NAME = "interview.lock"
MOST_AT_ONCE = 20
"""Conversations at the same moment."""


@dataclass(frozen=True)
class Conversation:
    """What a conversation keeps for the next one in case it is broken off."""

    session: Session
    """Its answers."""
    draft: DraftEdits
    """What was decided of pictures."""

    @classmethod
    def of(cls, number: int, folder: Path) -> Conversation:
        """The files of the first, second, ... of those held at the same moment."""
        return cls(Session(folder, number), DraftEdits(folder, number))


@contextmanager
def own_conversation(folder: Path | None = None) -> Iterator[Conversation]:
    """Within, this conversation alone has these files: those of one that was broken off, else unused ones.

    Where the file system has no locks, or nothing can be written, they are the first's, whoever else has them.

    Args:
        folder: None: the user's data folder.

    Raises:
        LoraError: `MOST_AT_ONCE` conversations are held already.
    """
    home = folder or data_folder()
    number, lock = _free(home)
    try:
        yield Conversation.of(number, home)
    finally:
        if lock is not None:
            lock.release()


def _free(folder: Path) -> tuple[int, OsLock | None]:
    """The number of a conversation that nobody holds, with its lock: one with answers, else the first."""
    numbers = sorted(range(1, MOST_AT_ONCE + 1), key=lambda number: not Session(folder, number).load())
    holder = Holder.this_process("an interview")
    for number in numbers:
        try:
            return number, OsLock.take(folder / numbered(LOCK_NAME, number), holder.text)
        except Held:
            continue
        except (NoLocks, RunError):
            return 1, None
    raise LoraError(f"{MOST_AT_ONCE} interviews are open at the same moment: end one of them first")
