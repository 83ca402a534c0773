"""Writing over what is there: a file is replaced only if it is as Loracle wrote it, else it is the user's and stays."""

from __future__ import annotations

import stat
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from advisor.errors import RunError
from advisor.files import is_protected, read_bounded, write_atomically
from advisor.run_folder.keep import keep_beside
from advisor.run_folder.written import Kind, Written, WrittenFiles
from advisor.units import MIB

MEND = "name another place with --out, or add --overwrite, which first keeps {it} beside as NAME.bak"
MEND_HERE = "add --overwrite, which first keeps {it} beside as NAME.bak"
"""For what is always written at this place."""
MOST_BYTES = 64 * MIB
"""Larger files are told by their digest alone."""


@dataclass(frozen=True)
class NewFile:
    """A file that is to be written."""

    path: Path
    content: bytes
    kind: Kind
    was_written: Callable[[bytes], bool] = field(default=lambda _: False)
    """Whether Loracle wrote such bytes, asked where nothing is noted, as of runs made before digests were."""


class Occupied(RunError):
    """Where something is to be written there is what the user has not given up; nothing was written."""

    def __init__(self, told: str, mend: str) -> None:
        """`told`: what is there, for those who ask the user instead; `mend`: the sentence's end."""
        self.told = told
        super().__init__(f"{told}. Nothing was written: {mend}")


class UsersFiles(Occupied):
    """Files are not as Loracle wrote them."""

    def __init__(self, files: Sequence[Path], mend: str = MEND) -> None:
        """`mend` may hold {it}, for one file or several."""
        self.files = tuple(files)
        it, why = (
            "it" if len(files) == 1 else "each",
            "changed since, not Loracle's, or of a version that noted nothing",
        )
        told = f"{files[0]} is not as Loracle wrote it, as far as its notes tell ({why})"
        if len(files) > 1:
            names = "".join(f"\n  {path}" for path in files)
            told = (
                f"{len(files)} files are not as Loracle wrote them, as far as its notes tell ({why}):{names}\nThey stay"
            )
        super().__init__(told, mend.format(it=it))


def write_over(
    files: Sequence[NewFile], written: WrittenFiles, *, overwrite: bool = False
) -> tuple[Path, ...]:  # fmt: skip
    """Write files, each whole or not at all, in this order; what the user changed or made stays.

    Args:
        overwrite: replace the user's files too, after keeping each beside it.

    Returns:
        Where the user's files are kept now.

    Raises:
        UsersFiles: some are the user's; nothing was written.
        RunError: a folder stands where a file is to be, or a file cannot be written.
    """
    found = users_files(files, written)
    if found and not overwrite:
        raise UsersFiles(found)
    kept = tuple(keep_beside(path) for path in found)
    put(files, written)
    return kept


def users_files(files: Iterable[NewFile], written: WrittenFiles) -> tuple[Path, ...]:
    """Those that are there and not as Loracle wrote them.

    Raises:
        RunError: a folder stands where a file is to be, or a file cannot be read.
    """
    return tuple(file.path for file in files if _is_users(file, written))


def put(files: Iterable[NewFile], written: WrittenFiles) -> None:
    """Write files whatever is there, and note them.

    Raises:
        RunError: one cannot be written.
    """
    files = tuple(files)
    written.note({file.path: Written.of(file.content, file.kind) for file in files})
    for file in files:
        write_atomically(file.path, file.content)


def _is_users(file: NewFile, written: WrittenFiles) -> bool:
    try:
        mode = file.path.lstat().st_mode
    except (FileNotFoundError, NotADirectoryError):
        return False
    except OSError as error:
        raise RunError(f"{file.path} cannot be read: {error.strerror or error}: name another place") from None
    if stat.S_ISDIR(mode):
        raise RunError(f"{file.path} is a folder, and a file of that name is to be written: name another place")
    if not stat.S_ISREG(mode):
        return True
    try:
        if file.path.stat().st_size <= MOST_BYTES:
            content = read_bounded(file.path, MOST_BYTES)
            if content == file.content:
                return False
        else:
            content = None
        as_written = written.is_as_written(file.path, file.kind)
    except OSError as error:
        raise RunError(f"{file.path} cannot be read: {error.strerror or error}: name another place") from None
    if is_protected(file.path):
        return True
    if as_written is None:
        return content is None or not file.was_written(content)
    return not as_written
