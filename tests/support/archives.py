"""Zip archives built byte by byte, so that each record can be wrong by itself."""

from __future__ import annotations

import struct
import zlib
from dataclasses import dataclass, field

FULL = 0xFFFFFFFF


@dataclass(frozen=True)
class File:
    """One file to be put into an archive, and what its records are to say instead of the truth."""

    name: bytes
    content: bytes
    name_in_header: bytes | None = None
    in_header: dict[str, int] = field(default_factory=dict)
    in_table: dict[str, int] = field(default_factory=dict)
    followed: bool = False
    """Checksum and sizes follow its bytes, as torch.save has it."""
    extra: bytes = b""
    """In the table."""


def body(files: list[File], at: int = 0) -> tuple[bytes, bytes]:
    """(headers and contents, the table) of files that begin at the byte `at`."""
    parts, table = b"", b""
    for file in files:
        values = {
            "flags": 0x808 if file.followed else 0x800, "method": 0, "crc": zlib.crc32(file.content),
            "packed": len(file.content), "size": len(file.content), "start": at + len(parts), "disk": 0,
        }  # fmt: skip
        header = values | ({"crc": 0, "packed": 0, "size": 0} if file.followed else {}) | file.in_header
        row = values | file.in_table
        name = file.name if file.name_in_header is None else file.name_in_header
        parts += struct.pack(
            "<4s5H3L2H", b"PK\3\4", 0, header["flags"], header["method"], 0, 0, header["crc"], header["packed"],
            header["size"], len(name), 0,
        ) + name + file.content  # fmt: skip
        if file.followed:
            parts += struct.pack("<4s3L", b"PK\x07\x08", values["crc"], values["packed"], values["size"])
        table += struct.pack(
            "<4s6H3L5H2L", b"PK\1\2", 0, 0, row["flags"], row["method"], 0, 0, row["crc"], row["packed"], row["size"],
            len(file.name), len(file.extra), 0, row["disk"], 0, 0, row["start"],
        ) + file.name + file.extra  # fmt: skip
    return parts, table


def end(number: int, size: int, start: int, comment: bytes = b"") -> bytes:
    """The end record."""
    return struct.pack("<4s4H2LH", b"PK\5\6", 0, 0, number, number, size, start, len(comment)) + comment


def end64(number: int, size: int, start: int) -> bytes:
    """The zip64 end record."""
    return struct.pack("<4sQ2H2L4Q", b"PK\6\6", 44, 0, 0, 0, 0, number, number, size, start)


def locator(start: int) -> bytes:
    """What leads to the zip64 end record."""
    return struct.pack("<4sLQL", b"PK\6\7", 0, start, 1)


def archive(files: list[File], *, zip64: bool = False) -> bytes:
    """A sound archive, but for what its files say."""
    parts, table = body(files)
    ends = end64(len(files), len(table), len(parts)) + locator(len(parts) + len(table)) if zip64 else b""
    return parts + table + ends + end(len(files), len(table), len(parts))
