"""Encoded pictures of one run, used by another."""

from __future__ import annotations

from pathlib import Path

import pytest

from advisor.run_folder.layout import RunFolder
from wizard.processes.shared_cache import share_cache


def put(run: RunFolder, kind: str, name: str, content: bytes) -> Path:
    path = run.cache(kind) / name[:2] / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    return path


@pytest.fixture
def runs(tmp_path: Path) -> tuple[RunFolder, RunFolder]:
    return RunFolder(tmp_path / "a"), RunFolder(tmp_path / "b")


def test_entries_are_linked_and_those_that_are_there_stay(runs: tuple[RunFolder, RunFolder]) -> None:
    source, run = runs
    latents, text = put(source, "latents", "aa1.safetensors", b"1"), put(source, "text", "bb2.safetensors", b"2")
    put(source, "latents", "cc3.safetensors", b"3")
    own = put(run, "latents", "cc3.safetensors", b"own")

    assert share_cache(source, run) == 2
    assert (run.cache("latents") / "aa" / "aa1.safetensors").samefile(latents)
    assert (run.cache("text") / "bb" / "bb2.safetensors").samefile(text)
    assert own.read_bytes() == b"own"
    assert share_cache(source, run) == 0


def test_what_is_no_entry_is_left_out(runs: tuple[RunFolder, RunFolder], tmp_path: Path) -> None:
    source, run = runs
    put(source, "latents", "aa1.txt", b"a note of the user's")
    put(source, "images", "ch1.safetensors", b"")
    (tmp_path / "elsewhere.safetensors").write_bytes(b"secret")
    link = put(source, "masks", "aa2.safetensors", b"")
    link.unlink()
    link.symlink_to(tmp_path / "elsewhere.safetensors")

    assert share_cache(source, run) == 0
    assert not (run.path / "cache").exists()


def test_a_run_without_a_cache_and_a_link_out_of_one_share_nothing(
    runs: tuple[RunFolder, RunFolder], tmp_path: Path
) -> None:
    source, run = runs
    assert share_cache(source, run) == 0
    (tmp_path / "elsewhere" / "aa").mkdir(parents=True)
    (tmp_path / "elsewhere" / "aa" / "aa1.safetensors").write_bytes(b"1")
    source.path.mkdir(parents=True)
    (source.path / "cache").mkdir()
    (source.path / "cache" / "latents").symlink_to(tmp_path / "elsewhere")

    assert share_cache(source, run) == 0
