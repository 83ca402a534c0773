"""Hashes of a base model's files, by which other programs know them; made beside all else, since they take time."""

from __future__ import annotations

import threading
from concurrent.futures import Future
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

from advisor.files import is_file, open_regular
from advisor.settings.config import ModelConfig

LEGACY_START, LEGACY_END = 0x100000, 0x110000
"""The bytes of a file that A1111's first hash looked at."""
BLOCK_BYTES = 4 * 1024**2


@dataclass(frozen=True)
class FileHashes:
    """A model file as other programs know it; None where it is a folder."""

    name: str
    legacy: str | None = None
    """Eight digits of a hash over a piece of the file, A1111's first kind."""
    full: str | None = None
    """sha256 over the whole file."""


Hashes = tuple[FileHashes, FileHashes | None]
"""Of the base model and of the VAE, if it is another."""


def hashed_aside(model: ModelConfig) -> Future[Hashes]:
    """The hashes of the model's files, computed in a thread, which ends with the process wherever it is by then.

    Begun before the libraries are imported it costs no time where there are two cores, and the system has read the file
    by the time that its weights are wanted.
    """
    hashes = Future[Hashes]()
    threading.Thread(target=_hash, args=(model, hashes), daemon=True).start()
    return hashes


def file_hashes(path: Path) -> FileHashes:
    """Both hashes of a model file; of a folder only its name."""
    if not is_file(path):
        return FileHashes(path.name)
    full = sha256()
    with open_regular(path) as file:
        while block := file.read(BLOCK_BYTES):
            full.update(block)
        file.seek(LEGACY_START)
        piece = file.read(LEGACY_END - LEGACY_START)
    return FileHashes(path.name, sha256(piece).hexdigest()[:8], full.hexdigest())


def _hash(model: ModelConfig, hashes: Future[Hashes]) -> None:
    try:
        vae = file_hashes(Path(model.vae_path)) if model.vae_path else None
        hashes.set_result((file_hashes(Path(model.path)), vae))
    except Exception as error:  # raised where the hashes are wanted
        hashes.set_exception(error)
