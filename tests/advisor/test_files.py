from __future__ import annotations

import errno
import os
import re
from pathlib import Path

import pytest

from advisor.errors import ModelError, RunError
from advisor.files import (
    UnfitFile,
    is_file,
    is_folder,
    is_there,
    mend_of_writing,
    open_regular,
    open_to_append,
    read_bounded,
    read_file,
    replacing,
    write_atomically,
)
from tests.support.special_files import KINDS, on_posix, special_file

ROOT = Path(__file__).parents[2]


def test_a_file_is_read_whole(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"12345")

    assert read_bounded(tmp_path / "a", 5) == b"12345"


def test_a_link_to_a_file_is_followed(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"12345")
    (tmp_path / "b").symlink_to(tmp_path / "a")

    assert read_bounded(tmp_path / "b", 5) == b"12345"


def test_a_file_that_is_larger_than_allowed_is_not_read(tmp_path: Path) -> None:
    with (tmp_path / "a").open("wb") as file:
        file.truncate(2**40)

    with pytest.raises(UnfitFile, match="more than 1,000 bytes") as error:
        read_bounded(tmp_path / "a", 1000)
    assert error.value.errno == errno.EFBIG


@on_posix
def test_a_file_whose_size_is_not_told_is_read_up_to_the_limit() -> None:
    assert read_bounded(Path("/proc/self/cmdline"), 1_000_000) if Path("/proc").exists() else True
    if Path("/proc/self/maps").exists():
        with pytest.raises(UnfitFile, match="more than 10 bytes"):
            read_bounded(Path("/proc/self/maps"), 10)


@on_posix
@pytest.mark.parametrize("kind", KINDS)
def test_what_is_no_regular_file_is_named_and_never_opened(
    tmp_path: Path, kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "open", lambda *_: pytest.fail("opened"))
    with special_file(tmp_path / "a", kind) as path, pytest.raises(UnfitFile, match=r"it is a .* and no regular file"):
        open_regular(path)


@on_posix
def test_a_pipe_that_took_the_files_place_meanwhile_is_not_waited_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "a").write_bytes(b"")
    regular = (tmp_path / "a").stat()
    os.mkfifo(tmp_path / "pipe")
    monkeypatch.setattr(Path, "stat", lambda _: regular)

    with pytest.raises(UnfitFile, match="it is a pipe"):
        open_regular(tmp_path / "pipe")


def test_a_path_with_a_zero_byte_is_no_file() -> None:
    with pytest.raises(UnfitFile, match="no path that this system can open"):
        open_regular(Path("a\0b"))


def test_the_message_names_kind_path_reason_and_mend(tmp_path: Path) -> None:
    with pytest.raises(RunError) as error:
        read_file(tmp_path, kind="plan", most_bytes=10)
    assert str(error.value) == (
        f"the plan {tmp_path} cannot be read: it is a folder and no regular file: name the right file"
    )
    with pytest.raises(ModelError, match="No such file or directory: copy it anew"):
        read_file(tmp_path / "a", kind="plan", most_bytes=10, error=ModelError, mend="copy it anew")


@pytest.mark.parametrize("name", ["b" * 300, "a\0b", "\ud800"])
def test_what_cannot_be_a_path_is_nowhere(tmp_path: Path, name: str) -> None:
    assert not any(ask(tmp_path / name) for ask in (is_file, is_folder, is_there))


def test_paths_are_looked_at_where_nothing_is_raised() -> None:
    """`Path.is_file` and the like raise where a name is too long or rights are missing, before Python 3.14, and
    `Path.resolve` where links lead round in a ring, before 3.13 (`advisor.same_place.resolved` does not)."""
    raising = re.compile(r"(?<!entry)\.(is_file|is_dir|exists|resolve)\(\)")
    guarded = {"advisor/dataset/scan.py"}  # tells why a folder cannot be read
    found = {
        path.relative_to(ROOT).as_posix()
        for floor in ("advisor", "trainer", "templates", "wizard")
        for path in (ROOT / floor).rglob("*.py")
        if raising.search(path.read_text(encoding="utf-8"))
    }

    assert found == guarded


@pytest.mark.parametrize("has_links", [True, False])
def test_a_new_file_never_takes_the_place_of_one_that_came_meanwhile(
    has_links: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def no_links(path: Path, other: Path) -> None:
        raise OSError(errno.EPERM, "no links")

    if not has_links:
        monkeypatch.setattr(Path, "hardlink_to", no_links)

    def write() -> None:
        with replacing(tmp_path / "new", is_new=True) as temporary:
            temporary.write_text("ours")
            (tmp_path / "new").write_text("theirs")

    with pytest.raises(RunError, match="meanwhile"):
        write()
    write_atomically(tmp_path / "other", "ours", is_new=True)

    assert {path.name: path.read_text() for path in tmp_path.iterdir()} == {"new": "theirs", "other": "ours"}


@on_posix
def test_what_is_appended_to_a_copy_made_of_hard_links_does_not_stand_in_the_original(tmp_path: Path) -> None:
    (tmp_path / "original").write_text("one\n")
    (tmp_path / "copy").hardlink_to(tmp_path / "original")
    (tmp_path / "link").symlink_to(tmp_path / "copy")

    for name in ("link", "copy"):
        with open_to_append(tmp_path / name) as file:
            file.write(b"two\n")

    assert (tmp_path / "original").read_text() == "one\n"
    assert (tmp_path / "copy").read_text() == "one\ntwo\ntwo\n"
    assert (tmp_path / "link").is_symlink()


@pytest.mark.parametrize(
    ("number", "mend"),
    [
        (errno.ENOSPC, "free some space"),
        (errno.EDQUOT, "free some space"),
        (errno.EFBIG, "raise the limit on the size of files"),
        (errno.EROFS, "choose a folder that you may write to"),
        (errno.EIO, "choose another folder"),
    ],
)
def test_what_mends_a_write_follows_from_what_hindered_it(number: int, mend: str) -> None:
    assert mend_of_writing(OSError(number, os.strerror(number))).startswith(mend)


@on_posix
def test_a_limit_on_the_size_of_files_is_named(tmp_path: Path) -> None:
    import resource

    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1000, before[1]))
    try:
        with pytest.raises(RunError, match="raise the limit on the size of files"):
            write_atomically(tmp_path / "a", b"x" * 5000)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert not list(tmp_path.iterdir())
