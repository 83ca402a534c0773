"""Room on the disk, when a training begins."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from advisor.units import GIB, MIB
from wizard.processes.disk_check import MARGIN_BYTES, short_of_room


class Usage(NamedTuple):
    free: int


def record(disk_bytes: int) -> dict[str, Any]:
    return {"estimate": {"disk_bytes": disk_bytes}}


@pytest.fixture(autouse=True)
def one_gib_free(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shutil, "disk_usage", lambda folder: Usage(GIB))


def test_a_run_that_has_room_is_not_told_of(tmp_path: Path) -> None:
    assert short_of_room(tmp_path, record(GIB - MARGIN_BYTES)) is None


def test_a_run_without_room_hears_both_figures_and_the_mend(tmp_path: Path) -> None:
    told = short_of_room(tmp_path, record(3 * GIB))

    assert told is not None
    assert "1.0 GiB free" in told
    assert "3.0 GiB will be written" in told
    assert "saving.keep_last" in told


def test_what_lies_there_already_is_not_written_again(tmp_path: Path) -> None:
    (tmp_path / "cache").mkdir()
    with (tmp_path / "cache" / "latents").open("wb") as file:
        file.truncate(300 * MIB)

    assert short_of_room(tmp_path, record(GIB)) is None


@pytest.mark.parametrize("unknown", [None, {}, {"estimate": None}, {"estimate": {"disk_bytes": "much"}}])
def test_without_a_record_nothing_is_said(tmp_path: Path, unknown: dict[str, Any] | None) -> None:
    assert short_of_room(tmp_path, unknown) is None
