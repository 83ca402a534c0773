"""Reading files, whoever made them, only where they are files of a sane size; and writing them so that a crash leaves
the old one or the new one, never half of one.
"""

from __future__ import annotations

import errno
import os
import shutil
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from hashlib import sha256
from io import FileIO
from pathlib import Path
from tempfile import mkstemp
from typing import BinaryIO

from advisor.errors import LoraError, RunError
from advisor.same_place import resolved

DISK_FULL = (errno.ENOSPC, errno.EDQUOT)
"""The disk is full, or the user's share of it."""
PIECE_BYTES = 1024**2
_CAREFULLY = sum(getattr(os, name, 0) for name in ("O_BINARY", "O_CLOEXEC", "O_NOCTTY", "O_NONBLOCK"))
"""Without waiting for a pipe's other end, and without making a terminal this process's own."""
_OPENING = os.O_RDONLY | _CAREFULLY
_UNSEEN = getattr(os, "O_NOATIME", 0)
"""Linux: the time of the last access stays as it is, which only a file's owner may ask for."""
_APPENDING = os.O_WRONLY | os.O_APPEND | os.O_CREAT | _CAREFULLY
_SPECIAL = (
    (stat.S_ISDIR, "it is a folder"),
    (stat.S_ISFIFO, "it is a pipe"),
    (stat.S_ISSOCK, "it is a socket"),
    (lambda mode: stat.S_ISCHR(mode) or stat.S_ISBLK(mode), "it is a device"),
)


class UnfitFile(OSError):
    """It is no regular file, or one larger than those that are read; `strerror` says which."""


def open_regular(path: Path) -> BinaryIO:
    """The file at `path` (or where its links lead), open for reading from its start; the caller closes it.

    Raises:
        UnfitFile: it is a folder, pipe, socket or device, or a name that the system cannot have. None of them is
            opened: that may wait for ever or act on the device.
        OSError: there is none, or it may not be read.
    """
    try:
        _refuse_special(path, path.stat().st_mode)
        handle = _opened(path)
    except ValueError as error:
        raise UnfitFile(errno.EINVAL, f"it is no path that this system can open ({error})", str(path)) from None
    try:
        # Once more: the name may have come to stand for another file.
        _refuse_special(path, os.fstat(handle).st_mode)
        return os.fdopen(handle, "rb")
    except BaseException:
        os.close(handle)
        raise


def _opened(path: Path) -> int:
    try:
        return os.open(path, _OPENING | _UNSEEN)
    except PermissionError:
        return os.open(path, _OPENING)


def open_to_append(path: Path) -> FileIO:
    """The file at `path` (or where its links lead), made where there is none, open for unbuffered writes at its end.

    The caller closes it. A file that has other names too, as in a copy made of hard links, becomes one of its own
    first: what is appended is not to stand in the other copy.

    Raises:
        UnfitFile: as `open_regular`.
        OSError: it may not be written, or its folder is not there.
        RunError: there is no room for a file of its own.
    """
    try:
        with suppress(FileNotFoundError):
            found = path.stat()
            _refuse_special(path, found.st_mode)
            if found.st_nlink > 1:
                _become_own(path)
        handle = os.open(path, _APPENDING, 0o666)
    except ValueError as error:
        raise UnfitFile(errno.EINVAL, f"it is no path that this system can open ({error})", str(path)) from None
    try:
        _refuse_special(path, os.fstat(handle).st_mode)
        return FileIO(handle, "ab")
    except BaseException:
        os.close(handle)
        raise


def _become_own(path: Path) -> None:
    there = resolved(path)
    with replacing(there) as temporary:
        shutil.copyfile(there, temporary)


def kernel_text(path: Path) -> str:
    """What stands in a file of /proc or /sys, without surrounding blanks; empty where there is none."""
    try:
        return path.read_text(encoding="utf-8", errors="replace").strip()
    except OSError:
        return ""


def kernel_number(path: Path) -> int | None:
    """The whole number in such a file; None where there is none."""
    text = kernel_text(path)
    return int(text) if text.isdecimal() else None


def is_file(path: Path) -> bool:
    """Whether a regular file is there, or a link to one. What cannot be looked at (a name that is too long, a folder
    without rights) is none; `Path.is_file` raises there before Python 3.14, as `is_dir` and `exists` do.
    """
    return os.path.isfile(path)  # noqa: PTH113


def is_folder(path: Path) -> bool:
    """The same of a folder."""
    return os.path.isdir(path)  # noqa: PTH112


def is_there(path: Path) -> bool:
    """The same of anything."""
    return os.path.exists(path)  # noqa: PTH110


def is_protected(path: Path) -> bool:
    """Whether the file at `path` is marked as not to be written: whoever does that wants to keep it."""
    try:
        return not path.lstat().st_mode & stat.S_IWUSR
    except OSError:
        return False


def read_bounded(path: Path, most_bytes: int) -> bytes:
    """What is in a regular file of at most so many bytes.

    Raises:
        UnfitFile: it is no regular file, or a larger one.
        OSError: it cannot be read.
    """
    with open_regular(path) as file:
        if os.fstat(file.fileno()).st_size <= most_bytes:
            found = b"".join(_pieces(file, most_bytes + 1))
            if len(found) <= most_bytes:
                return found
    raise UnfitFile(errno.EFBIG, f"it has more than {most_bytes:,} bytes", str(path))


def file_digest(path: Path) -> str:
    """The SHA-256 of a regular file, in hexadecimal.

    Raises:
        OSError: it cannot be read.
    """
    found = sha256()
    with open_regular(path) as file:
        while piece := file.read(PIECE_BYTES):
            found.update(piece)
    return found.hexdigest()


def _pieces(file: BinaryIO, most_bytes: int) -> Iterator[bytes]:
    """What is in the file from here on, up to so many bytes; memory is taken for what is there, not for the bound."""
    while most_bytes and (piece := file.read(min(most_bytes, PIECE_BYTES))):
        most_bytes -= len(piece)
        yield piece


def read_file(
    path: Path, *, kind: str, most_bytes: int, error: type[LoraError] = RunError, mend: str = "name the right file"
) -> bytes:
    """What is in a file that somebody else may have made, for those who have no better message of their own.

    Args:
        kind: what it is to be, e.g. `plan`.
        most_bytes: no honest one is larger.
        error: what is raised; it takes a sentence.
        mend: the sentence's end, what to do.

    Raises:
        LoraError: of the kind `error`; the file cannot be read, is no regular file or too large.
    """
    try:
        return read_bounded(path, most_bytes)
    except OSError as found:
        raise error(f"the {kind} {path} cannot be read: {found.strerror or found}: {mend}") from None


def modified_ns(found: os.stat_result) -> int:
    """When a file was last changed, in nanoseconds, as far as 64 bits hold it: the year 2262."""
    return max(-(2**63), min(found.st_mtime_ns, 2**63 - 1))


def _refuse_special(path: Path, mode: int) -> None:
    if not stat.S_ISREG(mode):
        what = next((what for fits, what in _SPECIAL if fits(mode)), "it is something else")
        raise UnfitFile(errno.EINVAL, f"{what} and no regular file", str(path))


@contextmanager
def replacing(path: Path, *, is_new: bool = False) -> Iterator[Path]:
    """A temporary name beside `path` to write to; at the end it is synced to disk and takes `path`'s place.

    Missing folders are made. When the block raises, `path` is as it was and the temporary file is gone.

    Args:
        is_new: nothing is there; what another process puts there meanwhile stays, and is an error.

    Raises:
        RunError: the folder cannot be made or written to, or the disk is full.
    """
    temporary: Path | None = None
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, name = mkstemp(dir=path.parent, prefix=f".{path.name[:40]}.", suffix=".part")
        os.close(handle)
        temporary = Path(name)
        yield temporary
        with temporary.open("rb+") as file:
            os.fsync(file.fileno())
        temporary.chmod(_mode_of(path))
        if is_new:
            _put_new(temporary, path)
        else:
            temporary.replace(path)
        _sync_folder(path.parent)
    except OSError as error:
        raise RunError(f"{path} cannot be written: {error.strerror or error}: {mend_of_writing(error)}") from error
    finally:
        if temporary is not None:
            with suppress(OSError):
                temporary.unlink(missing_ok=True)


def write_atomically(path: Path, content: str | bytes, *, is_new: bool = False) -> None:
    """Put `content` (text as UTF-8 with \\n line ends) at `path`, whole or not at all.

    Args:
        is_new: nothing is there; what another process puts there meanwhile stays, and is an error.

    Raises:
        RunError: it cannot be written.
    """
    with replacing(path, is_new=is_new) as temporary:
        temporary.write_bytes(content.encode("utf-8") if isinstance(content, str) else content)


def _put_new(temporary: Path, path: Path) -> None:
    """Give a file its name if nothing has it, at one stroke where the disk knows hard links; the old name may stay."""
    try:
        path.hardlink_to(temporary)
    except FileExistsError:
        raise
    except OSError:
        if os.path.lexists(path):
            raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST), str(path)) from None
        temporary.rename(path)


def _mode_of(path: Path) -> int:
    """That of the file which is replaced; of a new one what the umask leaves of rw-rw-rw-, which mkstemp narrows."""
    with suppress(OSError):
        found = path.lstat().st_mode
        if stat.S_ISREG(found):
            return stat.S_IMODE(found) & 0o777
    mask = os.umask(0)
    os.umask(mask)
    return 0o666 & ~mask


def _sync_folder(folder: Path) -> None:
    """Make the renaming itself last, where folders can be opened (not on Windows)."""
    with suppress(OSError):
        handle = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)


def mend_of_writing(error: OSError) -> str:
    """What the user can do about a file that could not be written; continues "...: "."""
    if error.errno == errno.EEXIST:
        return "another program has put it there meanwhile: choose another name, or move it away"
    if error.errno in DISK_FULL:
        return "free some space on that disk"
    if error.errno == errno.EFBIG:
        return "raise the limit on the size of files (`ulimit -f`), or choose a disk that takes larger ones"
    if error.errno in (errno.EACCES, errno.EPERM, errno.EROFS):
        return "choose a folder that you may write to, or give yourself the right"
    return "choose another folder"
