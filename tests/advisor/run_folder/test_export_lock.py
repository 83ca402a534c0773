"""Two exports into one folder do not run at the same time, by whatever names they know it."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from advisor.run_folder.export_lock import exporting
from advisor.run_folder.lock import RunInUse


@pytest.fixture(autouse=True)
def data(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("LORACLE_DATA", str(tmp_path / "data"))
    return tmp_path / "data"


def test_a_second_one_is_refused_and_the_first_is_named(tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(tmp_path / "out")
    with exporting(tmp_path / "out", "loracle export"), exporting(tmp_path / "other", "loracle export"):
        for folder in (tmp_path / "out", tmp_path / "link"):
            with pytest.raises(RunInUse, match=rf"loracle export \(process {os.getpid()} "), exporting(folder, "x"):
                pass

    with exporting(tmp_path / "out", "loracle export"):
        pass
    assert not (tmp_path / "out").exists()


def test_where_nothing_can_be_kept_there_is_no_lock(tmp_path: Path, data: Path) -> None:
    data.write_text("a file", "utf-8")

    with exporting(tmp_path / "out", "loracle export"), exporting(tmp_path / "out", "loracle export"):
        assert data.read_text("utf-8") == "a file"
