from __future__ import annotations

import json
import os
import pickle
import struct
import sys
import time
import zipfile
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from advisor.errors import ModelError
from advisor.tensor_files.header import Header, TensorInfo, parse_header, read_floats, read_header
from advisor.tensor_files.other_formats import convert_command, is_pickle
from tests.support.headers import entries, write_model, write_raw
from tests.support.special_files import KINDS, on_posix, special_file

ENTRY = {"dtype": "F16", "shape": [2], "data_offsets": [0, 4]}


def refusal(path: Path) -> str:
    with pytest.raises(ModelError) as error:
        read_header(path)
    assert str(path) in str(error.value) or repr(str(path)) in str(error.value)
    return str(error.value)


def refusal_of(folder: Path, header: object, data_bytes: int = 4) -> str:
    raw = header if isinstance(header, bytes) else json.dumps(header).encode()
    return refusal(write_raw(folder / "model.safetensors", raw, data_bytes))


def test_a_genuine_header_is_read(tmp_path: Path) -> None:
    path = write_model(tmp_path / "a.safetensors", {"a": (2, 3), "b": ()}, dtype="F32", metadata={"format": "pt"})

    header = read_header(path)

    assert header.tensors == {"a": TensorInfo("F32", (2, 3), 0, 24), "b": TensorInfo("F32", (), 24, 28)}
    assert header.metadata == {"format": "pt"}
    assert header.data_start + 28 == header.file_bytes == path.stat().st_size


def test_files_of_the_safetensors_library_are_read(tmp_path: Path) -> None:
    numpy = pytest.importorskip("numpy")
    from safetensors.numpy import save_file

    tensors = {"b": numpy.zeros((3, 1), numpy.float16), "a": numpy.zeros(5, numpy.int64), "v_pred": numpy.zeros(0)}
    save_file(tensors, tmp_path / "a.safetensors", metadata={"k": "ü"})

    header = read_header(tmp_path / "a.safetensors")

    assert {name: tensor.shape for name, tensor in header.tensors.items()} == {"a": (5,), "b": (3, 1), "v_pred": (0,)}
    assert header.metadata == {"k": "ü"}


def test_a_header_padded_with_spaces_is_read(tmp_path: Path) -> None:
    path = write_raw(tmp_path / "a.safetensors", json.dumps({"a": ENTRY}).encode() + b" " * 900, 4)

    assert list(read_header(path).tensors) == ["a"]


def test_a_header_of_640_bytes_is_not_taken_for_a_pickle(tmp_path: Path) -> None:
    path = write_raw(tmp_path / "a.safetensors", json.dumps({"a": ENTRY}).encode().ljust(0x0280), 4)

    assert path.read_bytes()[:2] == b"\x80\x02"
    assert list(read_header(path).tensors) == ["a"]


def test_seven_gigabytes_are_read_in_a_moment(tmp_path: Path) -> None:
    path = write_model(tmp_path / "big.safetensors", {f"t{i}": (1000, 1750) for i in range(2000)})
    assert path.stat().st_size > 7_000_000_000

    began = time.perf_counter()
    header = read_header(path)

    assert len(header.tensors) == 2000
    assert time.perf_counter() - began < 2


@pytest.mark.parametrize(
    ("header", "data_bytes", "told"),
    [
        (b'{"a":{"dtype":"F16","shape":[2],"data_offsets":[0,4]},"a":{}}', 4, "names 'a' twice"),
        (b'{"a":{"dtype":"F16","dtype":"F16","shape":[2],"data_offsets":[0,4]}}', 4, "names 'dtype' twice"),
        ({"a": ENTRY, "b": {**ENTRY, "data_offsets": [2, 6]}}, 6, "'b' overlaps 'a'"),
        ({"a": ENTRY, "b": {**ENTRY, "data_offsets": [0, 4]}}, 4, "overlaps"),
        ({"a": ENTRY, "b": {**ENTRY, "data_offsets": [10, 14]}}, 14, "6 bytes before 'b' belong to no tensor"),
        ({"a": {**ENTRY, "data_offsets": [4, 8]}}, 8, "4 bytes before 'a' belong to no tensor"),
        ({"a": ENTRY}, 10, "6 bytes at the file's end belong to no tensor"),
        ({"a": ENTRY}, 3, "cut off: its tensors need 4 bytes, and 3 are there"),
        ({"a": {**ENTRY, "shape": [3]}}, 4, "has 4 bytes, and F16 of shape [3] needs 6"),
        ({"a": {**ENTRY, "dtype": "F7"}}, 4, "the dtype 'F7'"),
        ({"a": {**ENTRY, "dtype": ["F16"]}}, 4, "the dtype ['F16']"),
        ({"a": {**ENTRY, "shape": [-2]}}, 4, "whole numbers"),
        ({"a": {**ENTRY, "shape": [2.0]}}, 4, "whole numbers"),
        ({"a": {**ENTRY, "shape": [True, 2]}}, 4, "whole numbers"),
        ({"a": {**ENTRY, "shape": [2**70, 0]}}, 4, "whole numbers"),
        ({"a": {**ENTRY, "shape": "2"}}, 4, "short list"),
        ({"a": {**ENTRY, "shape": [1] * 65}}, 4, "short list"),
        ({"a": {**ENTRY, "data_offsets": [4, 0]}}, 4, "a start and an end"),
        ({"a": {**ENTRY, "data_offsets": [4]}}, 4, "a start and an end"),
        ({"a": {**ENTRY, "more": 1}}, 4, "is not a dtype, a shape and two offsets"),
        ({"a": {"dtype": "F16"}}, 4, "is not a dtype, a shape and two offsets"),
        ({"a": 5}, 4, "is not a dtype, a shape and two offsets"),
        ({"__metadata__": {"steps": 5}, "a": ENTRY}, 4, "the metadata 'steps' are a int and not text"),
        ({"__metadata__": ["x"], "a": ENTRY}, 4, "its metadata are a list"),
        (b'{"a":' + b"[" * 100_000 + b"]" * 100_000 + b"}", 0, "nested too deeply"),
        (b'{"\xff":1}', 0, "not UTF-8"),
        (b'{"\\ud800":1}', 0, "not Unicode text"),
        (b'{"a":NaN}', 0, "NaN"),
        ({"a": {**ENTRY, "shape": [2**62] * 64}}, 4, "more values than any computer can count"),
        ({"a": {**ENTRY, "shape": [2**62, 0, 2**62]}}, 4, "more values than any computer can count"),
        ({"a": {**ENTRY, "data_offsets": [0, 2**70]}}, 4, "whole numbers"),
        ({"a": {**ENTRY, "data_offsets": [0, 2**62]}}, 4, "has 4,611,686,018,427,387,904 bytes"),
        ({"a" * 1001: ENTRY}, 4, "has 1,001 letters"),
        ({"a\x1b[2J": 5}, 4, r"the entry 'a\x1b[2J' is not"),
        ({"a": {**ENTRY, "dtype": "F" * 100_000}}, 4, "FFF..., which the format does not have"),
        (b"\xef\xbb\xbf{}", 0, "not a safetensors file"),
        (b'{"a":1', 0, "not JSON"),
        (b'{"a":' + b"9" * 5000 + b"}", 0, "damaged"),
    ],
)
def test_a_wrong_header_is_refused(tmp_path: Path, header: object, data_bytes: int, told: str) -> None:
    message = refusal_of(tmp_path, header, data_bytes)

    assert told in message
    assert "again" in message


def test_a_header_beyond_the_cap_is_refused_without_being_read(tmp_path: Path) -> None:
    path = tmp_path / "a.safetensors"
    with path.open("wb") as file:
        file.write((100_000_001).to_bytes(8, "little") + b'{"a"\x00')
        file.truncate(200_000_000)

    assert "claims to be 100,000,001 bytes long" in refusal(path)


def test_a_file_cut_off_within_its_header_is_told(tmp_path: Path) -> None:
    path = write_model(tmp_path / "a.safetensors", {f"t{i}": (2,) for i in range(50)})
    path.write_bytes(path.read_bytes()[:300])

    assert "is cut off: its header alone should be" in refusal(path)


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (b"", "is empty (0 bytes)"),
        (b"abc", "is a text file"),
        ("Liebe Grüße, kein Modell.\n".encode() * 40, "is a text file"),
        (b"<!DOCTYPE html><html>", "a web page"),
        (b"version https://git-lfs.github.com/spec/v1\noid sha256:0", "git lfs pull"),
        (b"GGUF\x03\x00\x00\x00\x00\x00\x00", "GGUF"),
        (bytes(range(200, 250)), "begins with c8 c9 ca cb cc cd ce cf d0"),
        (b"\x00" * 2000, "is not a safetensors file"),
        (b"\x01\x02", "is not a safetensors file"),
        (pickle.dumps({"state_dict": [1, 2]}, protocol=2), "loracle convert"),
        (pickle.dumps({"state_dict": [1, 2]}, protocol=5), "loracle convert"),
    ],
)
def test_other_files_are_named_for_what_they_are(tmp_path: Path, content: bytes, told: str) -> None:
    path = tmp_path / "model.safetensors"
    path.write_bytes(content)

    assert told in refusal(path)


@pytest.mark.parametrize("name", ["model.ckpt", "model.safetensors"])
def test_a_torch_zip_is_a_pickle_whatever_its_name_and_is_not_opened(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    bomb = b"cos\nsystem\n(S'echo opened > " + str(tmp_path / "opened").encode() + b"'\ntR."
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("archive/data.pkl", bomb)

    message = refusal(path)

    assert "pickle" in message
    assert convert_command(path.with_suffix(".ckpt")) in message
    assert not (tmp_path / "opened").exists()


def test_another_zip_is_an_archive(tmp_path: Path) -> None:
    path = tmp_path / "model.safetensors"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("model.safetensors", "x")

    assert "a zip archive: unpack it" in refusal(path)


def test_a_missing_file_is_told(tmp_path: Path) -> None:
    assert "does not exist" in refusal(tmp_path / "none.safetensors")


def test_a_folder_is_told(tmp_path: Path) -> None:
    assert "is a folder" in refusal(tmp_path)


def test_a_path_with_a_nul_is_told() -> None:
    with pytest.raises(ModelError, match="no path that this system can open"):
        read_header(Path("a\0b"))


@pytest.mark.skipif(sys.platform == "win32" or (hasattr(os, "geteuid") and os.geteuid() == 0), reason="root reads all")
def test_a_file_without_the_right_to_read_is_told(tmp_path: Path) -> None:
    path = write_model(tmp_path / "a.safetensors", {"a": (2,)})
    path.chmod(0)

    assert "may not be read" in refusal(path)


def test_a_refused_right_to_read_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = write_model(tmp_path / "a.safetensors", {"a": (2,)})

    def refuse(*_: object, **__: object) -> object:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr("os.open", refuse)

    assert "may not be read" in refusal(path)


@on_posix
@pytest.mark.parametrize("kind", KINDS)
def test_what_is_no_regular_file_is_not_waited_for(tmp_path: Path, kind: str) -> None:
    with special_file(tmp_path / "model.safetensors", kind) as path:
        assert ("is a folder" if kind == "folder" else "no regular file") in refusal(path)
        assert not is_pickle(path)


def test_thousands_of_names_of_which_one_stands_twice_are_read_in_one_pass(tmp_path: Path) -> None:
    """649 KB took 38 seconds when each name was counted among all."""
    header = b"{" + b",".join(b'"t%d":0' % number for number in range(50_000)) + b',"t49999":0}'
    began = time.process_time()

    assert "names 't49999' twice" in refusal_of(tmp_path, header)
    assert time.process_time() - began < 5


@pytest.mark.parametrize(
    ("dtype", "raw"),
    [
        ("F16", struct.pack("<2e", 0.5, -2)),
        ("F32", struct.pack("<2f", 0.5, -2)),
        ("BF16", bytes.fromhex("003f00c0")),
        ("F64", struct.pack("<2d", 0.5, -2)),
    ],
)
def test_a_small_tensor_is_read_by_name(tmp_path: Path, dtype: str, raw: bytes) -> None:
    path = write_model(tmp_path / "a.safetensors", {"x": (7,), "a": (2,)}, dtype=dtype, values={"a": raw})

    assert read_floats(path, read_header(path), "a") == (0.5, -2.0)


def test_a_large_or_absent_tensor_is_not_read(tmp_path: Path) -> None:
    path = write_model(tmp_path / "a.safetensors", {"a": (5000,)})

    assert read_floats(path, read_header(path), "a") is None
    assert read_floats(path, read_header(path), "b") is None


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda child: st.lists(child, max_size=4) | st.dictionaries(st.text(max_size=5), child, max_size=4),
    max_leaves=12,
)
DENTS = st.lists(st.tuples(st.integers(0, 400), st.integers(0, 255)), max_size=4)
QUICK = settings(max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture])


def outcome(path: Path) -> Header | None:
    try:
        return read_header(path)
    except ModelError:
        return None


@QUICK
@given(content=st.binary(max_size=300))
def test_any_bytes_give_a_header_or_a_model_error(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "fuzz").write_bytes(content)

    outcome(tmp_path / "fuzz")


@QUICK
@given(table=st.dictionaries(st.sampled_from(["a", "b", "__metadata__"]), JSON), data_bytes=st.integers(0, 20))
def test_any_json_gives_a_header_or_a_model_error(tmp_path: Path, table: object, data_bytes: int) -> None:
    outcome(write_raw(tmp_path / "fuzz", json.dumps(table).encode(), data_bytes))


@QUICK
@given(dents=DENTS, cut=st.integers(0, 500))
def test_a_dented_file_gives_a_header_or_a_model_error(tmp_path: Path, dents: list[tuple[int, int]], cut: int) -> None:
    content = bytearray(write_model(tmp_path / "fuzz", {"a": (2, 3), "b": (4,), "c": ()}).read_bytes())
    for at, value in dents:
        content[at % len(content)] = value
    (tmp_path / "fuzz").write_bytes(content[: len(content) - cut % len(content)])

    outcome(tmp_path / "fuzz")


@QUICK
@given(
    spans=st.lists(st.tuples(st.integers(0, 12), st.integers(0, 6)), min_size=1, max_size=4),
    data_bytes=st.integers(0, 20),
)
def test_an_accepted_header_covers_each_byte_once(spans: list[tuple[int, int]], data_bytes: int) -> None:
    table = {f"t{i}": {"dtype": "U8", "shape": [n], "data_offsets": [at, at + n]} for i, (at, n) in enumerate(spans)}
    raw = json.dumps(table).encode()
    try:
        header = parse_header(raw, 8 + len(raw) + data_bytes)
    except ValueError:
        return
    covered = sorted(byte for tensor in header.tensors.values() for byte in range(tensor.start, tensor.end))
    assert covered == list(range(data_bytes))


def test_entries_helper_lays_tensors_end_to_end() -> None:
    assert entries({"a": (2,), "b": (3,)}, "U8")["b"] == {"dtype": "U8", "shape": [3], "data_offsets": [2, 5]}
