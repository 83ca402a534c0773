"""A file is replaced only if it is as it was written."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

from advisor.errors import RunError
from advisor.run_folder.keep import keep_beside
from advisor.run_folder.write_over import NewFile, UsersFiles, write_over
from advisor.run_folder.written import Kind, WrittenFiles


def write(folder: Path, text: str = "new", *, kind: Kind = "run", overwrite: bool = False) -> None:
    new = NewFile(folder / "a.toml", text.encode(), kind)
    write_over([new], WrittenFiles(folder, folder / "data"), overwrite=overwrite)


def test_what_was_written_is_written_anew_as_often_as_one_likes(tmp_path: Path) -> None:
    for text in ("one", "two", "three"):
        write(tmp_path, text)

    assert (tmp_path / "a.toml").read_text() == "three"


@pytest.mark.parametrize(
    "edit",
    [b"one\nmore", b"one\r\n", b"\xef\xbb\xbfone\n", b"", b"ONE\n"],
    ids=["a line", "CRLF", "BOM", "emptied", "a letter"],
)
def test_whatever_was_edited_stays(tmp_path: Path, edit: bytes) -> None:
    write(tmp_path, "one\n")
    (tmp_path / "a.toml").write_bytes(edit)

    with pytest.raises(UsersFiles, match=r"a\.toml is not as Loracle wrote it.*--overwrite"):
        write(tmp_path, "two\n")
    assert (tmp_path / "a.toml").read_bytes() == edit

    write(tmp_path, "two\n", overwrite=True)
    assert (tmp_path / "a.toml").read_bytes() == b"two\n"
    assert (tmp_path / "a.toml.bak").read_bytes() == edit


def test_no_copy_replaces_an_earlier_one(tmp_path: Path) -> None:
    for number in range(3):
        (tmp_path / "a.toml").write_text(f"mine {number}")
        write(tmp_path, overwrite=True)

    kept = [(tmp_path / f"a.toml{ending}").read_text() for ending in (".bak", ".bak2", ".bak3")]
    assert kept == ["mine 0", "mine 1", "mine 2"]


def test_the_same_file_twice_needs_no_leave(tmp_path: Path) -> None:
    (tmp_path / "a.toml").write_text("new")

    write(tmp_path, "new")

    assert (tmp_path / "a.toml").read_text() == "new"
    assert not list(tmp_path.glob("*.bak*"))


def test_all_files_in_the_way_are_named_and_none_is_written(tmp_path: Path) -> None:
    (tmp_path / "a").write_text("mine")
    (tmp_path / "c").write_text("mine too")
    files = [NewFile(tmp_path / name, b"new", "run") for name in "abc"]

    with pytest.raises(UsersFiles) as raised:
        write_over(files, WrittenFiles(tmp_path, tmp_path / "data"))

    assert raised.value.files == (tmp_path / "a", tmp_path / "c")
    assert all(str(path) in str(raised.value) for path in raised.value.files)
    assert not (tmp_path / "b").exists()
    assert not (tmp_path / "log").exists()


def test_a_file_written_for_another_purpose_is_not_taken_for_ones_own(tmp_path: Path) -> None:
    write(tmp_path, kind="run")

    with pytest.raises(UsersFiles):
        write(tmp_path, "{}", kind="kohya-gui")


def test_a_file_that_the_user_protects_stays(tmp_path: Path) -> None:
    write(tmp_path, "one")
    (tmp_path / "a.toml").chmod(0o444)

    with pytest.raises(UsersFiles):
        write(tmp_path, "two")


@pytest.mark.skipif(sys.platform == "win32", reason="links need a right there")
def test_a_link_in_the_place_of_a_file_is_the_users(tmp_path: Path) -> None:
    (tmp_path / "elsewhere").write_text("mine")
    (tmp_path / "a.toml").symlink_to(tmp_path / "elsewhere")

    with pytest.raises(UsersFiles):
        write(tmp_path)
    write(tmp_path, overwrite=True)

    assert (tmp_path / "elsewhere").read_text() == "mine"
    assert (tmp_path / "a.toml.bak").is_symlink()


def test_a_folder_in_the_place_of_a_file_is_told_before_anything_is_written(tmp_path: Path) -> None:
    (tmp_path / "b").mkdir()
    files = [NewFile(tmp_path / name, b"new", "run") for name in "ab"]

    with pytest.raises(RunError, match="b is a folder"):
        write_over(files, WrittenFiles(tmp_path, tmp_path / "data"), overwrite=True)
    assert not (tmp_path / "a").exists()


def test_files_elsewhere_are_noted_in_the_users_data_folder(tmp_path: Path) -> None:
    run, place = tmp_path / "run", tmp_path / "place"
    written = WrittenFiles(run, tmp_path / "data")

    for text in (b"one", b"two"):
        write_over([NewFile(place / "job.yaml", text, "ai-toolkit")], written)

    assert (place / "job.yaml").read_bytes() == b"two"
    assert not run.exists()
    assert str(place / "job.yaml") in (tmp_path / "data" / "written.json").read_text()


def test_a_run_carried_elsewhere_keeps_its_notes(tmp_path: Path) -> None:
    write(tmp_path / "run", "one")
    (tmp_path / "run").rename(tmp_path / "moved")

    write(tmp_path / "moved", "two")

    assert (tmp_path / "moved" / "a.toml").read_text() == "two"


@pytest.mark.parametrize("damage", [b"", b"[]", b"{", b'{"files": {"a.toml": 3}}', b"\xff", b"[" * 100_000])
def test_damaged_notes_make_every_file_the_users(tmp_path: Path, damage: bytes) -> None:
    write(tmp_path, "one")
    (tmp_path / "log" / "written.json").write_bytes(damage)

    with pytest.raises(UsersFiles):
        write(tmp_path, "two")


def test_between_note_and_file_a_crash_leaves_a_file_that_is_known(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(tmp_path, "one")

    def crash(path: Path, content: bytes) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr("advisor.run_folder.write_over.write_atomically", crash)
        with pytest.raises(KeyboardInterrupt):
            write(tmp_path, "two")
    write(tmp_path, "three")

    assert (tmp_path / "a.toml").read_text() == "three"


def test_without_hard_links_a_copy_is_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def none(*_: object, **__: object) -> None:
        raise PermissionError(1, "no links here")

    monkeypatch.setattr(os, "link", none)
    (tmp_path / "a").write_text("mine")

    assert keep_beside(tmp_path / "a").read_text() == "mine"
    assert keep_beside(tmp_path / "a").name == "a.bak2"


@pytest.mark.parametrize("content", ["my diary", "{}", '{"files": {}, "more": 1}', "[]"])
def test_a_file_of_the_users_that_is_named_as_the_notes_is_kept(tmp_path: Path, content: str) -> None:
    notes = tmp_path / "data" / "written.json"
    notes.parent.mkdir()
    notes.write_text(content)
    written = WrittenFiles(data=notes.parent)

    for name in ("a.json", "b.json"):
        write_over([NewFile(tmp_path / name, b"{}", "onetrainer")], written)

    assert (notes.parent / "written.json.bak").read_text() == content
    assert len(list(notes.parent.iterdir())) == 2
    assert written.is_as_written(tmp_path / "a.json", "onetrainer")
