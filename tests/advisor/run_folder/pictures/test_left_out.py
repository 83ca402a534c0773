"""Broken pictures that are left out are known by content: another file of that name is looked at again."""

from __future__ import annotations

from hashlib import sha256
from pathlib import Path

import pytest

from advisor.run_folder.layout import RunFolder
from advisor.run_folder.pictures.left_out import LeftOut, LeftOutImage


@pytest.mark.parametrize(
    ("now", "is_known", "stays"),
    [(b"half", True, True), (b"whole", True, False), (None, True, True), (b"whole", False, True)],
    ids=["unchanged", "replaced", "gone", "of an earlier version"],
)
def test_only_the_file_that_was_broken_is_left_out(
    tmp_path: Path, now: bytes | None, is_known: bool, stays: bool
) -> None:
    run, picture = RunFolder(tmp_path / "run"), tmp_path / "a.png"
    content = sha256(b"half").hexdigest() if is_known else ""
    run.write_left_out(LeftOut(images=(LeftOutImage(path=str(picture), why="cut off", content=content),)))
    if now is not None:
        picture.write_bytes(now)

    assert run.read_left_out().paths == ({str(picture)} if stays else frozenset())
