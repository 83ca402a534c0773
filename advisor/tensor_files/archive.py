"""The parts of a zip archive as torch.save writes it, read so that no other reader can see another archive in the file.

Readers find an archive's table by marks that a file may hold several times, and some believe offsets where others count
bytes backwards. So the file must have one reading only: the end record is the file's last 22 bytes, the table ends
where it (or its zip64 record) begins, each part's own header says what the table says, and the parts lie one behind
another from the first byte to the table. The format: pkware.cachefly.net/webdocs/casestudies/APPNOTE.TXT (6.3.10).
"""

from __future__ import annotations

import struct
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import BinaryIO

from advisor.shown_text import short

STORED = 0
"""The method of parts that are not compressed."""
MOST_TABLE_BYTES = 64 * 1024**2
"""Some 100 bytes a part; the largest checkpoints have a few thousand."""

_END = struct.Struct("<4s4H2LH")
_END_MARK = b"PK\x05\x06"
_LOCATOR = struct.Struct("<4sLQL")
_LOCATOR_MARK = b"PK\x06\x07"
_END64 = struct.Struct("<4sQ2H2L4Q")
_END64_MARK = b"PK\x06\x06"
_END64_BYTES = _END64.size - 12
"""What the record tells as its own length: its mark and that number do not count."""
_ROW = struct.Struct("<4s6H3L5H2L")
_ROW_MARK = b"PK\x01\x02"
_HEADER = struct.Struct("<4s5H3L2H")
_HEADER_MARK = b"PK\x03\x04"
_FULL16, _FULL32 = 0xFFFF, 0xFFFFFFFF
"""Such a field's real value stands in a zip64 record."""
_ZIP64_FIELD = 1
_LOCKED = 0x0001 | 0x0040 | 0x2000
"""Flags of encrypted parts and tables."""
_IS_FOLLOWED = 0x0008
"""Flag: the part's header has zeros for checksum and sizes, which follow its bytes."""
_FOLLOWER_BYTES = (12, 16, 20, 24)
_LONGEST_COMMENT = 0xFFFF


class ArchiveFlaw(ValueError):
    """The file has another reading, or none; a sentence's end says why."""


class CutOff(ArchiveFlaw):
    """The archive's end is missing, as after a download that broke off."""


@dataclass(frozen=True)
class Part:
    """One file in the archive."""

    name: str
    crc32: int
    num_bytes: int
    packed_bytes: int
    method: int
    flags: int
    header_start: int
    start: int = 0
    """Where its bytes begin in the file; known after `check_layout`."""

    @property
    def is_locked(self) -> bool:
        """It is encrypted."""
        return bool(self.flags & _LOCKED)


@dataclass(frozen=True)
class Table:
    """The archive's table of contents."""

    parts: tuple[Part, ...]
    start: int
    """Where it begins in the file, which is where the last part ends."""


def read_table(file: BinaryIO) -> Table:
    """The table of the archive in `file`; its parts are not looked at yet.

    Raises:
        CutOff: there is no end record.
        ArchiveFlaw: the end records contradict one another or the file, or the table is no table.
        OSError: it cannot be read.
    """
    file_bytes = file.seek(0, 2)
    end_start = file_bytes - _END.size
    mark, disk, table_disk, here, number, size, start, comment = _END.unpack(_end_record(file, file_bytes))
    end = end_start
    if mark != _END_MARK or comment:
        raise ArchiveFlaw("its end record is not at its end")
    if disk or table_disk or here != number:
        raise ArchiveFlaw("it claims to be one of several pieces")
    found64 = _end_record64(file, end_start)
    if found64 is not None:
        end, number64, size64, start64 = found64
        pairs = ((number, _FULL16, number64), (size, _FULL32, size64), (start, _FULL32, start64))
        if any(value not in (full, value64) for value, full, value64 in pairs):
            raise ArchiveFlaw("its two end records tell two different tables")
        number, size, start = number64, size64, start64
    if start + size != end:
        raise ArchiveFlaw("its table does not lie where its end record says")
    if size > MOST_TABLE_BYTES or number * _ROW.size > size:
        raise ArchiveFlaw(f"its table of {size:,} bytes for {number:,} parts is none that a program would write")
    file.seek(start)
    return Table(tuple(_rows(_exactly(file, size), number)), start)


def check_layout(file: BinaryIO, table: Table) -> tuple[Part, ...]:
    """The parts with the places of their bytes, in the order of these, each header compared with the table.

    Raises:
        ArchiveFlaw: a header says something else than the table, or bytes belong to no part or to two.
        OSError: it cannot be read.
    """
    found = list[Part]()
    reached = 0
    slack: tuple[int, ...] = (0,)
    for part in sorted(table.parts, key=lambda one: one.header_start):
        if part.header_start - reached not in slack:
            raise ArchiveFlaw(f"bytes before {short(part.name)} belong to no part of it, or to two")
        placed = _placed(file, part)
        reached, slack = placed.start + part.packed_bytes, _slack(part)
        if reached > table.start:
            raise ArchiveFlaw(f"{short(part.name)} overlaps the table")
        found.append(placed)
    if table.start - reached not in slack:
        raise ArchiveFlaw("bytes before its table belong to no part of it")
    return tuple(found)


def refuse_packed(file: BinaryIO) -> None:
    """Refuse an archive that may take more memory to read than it has bytes.

    Raises:
        ArchiveFlaw: a part is compressed, as torch.save never does, or parts overlap, or it is no archive.
        OSError: it cannot be read.
    """
    for part in check_layout(file, read_table(file)):
        if part.method != STORED or part.is_locked or part.num_bytes != part.packed_bytes:
            raise ArchiveFlaw(f"{short(part.name)} in it is compressed or locked")


def same_names(parts: Sequence[Part]) -> str | None:
    """A name that two parts have, for a reader that does not tell capitals from small letters; None where none has."""
    seen = set[str]()
    for part in parts:
        name = part.name.lower()
        if name in seen:
            return part.name
        seen.add(name)
    return None


def _end_record(file: BinaryIO, file_bytes: int) -> bytes:
    tail_start = max(0, file_bytes - _END.size - _LONGEST_COMMENT)
    file.seek(tail_start)
    tail = file.read()
    if _END_MARK not in tail or len(tail) < _END.size:
        raise CutOff("its end is missing")
    return tail[-_END.size :]


def _end_record64(file: BinaryIO, end_start: int) -> tuple[int, int, int, int] | None:
    """(its place, number of parts, size and place of the table); None where the archive has no such record."""
    locator_start = end_start - _LOCATOR.size
    start = locator_start - _END64.size
    if locator_start < 0:
        return None
    file.seek(locator_start)
    mark, disk, told, disks = _LOCATOR.unpack(_exactly(file, _LOCATOR.size))
    if mark != _LOCATOR_MARK:
        return None
    if start < 0 or told != start or disk or disks != 1:
        raise ArchiveFlaw("its zip64 locator leads elsewhere than to the record before it")
    file.seek(start)
    mark, length, _, _, disk, table_disk, here, number, size, table_start = _END64.unpack(_exactly(file, _END64.size))
    if mark != _END64_MARK or length != _END64_BYTES or disk or table_disk or here != number:
        raise ArchiveFlaw("its zip64 end record is none, or claims several pieces")
    return start, number, size, table_start


def _rows(raw: bytes, number: int) -> Iterator[Part]:
    at = 0
    for _ in range(number):
        if len(raw) < at + _ROW.size:
            raise ArchiveFlaw("its table is shorter than its parts")
        row = _ROW.unpack_from(raw, at)
        mark, _, _, flags, method, _, _, crc, packed, size, name_len, extra_len, comment_len, disk, _, _, start = row
        name_at = at + _ROW.size
        extra_at = name_at + name_len
        at = extra_at + extra_len + comment_len
        if mark != _ROW_MARK or at > len(raw) or disk:
            raise ArchiveFlaw("its table holds something else than parts")
        size, packed, start = _real_values((size, packed, start), raw[extra_at : extra_at + extra_len])
        yield Part(_name(raw[name_at:extra_at]), crc, size, packed, method, flags, start)
    if at != len(raw):
        raise ArchiveFlaw("its table is longer than its parts")


def _real_values(told: tuple[int, int, int], extra: bytes) -> tuple[int, int, int]:
    """Size, packed size and place, with the zip64 field's values for those that are full."""
    fields = [data for kind, data in _fields(extra) if kind == _ZIP64_FIELD]
    full = told.count(_FULL32)
    if len(fields) > 1 or (full and (not fields or len(fields[0]) < 8 * full)):
        raise ArchiveFlaw("a part's zip64 field is missing, too short or there twice")
    real = iter(struct.unpack_from(f"<{full}Q", fields[0]) if full else ())
    size, packed, start = (next(real) if value == _FULL32 else value for value in told)
    return size, packed, start


def _fields(extra: bytes) -> Iterator[tuple[int, bytes]]:
    at = 0
    while at < len(extra):
        if at + 4 > len(extra):
            raise ArchiveFlaw("a part's extra fields break off")
        kind, length = struct.unpack_from("<2H", extra, at)
        at += 4 + length
        if at > len(extra):
            raise ArchiveFlaw("a part's extra fields break off")
        yield kind, extra[at - length : at]


def _name(raw: bytes) -> str:
    if not raw or b"\0" in raw or b"\\" in raw:
        raise ArchiveFlaw(f"a part's name is {short(raw)}, which readers take in two ways")
    try:
        return raw.decode("utf-8")
    except UnicodeDecodeError:
        return raw.decode("cp437")


def _placed(file: BinaryIO, part: Part) -> Part:
    """The part with its place, if its own header says the same of it as the table."""
    file.seek(part.header_start)
    raw = _exactly(file, _HEADER.size)
    mark, _, flags, method, _, _, crc, packed, size, name_len, extra_len = _HEADER.unpack(raw)
    followed = flags & _IS_FOLLOWED
    same = (
        mark == _HEADER_MARK
        and (flags, method) == (part.flags, part.method)
        and crc in ((part.crc32, 0) if followed else (part.crc32,))
        and _agrees(packed, part.packed_bytes, followed)
        and _agrees(size, part.num_bytes, followed)
        and _name(_exactly(file, name_len)) == part.name
    )
    if not same:
        raise ArchiveFlaw(f"the header of {short(part.name)} says something else than the table")
    return replace(part, start=part.header_start + _HEADER.size + name_len + extra_len)


def _agrees(in_header: int, in_table: int, followed: int) -> bool:
    return in_header in (in_table, _FULL32) or (bool(followed) and in_header == 0)


def _slack(part: Part) -> tuple[int, ...]:
    """How many bytes may lie behind a part: its checksum and sizes, where they follow it."""
    return (0, *_FOLLOWER_BYTES) if part.flags & _IS_FOLLOWED else (0,)


def _exactly(file: BinaryIO, size: int) -> bytes:
    found = file.read(size)
    if len(found) != size:
        raise ArchiveFlaw("a record of it reaches beyond the file's end")
    return found
