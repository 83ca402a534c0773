"""What a file is that is no safetensors file, told by its first bytes and never by its name."""

from __future__ import annotations

import re
import shlex
import sys
from dataclasses import dataclass
from pathlib import Path

from advisor.files import open_regular
from advisor.tensor_files.archive import ArchiveFlaw, read_table

HEAD_BYTES = 512
"""So many first bytes tell every format of the table."""


@dataclass(frozen=True)
class ForeignFormat:
    """A format that people take for a model file, or that a failed download leaves."""

    magic: bytes
    offset: int
    what: str
    mend: str


_PICKLE = "a pickle (.ckpt, .pt or .bin by its content), which can run any code when it is opened"
_UNPACK = "unpack it and give the .safetensors file"
_DOWNLOAD = "download the model again, signed in if its page asks for it"

FORMATS = (
    ForeignFormat(
        b"GGUF", 0, "a GGUF file, whose weights are quantised", "give the .safetensors file it was made from"
    ),
    ForeignFormat(
        b"version https://git-lfs", 0, "a Git LFS pointer and not the model", "run `git lfs pull` in its folder"
    ),
    ForeignFormat(b"<!DOCTYPE", 0, "a web page", _DOWNLOAD),
    ForeignFormat(b"<!doctype", 0, "a web page", _DOWNLOAD),
    ForeignFormat(b"<html", 0, "a web page", _DOWNLOAD),
    ForeignFormat(b"\x89PNG", 0, "a picture (PNG)", "give the model's .safetensors file"),
    ForeignFormat(b"\xff\xd8\xff", 0, "a picture (JPEG)", "give the model's .safetensors file"),
    ForeignFormat(b"RIFF", 0, "a picture or sound (RIFF)", "give the model's .safetensors file"),
    ForeignFormat(b"\x89HDF", 0, "an HDF5 file", "give the model's .safetensors file"),
    ForeignFormat(b"\x1f\x8b", 0, "a gzip archive", _UNPACK),
    ForeignFormat(b"7z\xbc\xaf\x27\x1c", 0, "a 7z archive", _UNPACK),
    ForeignFormat(b"Rar!", 0, "a RAR archive", _UNPACK),
    ForeignFormat(b"ustar", 257, "a tar archive", _UNPACK),
)


@dataclass(frozen=True)
class Foreign:
    """What was found instead of a safetensors file, and what to do."""

    what: str
    mend: str
    is_pickle: bool = False


def foreign_format(path: Path, head: bytes) -> Foreign | None:
    """What `path` is, by its first bytes; None when the table does not know it."""
    if head[:4] in (b"PK\x03\x04", b"PK\x05\x06"):
        return _pickle(path) if _holds_pickle(path) else Foreign("a zip archive", _UNPACK)
    if _starts_as_pickle(head):
        return _pickle(path)
    for row in FORMATS:
        if head[row.offset : row.offset + len(row.magic)] == row.magic:
            return Foreign(row.what, row.mend)
    return None


def is_pickle(path: Path) -> bool:
    """Whether the file is a pickle by its content; False where it cannot be read."""
    try:
        with open_regular(path) as file:
            found = foreign_format(path, file.read(HEAD_BYTES))
    except (OSError, ValueError):
        return False
    return found is not None and found.is_pickle


def convert_command(path: Path) -> str:
    """The command that makes a .safetensors file of a pickle, for the shell of this system."""
    if sys.platform == "win32":
        return f'loracle convert "{path}"' if re.search(r"[^\w.:\\/-]", str(path)) else f"loracle convert {path}"
    return f"loracle convert {shlex.quote(str(path))}"


def _pickle(path: Path) -> Foreign:
    misnamed = path.suffix.lower() == ".safetensors"
    named = path.with_suffix(".ckpt") if misnamed else path
    first = f"rename it to {named.name}, then " if misnamed else ""
    mend = f"nothing in it was opened; {first}`{convert_command(named)}` makes a .safetensors file of it"
    return Foreign(_PICKLE, mend, is_pickle=True)


def _starts_as_pickle(head: bytes) -> bool:
    """Protocol 2 to 5 begin with 0x80 and their number; an opcode follows, never the zeros of a header's length."""
    return len(head) > 2 and head[0] == 0x80 and 2 <= head[1] <= 5 and head[2] != 0


def _holds_pickle(path: Path) -> bool:
    """Torch's zip files keep their pickle as `NAME/data.pkl`; only the table of parts is read."""
    try:
        with open_regular(path) as file:
            return any(part.name.rsplit("/", 1)[-1] == "data.pkl" for part in read_table(file).parts)
    except (OSError, ArchiveFlaw):
        return path.suffix.lower() in (".ckpt", ".pt", ".pth", ".bin")


def is_text(head: bytes) -> bool:
    """The first bytes are readable text."""
    try:
        text = head.decode("utf-8")
    except UnicodeDecodeError as error:
        if error.start < len(head) - 3:
            return False
        text = head[: error.start].decode("utf-8")
    return bool(text) and all(letter.isprintable() or letter in "\t\r\n" for letter in text.lstrip("\ufeff"))
