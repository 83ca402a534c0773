"""A file that one process at a time has locked, by the operating system: its death, however it comes, releases it.

POSIX locks the file with flock(2). Windows locks a byte far behind the text with LockFile, because a locked byte cannot
be read there, and the text says who has the lock.
"""

from __future__ import annotations

import errno
import os
import stat
import sys
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from advisor.errors import RunError
from advisor.files import is_folder, mend_of_writing

if sys.platform == "win32":
    import msvcrt
else:
    import fcntl

HEAD = b'{"pid": '
"""What the text of each lock begins with; a file that begins otherwise is somebody else's and is left alone."""
MOST_BYTES = 4096
"""The text is shorter."""
LOCKED_BYTE = 2**30
"""Windows locks this one; msvcrt's positions end at 2**31."""
TRIES = 20
"""The file can be removed by its last holder between opening and locking it; then a new one is opened."""
HELD = (errno.EWOULDBLOCK, errno.EAGAIN, errno.EACCES, getattr(errno, "EDEADLOCK", errno.EAGAIN))
NO_LOCKS = (errno.ENOLCK, errno.ENOSYS, errno.EOPNOTSUPP, errno.ENOTSUP, errno.EINVAL)
"""What file systems answer that have no locks, such as some network folders."""


class Held(Exception):
    """Another process, or another place in this one, has the lock."""


class NoLocks(Exception):
    """The file system has no locks."""


@dataclass
class OsLock:
    """A lock that is held, until `release`."""

    path: Path
    _handle: int

    @classmethod
    def take(cls, path: Path, text: Callable[[int], bytes]) -> OsLock:
        """Lock the file at `path`, which is made where it is missing, and put a text into it.

        Args:
            text: of the file's number (`st_ino`), by which a copy is told; begins with HEAD, shorter than MOST_BYTES.

        Raises:
            Held: another has it.
            NoLocks: the file system has none.
            RunError: the file cannot be made, or is none of ours.
        """
        for _ in range(TRIES):
            lock = cls(path, _opened(path))
            try:
                _lock(lock._handle)
                lock._refuse_foreign()
                if lock.is_at_its_path():
                    lock._write(text(os.fstat(lock._handle).st_ino))
                    return lock
                os.close(lock._handle)
            except BaseException:
                with suppress(OSError):
                    os.close(lock._handle)
                raise
        raise NoLocks

    def release(self) -> None:
        """Give the lock back and remove its file."""
        with suppress(OSError):
            if sys.platform == "win32":  # an open file cannot be removed there, and one that another opened stays
                os.close(self._handle)
                self.path.unlink()
            else:  # while it is locked, so that nobody can have locked what is removed
                if self.is_at_its_path():
                    self.path.unlink()
                os.close(self._handle)

    def is_at_its_path(self) -> bool:
        """Whether the locked file is still the one at its path; where it is not, another process can lock that one."""
        try:
            return os.path.samestat(os.fstat(self._handle), self.path.stat(follow_symlinks=False))
        except FileNotFoundError:
            return False

    def _refuse_foreign(self) -> None:
        os.lseek(self._handle, 0, os.SEEK_SET)
        found = os.read(self._handle, MOST_BYTES).strip(b"\0")  # a power cut leaves zeros
        if not (found.startswith(HEAD) or HEAD.startswith(found)):
            raise RunError(
                f"{self.path} is not Loracle's, which would keep there who works on the run: move that file away, or "
                "choose another folder"
            )

    def _write(self, text: bytes) -> None:
        """Put the text there, if that can be: it is for messages only, and a full disk takes none."""
        with suppress(OSError):
            os.lseek(self._handle, 0, os.SEEK_SET)
            os.write(self._handle, text)
            os.ftruncate(self._handle, len(text))


def read_text(path: Path) -> tuple[bytes, int]:
    """What the holder of the lock has put there, and the file's number; empty where that cannot be read."""
    try:
        handle = _opened(path, create=False)
    except (OSError, RunError):
        return b"", 0
    try:
        return os.read(handle, MOST_BYTES), os.fstat(handle).st_ino
    except OSError:
        return b"", 0
    finally:
        os.close(handle)


def _opened(path: Path, *, create: bool = True) -> int:
    """The file, open; a link or anything but a file of a single name is refused, since its text is replaced."""
    flags = (os.O_RDWR | os.O_CREAT) if create else os.O_RDONLY
    flags |= sum(getattr(os, name, 0) for name in ("O_CLOEXEC", "O_NOFOLLOW", "O_NONBLOCK", "O_NOCTTY", "O_BINARY"))
    try:
        if create:
            path.parent.mkdir(parents=True, exist_ok=True)
        if path.is_symlink():
            raise RunError(_not_ours(path, "a link"))
        handle = os.open(path, flags, 0o666)
    except OSError as error:
        if is_folder(path):
            raise RunError(_not_ours(path, "a folder")) from None
        raise RunError(f"{path} cannot be written: {error.strerror or error}: {mend_of_writing(error)}") from error
    found = os.fstat(handle)
    if not stat.S_ISREG(found.st_mode) or found.st_nlink > 1:
        os.close(handle)
        raise RunError(_not_ours(path, "no plain file of its own"))
    return handle


def _not_ours(path: Path, what: str) -> str:
    return f"{path} is {what}, and Loracle keeps there who works on the run: remove it, or choose another folder"


def _lock(handle: int) -> None:
    try:
        if sys.platform == "win32":
            os.lseek(handle, LOCKED_BYTE, os.SEEK_SET)
            msvcrt.locking(handle, msvcrt.LK_NBLCK, 1)
        else:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        if error.errno in HELD:
            raise Held from None
        if error.errno in NO_LOCKS:
            raise NoLocks from None
        raise RunError(f"a lock in the run folder cannot be taken: {error.strerror or error}") from error
