from __future__ import annotations

import time
from pathlib import Path

import pytest

from advisor.run_folder.pictures.manifest import read_manifest_lines
from tests.support.special_files import KINDS, special_file


def test_lines_are_read_and_damaged_ones_passed_over(tmp_path: Path) -> None:
    path = tmp_path / "manifest.jsonl"
    path.write_text(
        '{"path": "a.png", "caption": "mira", "bucket": [512, 640], "repeats": 3}\n{"pa\n[]\n{"path": "b"}', "utf-8"
    )

    lines = read_manifest_lines(path)

    assert [(line.path, line.caption, line.bucket, line.repeats, line.use) for line in lines] == [
        ("a.png", "mira", (512, 640), 3, "training"), ("b", None, (0, 0), 1, "training"),
    ]  # fmt: skip


def test_no_manifest_has_no_lines(tmp_path: Path) -> None:
    assert read_manifest_lines(tmp_path / "manifest.jsonl") == ()


@pytest.mark.parametrize("kind", KINDS)
def test_what_is_no_file_has_no_lines(tmp_path: Path, kind: str) -> None:
    with special_file(tmp_path / "manifest.jsonl", kind) as path:
        assert read_manifest_lines(path) == ()


@pytest.mark.parametrize("line", [b"\n", b"x\n", b"{}\n"])
def test_millions_of_lines_that_say_nothing_cost_no_more_than_reading_them(tmp_path: Path, line: bytes) -> None:
    path = tmp_path / "manifest.jsonl"
    path.write_bytes(b'{"path": "a.png"}\n' + line * 2_000_000)
    began = time.process_time()

    lines = read_manifest_lines(path)

    assert [one.path for one in lines] == ["a.png"]
    assert time.process_time() - began < 5
