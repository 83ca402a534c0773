"""Whether a file of torch.save is as it was written, and the hash by which sites that share models know it."""

from __future__ import annotations

import hashlib
import zipfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from advisor.errors import ModelError
from trainer.convert.pickle_scan import printable

PIECE_BYTES = 4 * 1024**2


@dataclass(frozen=True)
class Checked:
    """What reading all of a file told."""

    sha256: str
    warnings: tuple[str, ...] = ()


def num_checked_bytes(path: Path, *, is_zip: bool) -> int:
    """How much `check_bytes` reads at most: an archive is gone through twice."""
    return path.stat().st_size * (2 if is_zip else 1)


def check_bytes(path: Path, *, is_zip: bool, told: Callable[[int], None]) -> Checked:
    """Read the whole file, and the parts of an archive against their checksums, which mapped reading does not look at.

    Args:
        is_zip: it is an archive.
        told: is called with the bytes read so far.

    Raises:
        ModelError: it cannot be read to its end.
    """
    digest, done = hashlib.sha256(), 0
    try:
        with path.open("rb") as file:
            for piece in _pieces(file):
                digest.update(piece)
                done += len(piece)
                told(done)
        wrong = _wrong_part(path, lambda more: told(done + more)) if is_zip else None
    except OSError as error:
        raise ModelError(f"{path} cannot be read to its end: {error.strerror or error}; check the disk") from error
    if wrong is None:
        return Checked(digest.hexdigest())
    warning = (
        f"Careful: {wrong} in {path} does not fit its checksum: most likely the file is damaged; download it again."
    )
    return Checked(digest.hexdigest(), (warning,))


def _wrong_part(path: Path, told: Callable[[int], None]) -> str | None:
    """The first part of an archive whose bytes are not those that were put in."""
    done = 0
    with zipfile.ZipFile(path) as archive:
        for member in archive.infolist():
            try:
                with archive.open(member) as part:
                    for piece in _pieces(part):
                        done += len(piece)
                        told(done)
            except (zipfile.BadZipFile, EOFError, ValueError, RuntimeError):
                return printable(member.filename)
    return None


def _pieces(file: IO[bytes]) -> Iterator[bytes]:
    while piece := file.read(PIECE_BYTES):
        yield piece
