"""Files that are damaged, packed anew or lie about their size: refused."""

from __future__ import annotations

import io
import zipfile
from pathlib import Path

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from advisor.checkpoints.identify import identify
from advisor.errors import LoraError
from tests.advisor.tensor_files.test_archive import BAD, two_tables
from tests.support.archives import File, archive
from tests.support.checkpoints import BOTH, WEIGHTS, converted, refusal, save, zip_checkpoint
from tests.support.special_files import KINDS, on_posix, special_file
from trainer.convert.pickle import convert
from trainer.convert.pickle_scan import instructions


def parts(path: Path) -> dict[str, bytes]:
    with zipfile.ZipFile(path) as archive:
        return {name.split("/", 1)[1]: archive.read(name) for name in archive.namelist()}


def test_an_archive_packed_anew_is_refused(tmp_path: Path) -> None:
    members = parts(save(tmp_path / "good.ckpt", WEIGHTS))
    raw = members.pop("data.pkl")

    path = zip_checkpoint(tmp_path / "a.ckpt", raw, members, compression=zipfile.ZIP_DEFLATED)

    assert "was packed anew" in refusal(path)


def test_an_archive_of_zeros_that_would_fill_the_memory_is_refused(tmp_path: Path) -> None:
    path = zip_checkpoint(
        tmp_path / "a.ckpt", b"\x80\x02}.", {"data/0": bytes(50_000_000)}, compression=zipfile.ZIP_DEFLATED
    )

    assert path.stat().st_size < 100_000
    assert "compressed" in refusal(path)


def test_parts_that_lie_about_their_size_are_refused(tmp_path: Path) -> None:
    path = zip_checkpoint(tmp_path / "a.ckpt", b"\x80\x02}.", {"data/0": bytes(64)})
    raw = bytearray(path.read_bytes())
    entry = raw.rindex(b"PK\x01\x02")
    raw[entry + 20 : entry + 28] = (2**31).to_bytes(4, "little") * 2
    path.write_bytes(raw)

    assert "its parts overlap" in refusal(path)


@pytest.mark.filterwarnings("ignore:Duplicate name")
@pytest.mark.parametrize(
    ("more", "told"),
    [
        ({"data.pkl": b"\x80\x02}."}, "2 pickles"),
        ({"x/data.pkl": b"\x80\x02}."}, "2 pickles"),
        ({"constants.pkl": b"\x80\x02}."}, "TorchScript"),
    ],
)
def test_an_archive_with_a_second_pickle_is_refused(tmp_path: Path, more: dict[str, bytes], told: str) -> None:
    assert told in refusal(zip_checkpoint(tmp_path / "a.ckpt", b"\x80\x02}.", more))


def test_another_zip_archive_is_refused(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "a.ckpt", "w") as archive:
        archive.writestr("model.txt", "x")

    assert "0 pickles" in refusal(tmp_path / "a.ckpt")


def test_a_pickle_larger_than_any_genuine_one_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("trainer.convert.pickle_scan.MOST_PICKLE_BYTES", 100)

    assert "weights need a few MB" in refusal(save(tmp_path / "a.ckpt", WEIGHTS))


@BOTH
@pytest.mark.parametrize("share", [0.1, 0.5, 0.95])
def test_a_file_that_is_cut_off_is_refused(tmp_path: Path, legacy: bool, share: float) -> None:
    path = save(tmp_path / "a.ckpt", {"a": torch.ones(5000)}, legacy=legacy)
    path.write_bytes(path.read_bytes()[: int(path.stat().st_size * share)])

    assert "download it again" in refusal(path)


def test_a_flipped_bit_is_told(tmp_path: Path) -> None:
    path = save(tmp_path / "a.ckpt", {"a": torch.full((4000,), 7, dtype=torch.int32)})
    raw = bytearray(path.read_bytes())
    raw[raw.index(b"\x07\x00\x00\x00" * 100) + 40] ^= 4
    path.write_bytes(raw)

    notes = converted(path)["notes"]

    assert any("does not fit its checksum" in note for note in notes)


def test_tensors_that_repeat_one_number_endlessly_are_refused(tmp_path: Path) -> None:
    path = save(tmp_path / "a.ckpt", {"a": torch.ones(1).expand(10**12)})

    assert "repeat the same numbers" in refusal(path)


def test_a_storage_larger_than_the_file_is_refused(tmp_path: Path) -> None:
    members = parts(save(tmp_path / "good.ckpt", {"a": torch.ones(1000)}))
    raw = members.pop("data.pkl")
    thousand, more = b"M\xe8\x03", b"M\xff\xff"
    old = save(tmp_path / "old.ckpt", {"a": torch.ones(1000)}, legacy=True)

    assert raw.count(thousand) == 2
    assert "cannot be read as weights" in refusal(
        zip_checkpoint(tmp_path / "new.ckpt", raw.replace(thousand, more), members)
    )
    old.write_bytes(old.read_bytes().replace(thousand, more))
    assert "cannot be read as weights" in refusal(old)


SEED = "a.ckpt"


@settings(max_examples=60)
@given(data=st.data())
def test_a_damaged_file_is_converted_or_refused_and_breaks_nothing(
    data: st.DataObject, tmp_path_factory: pytest.TempPathFactory
) -> None:
    folder = tmp_path_factory.mktemp("damaged")
    path = save(folder / SEED, {"state_dict": WEIGHTS, "epoch": 1}, legacy=data.draw(st.booleans()))
    raw = bytearray(path.read_bytes())
    for _ in range(data.draw(st.integers(1, 4))):
        raw[data.draw(st.integers(0, min(len(raw), 1200) - 1))] = data.draw(st.integers(0, 255))
    path.write_bytes(raw)

    try:
        converted(path)
    except LoraError:
        pass
    else:
        assert identify(path.with_suffix(".safetensors")).kind == "unknown"


OTHER = b"\x80\x02}."
"""A pickle of an empty table."""


def write_hidden(path: Path) -> None:
    """What torch reads of an archive whose zip64 locator leads to a second table; Python's reader sees `OTHER`."""
    members = parts(save(path.with_name("weights.pt"), {"a": torch.ones(3)}))
    first = [File(f"archive/{name}".encode(), content) for name, content in members.items()]
    second = [File(b"archive/data.pkl", OTHER), *(file for file in first if file.name != b"archive/data.pkl")]
    path.write_bytes(two_tables(first, second, told="first"))


def test_a_locator_that_shows_torch_another_archive_is_refused(tmp_path: Path) -> None:
    """Python's reader takes the zip64 record that lies before the locator, torch's the one that the locator names."""
    path = tmp_path / "a.ckpt"
    write_hidden(path)
    assert parts(path)["data.pkl"] == OTHER
    assert list(torch.load(path, weights_only=True)) in ([], ["a"])

    told = refusal(path)

    assert "malformed in a way that hides contents" in told
    assert "nothing in it was run" in told
    assert "download it again" not in told


@pytest.mark.parametrize("what", BAD)
def test_the_message_for_an_archive_with_a_second_reading_is_not_to_download_it_again(
    tmp_path: Path, what: str
) -> None:
    path = tmp_path / "a.ckpt"
    path.write_bytes(BAD[what])

    assert "download it again" not in refusal(path)


@pytest.mark.parametrize(
    ("more", "told"),
    [
        (File(b"archive/DATA.PKL", OTHER), "2 pickles"),
        (File(b"Archive/version", b"3"), "called Archive/version"),
        (File(b"other/x", b""), "do not lie in one folder"),
    ],
)
def test_a_part_that_one_reader_takes_for_another_is_refused(tmp_path: Path, more: File, told: str) -> None:
    files = [File(b"archive/data.pkl", OTHER), File(b"archive/version", b"3"), more]
    (tmp_path / "a.ckpt").write_bytes(archive(files))

    message = refusal(tmp_path / "a.ckpt")

    assert told in message
    assert "download it again" not in message


def test_a_file_that_is_exchanged_after_the_check_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = save(tmp_path / "a.ckpt", WEIGHTS)
    other = save(tmp_path / "b.ckpt", {"a": torch.ones(3)})
    monkeypatch.setattr("trainer.convert.checksums.check_bytes", lambda *_: other.replace(path))

    assert "was changed while it was read" in refusal(path)


def test_a_pickle_that_does_not_fit_its_checksum_is_refused(tmp_path: Path) -> None:
    (tmp_path / "a.ckpt").write_bytes(archive([File(b"a/data.pkl", OTHER, in_header={"crc": 1}, in_table={"crc": 1})]))

    assert "does not fit its checksum" in refusal(tmp_path / "a.ckpt")


@on_posix
@pytest.mark.parametrize("kind", KINDS)
def test_only_regular_files_are_opened(tmp_path: Path, kind: str) -> None:
    with special_file(tmp_path / "a.ckpt", kind) as path, pytest.raises(LoraError, match="no regular file"):
        convert(path, tmp_path / "out.safetensors", lambda line: None)


def test_odd_escapes_in_a_text_are_no_warning() -> None:
    assert ("STRING", None) in list(instructions(io.BytesIO(b"S'a\\qb'\n.")))
