"""Whether a file of torch.save is as it was written, and the hash by which sites that share models know it."""

from __future__ import annotations

import hashlib
import zlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from advisor.errors import ModelError
from advisor.files import open_regular
from advisor.tensor_files.archive import Part
from trainer.convert.pickle_scan import printable

PIECE_BYTES = 4 * 1024**2


@dataclass(frozen=True)
class Checked:
    """What reading all of a file told."""

    sha256: str
    warnings: tuple[str, ...] = ()


def check_bytes(path: Path, parts: Sequence[Part] | None, told: Callable[[int], None]) -> Checked:
    """Read the whole file once, and the parts of an archive against their checksums, which mapped reading does not
    look at.

    Args:
        parts: of an archive, in the order of their bytes; None: it is none.
        told: is called with the bytes read so far.

    Raises:
        ModelError: it cannot be read to its end.
    """
    reading = _Reading(told)
    wrong = list[str]()
    try:
        with open_regular(path) as file:
            for part in parts or ():
                reading.crc32_of(file, part.start - reading.done)
                if reading.crc32_of(file, part.num_bytes) != part.crc32:
                    wrong.append(printable(part.name))
            reading.crc32_of(file, None)
    except OSError as error:
        raise ModelError(f"{path} cannot be read to its end: {error.strerror or error}; check the disk") from error
    if not wrong:
        return Checked(reading.digest.hexdigest())
    warning = (
        f"Careful: {wrong[0]} in {path} does not fit its checksum: most likely the file is damaged; download it again."
    )
    return Checked(reading.digest.hexdigest(), (warning,))


class _Reading:
    """Goes through a file, keeping its hash and telling how far it is."""

    def __init__(self, told: Callable[[int], None]) -> None:
        self.digest, self.done, self._told = hashlib.sha256(), 0, told

    def crc32_of(self, file: BinaryIO, num_bytes: int | None) -> int:
        """Read so many bytes, None: all that are left; gives their checksum."""
        crc = 0
        for piece in _pieces(file, num_bytes):
            self.digest.update(piece)
            crc = zlib.crc32(piece, crc)
            self.done += len(piece)
            self._told(self.done)
        return crc


def _pieces(file: BinaryIO, num_bytes: int | None) -> Iterator[bytes]:
    while num_bytes is None or num_bytes > 0:
        piece = file.read(PIECE_BYTES if num_bytes is None else min(PIECE_BYTES, num_bytes))
        if not piece:
            return
        num_bytes = None if num_bytes is None else num_bytes - len(piece)
        yield piece
