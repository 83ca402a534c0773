"""By what LoRAs and base models are known, wherever they lie: digests of their contents."""

from __future__ import annotations

from functools import lru_cache
from hashlib import sha256
from pathlib import Path
from typing import Protocol

from advisor.errors import ModelError
from advisor.files import is_file, is_folder, open_regular
from advisor.tensor_files.header import read_header

PIECE_BYTES = 1 << 22
MODEL_EXTENSIONS = (".safetensors", ".json", ".txt")
"""Files of a diffusers folder that its networks and tokenizers are made of."""


class ModelFiles(Protocol):
    """Where a base model lies, as the settings tell it; None where it has no such file of its own."""

    @property
    def path(self) -> str:
        """The checkpoint file or diffusers folder."""

    @property
    def vae_path(self) -> str | None:
        """Another VAE."""

    @property
    def text_encoder_path(self) -> str | None:
        """A flow family's text encoder."""


class _Hash(Protocol):
    def update(self, data: bytes, /) -> None: ...


def lora_digest(path: Path) -> str:
    """The sha256 of a LoRA's tensors with their names and shapes; what its metadata say does not count.

    Raises:
        ModelError: the file cannot be read.
    """
    header = read_header(path)
    found = sha256(repr(sorted(header.tensors.items())).encode("utf-8", "surrogatepass"))
    _read_into(found, path, header.data_start)
    return found.hexdigest()


def model_digest(model: ModelFiles) -> str:
    """The sha256 of a base model's files and of its other VAE.

    Raises:
        ModelError: a file cannot be read.
    """
    found = sha256()
    for given in filter(None, (model.path, model.vae_path, model.text_encoder_path)):
        path = Path(given)
        for file in _files(path):
            found.update(f"{file.relative_to(path).as_posix()} {_file_digest(file)}\n".encode("utf-8", "surrogatepass"))
    return found.hexdigest()


def _files(path: Path) -> list[Path]:
    if not is_folder(path):
        return [path]
    return sorted(file for file in path.rglob("*") if file.suffix in MODEL_EXTENSIONS and is_file(file))


def _file_digest(file: Path) -> str:
    try:
        found = file.stat()
    except OSError as error:
        raise ModelError(f"{file} cannot be read: {error.strerror or error}") from None
    return _digest_of(file, found.st_size, found.st_mtime_ns)


@lru_cache(maxsize=1024)
def _digest_of(file: Path, size: int, changed_ns: int) -> str:  # noqa: ARG001
    found = sha256()
    _read_into(found, file, 0)
    return found.hexdigest()


def _read_into(found: _Hash, path: Path, start: int) -> None:
    try:
        with open_regular(path) as file:
            file.seek(start)
            while piece := file.read(PIECE_BYTES):
                found.update(piece)
    except OSError as error:
        raise ModelError(f"{path} cannot be read: {error.strerror or error}") from None
