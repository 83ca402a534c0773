"""Room on the disk, when a training begins."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from advisor.run_folder.layout import RunFolder
from advisor.units import GIB, MIB
from wizard.processes.disk_check import MARGIN_BYTES, disk_warning


class Usage(NamedTuple):
    free: int


def run_with(folder: Path, plan: dict[str, Any]) -> RunFolder:
    (folder / "plan.json").write_text(json.dumps(plan), encoding="utf-8")
    return RunFolder(folder)


def planned(folder: Path, disk_bytes: int) -> RunFolder:
    return run_with(folder, {"estimate": {"disk_bytes": disk_bytes}})


@pytest.fixture(autouse=True)
def one_gib_free(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shutil, "disk_usage", lambda folder: Usage(GIB))


def test_a_run_that_has_room_is_not_told_of(tmp_path: Path) -> None:
    assert disk_warning(planned(tmp_path, GIB - MARGIN_BYTES)) is None


def test_a_run_without_room_hears_both_figures_and_the_mend(tmp_path: Path) -> None:
    told = disk_warning(planned(tmp_path, 3 * GIB))

    assert told is not None
    assert "1.0 GiB free" in told
    assert "3.0 GiB will be written" in told
    assert "saving.keep_last" in told


def test_what_lies_there_already_is_not_written_again(tmp_path: Path) -> None:
    (tmp_path / "cache").mkdir()
    with (tmp_path / "cache" / "latents").open("wb") as file:
        file.truncate(300 * MIB)

    assert disk_warning(planned(tmp_path, GIB)) is None


@pytest.mark.parametrize("unknown", [{}, {"estimate": None}, {"estimate": {"disk_bytes": "much"}}])
def test_where_the_plan_does_not_tell_nothing_is_said(tmp_path: Path, unknown: dict[str, Any]) -> None:
    assert disk_warning(run_with(tmp_path, unknown)) is None


def test_without_a_plan_nothing_is_said(tmp_path: Path) -> None:
    assert disk_warning(RunFolder(tmp_path)) is None
