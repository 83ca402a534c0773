from __future__ import annotations

import io
import struct
import zipfile
from pathlib import Path

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from advisor.tensor_files.archive import ArchiveFlaw, CutOff, check_layout, read_table, same_names
from tests.support.archives import FULL, File, archive, body, end, end64, locator

FILES = [File(b"a/data.pkl", b"pickle"), File(b"a/data/0", b"12345678", followed=True), File(b"a/version", b"3\n")]


def contents(raw: bytes) -> dict[str, bytes]:
    file = io.BytesIO(raw)
    parts = check_layout(file, read_table(file))
    return {part.name: raw[part.start : part.start + part.num_bytes] for part in parts}


def flaw(raw: bytes) -> str:
    with pytest.raises(ArchiveFlaw) as error:
        contents(raw)
    return str(error.value)


@pytest.mark.parametrize("zip64", [False, True])
def test_a_sound_archive_is_read_as_pythons_reader_reads_it(zip64: bool) -> None:
    raw = archive(FILES, zip64=zip64)

    with zipfile.ZipFile(io.BytesIO(raw)) as by_python:
        assert contents(raw) == {name: by_python.read(name) for name in by_python.namelist()}
    assert contents(raw)["a/data/0"] == b"12345678"


@pytest.mark.parametrize("name", ["m.ckpt", "mödell.pt", "模型.pt"])
@pytest.mark.parametrize("length", [0, 1, 5000])
def test_what_torch_writes_is_read(tmp_path: Path, name: str, length: int) -> None:
    torch.save({"a": torch.ones(length), "b": torch.ones(3)}, tmp_path / name)

    found = contents((tmp_path / name).read_bytes())

    with zipfile.ZipFile(tmp_path / name) as by_python:
        assert list(found.values()) == [by_python.read(name) for name in by_python.namelist()]


def test_what_python_writes_is_read() -> None:
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w") as by_python:
        by_python.mkdir("a")
        with by_python.open("a/large", "w", force_zip64=True) as part:
            part.write(b"large")
        by_python.writestr("a/b", b"b")

    assert contents(made.getvalue()) == {"a/": b"", "a/large": b"large", "a/b": b"b"}


def test_parts_of_more_than_four_gib_are_found(tmp_path: Path) -> None:
    size, second = 2**32 + 5, 2**32 + 5 + 34
    header = struct.pack("<4s5H3L2H", b"PK\3\4", 0, 0x800, 0, 0, 0, 0, FULL, FULL, 4, 0) + b"a/00"
    large = File(
        b"a/00", b"", in_table={"packed": FULL, "size": FULL, "start": 0}, extra=struct.pack("<2H2Q", 1, 16, size, size)
    )
    small = File(b"a/1", b"x", in_table={"start": FULL}, extra=struct.pack("<2HQ", 1, 8, second))
    rows = body([large])[1] + body([small])[1]
    start = second + 30 + 3 + 1
    with (tmp_path / "large").open("w+b") as file:
        file.write(header)
        file.seek(second)
        file.write(body([small])[0])
        file.write(rows + end64(2, len(rows), start) + locator(start + len(rows)) + end(2, len(rows), FULL))

        found = check_layout(file, read_table(file))

    assert [(part.name, part.start, part.num_bytes) for part in found] == [("a/00", 34, size), ("a/1", start - 1, 1)]


def two_tables(first: list[File], second: list[File], *, told: str) -> bytes:
    """Both archives in one file: the locator leads to the first one's table, the second's lies where one looks."""
    parts, table = body(first)
    more, table2 = body(second, len(parts) + len(table) + 56)
    start = len(parts) + len(table)
    start2 = start + 56 + len(more)
    place = {"first": start, "second": start2 + len(table2)}[told]
    return (
        parts + table + end64(len(first), len(table), len(parts))
        + more + table2 + end64(len(second), len(table2), start2) + locator(place)
        + end(len(second), len(table2), start2)
    )  # fmt: skip


SOUND = archive(FILES)
FIELD = struct.pack("<2HQ", 1, 8, 0)
PARTS, TABLE = body(FILES)
BAD = {
    "the zip64 locator leads to another table": two_tables(FILES, FILES[:1], told="first"),
    "another archive before it": two_tables(FILES, FILES[:1], told="second"),
    "an archive behind another": SOUND + SOUND,
    "bytes behind it": SOUND + b"x",
    "a comment": PARTS + TABLE + end(3, len(TABLE), len(PARTS), b"comment"),
    "another end record in its comment": PARTS + TABLE + end(3, len(TABLE), len(PARTS), end(0, 0, 0)),
    "bytes before it": b"PK\3\4" + SOUND,
    "bytes before the table": PARTS + b"x" + TABLE + end(3, len(TABLE), len(PARTS) + 1),
    "bytes behind the table": PARTS + TABLE + b"x" + end(3, len(TABLE), len(PARTS)),
    "a table of fewer parts": PARTS + TABLE + end(2, len(TABLE), len(PARTS)),
    "a table of more parts": PARTS + TABLE + end(4, len(TABLE), len(PARTS)),
    "a table of millions": PARTS + TABLE + end(65535, len(TABLE), len(PARTS)),
    "two end records of two sizes": PARTS + TABLE + end64(3, len(TABLE), len(PARTS))
    + locator(len(PARTS) + len(TABLE)) + end(2, len(TABLE), len(PARTS)),
    "a zip64 end record without one": PARTS + TABLE + locator(len(PARTS) + len(TABLE)) + end(3, len(TABLE), len(PARTS)),
    "another name in its header": archive([File(b"a/x", b"1", name_in_header=b"a/y")]),
    "another length in its header": archive([File(b"a/x", b"1", name_in_header=b"a/yy")]),
    "another size in its header": archive([File(b"a/x", b"123", in_header={"size": 2})]),
    "another checksum in its header": archive([File(b"a/x", b"123", in_header={"crc": 2})]),
    "another method in its header": archive([File(b"a/x", b"123", in_header={"method": 8})]),
    "other flags in its header": archive([File(b"a/x", b"123", in_header={"flags": 1})]),
    "a smaller size in the table": archive([File(b"a/x", b"123", in_table={"size": 2, "packed": 2}), FILES[0]]),
    "two parts in one place": archive([FILES[0], File(b"a/data.pkL", b"pickle", in_table={"start": 0})]),
    "a part within the table": archive([FILES[0], File(b"a/x", b"", in_table={"start": 60})]),
    "a part beyond the end": archive([File(b"a/x", b"", in_table={"start": 10**6})]),
    "a part on another disk": archive([File(b"a/x", b"", in_table={"disk": 1})]),
    "a name with a zero byte": archive([File(b"a/x\0", b"")]),
    "a name with a backslash": archive([File(b"a\\x", b"")]),
    "no name": archive([File(b"", b"")]),
    "a zip64 field twice": archive([File(b"a/x", b"", in_table={"start": FULL}, extra=FIELD * 2)]),
    "no zip64 field": archive([File(b"a/x", b"", in_table={"start": FULL})]),
    "a short zip64 field": archive([File(b"a/x", b"", in_table={"start": FULL}, extra=struct.pack("<2HL", 1, 4, 0))]),
    "an extra field that breaks off": archive([File(b"a/x", b"", extra=b"\1\0\x10\0")]),
}  # fmt: skip


@pytest.mark.parametrize("what", BAD)
def test_an_archive_with_a_second_reading_is_refused(what: str) -> None:
    assert flaw(BAD[what])


@pytest.mark.parametrize("length", [0, 10, 30, 200, len(SOUND) - 1])
def test_an_archive_without_its_end_is_cut_off(length: int) -> None:
    with pytest.raises(CutOff if length < len(SOUND) - 22 else ArchiveFlaw):
        contents(SOUND[:length])


def test_names_that_differ_in_capitals_are_the_same_for_some_readers() -> None:
    file = io.BytesIO(archive([FILES[0], File(b"a/DATA.pkl", b"")]))

    assert same_names(read_table(file).parts) == "a/DATA.pkl"
    assert same_names(read_table(io.BytesIO(SOUND)).parts) is None


@settings(max_examples=300)
@given(changes=st.lists(st.tuples(st.integers(0, len(SOUND) - 1), st.integers(0, 255)), min_size=1, max_size=4))
def test_a_changed_archive_is_refused_or_read_alike_by_python(changes: list[tuple[int, int]]) -> None:
    raw = bytearray(SOUND)
    for place, byte in changes:
        raw[place] = byte
    try:
        found = contents(bytes(raw))
        with zipfile.ZipFile(io.BytesIO(raw)) as by_python:
            places = {
                one.filename: one.header_offset + 30 + len(one.orig_filename.encode()) for one in by_python.infolist()
            }
    except ArchiveFlaw:
        return
    except (zipfile.BadZipFile, NotImplementedError):
        return  # stricter than we are
    assert set(found) == set(places)
