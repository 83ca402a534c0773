from __future__ import annotations

import sys
from pathlib import Path

import pytest

from advisor.run_folder.layout import RunFolder
from advisor.run_folder.lock import training
from advisor.run_folder.place import PLACE_VARIABLE, RunMoved, RunPlace

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="Windows moves no folder that is in use")


def test_a_folder_that_stays_is_there(tmp_path: Path) -> None:
    (tmp_path / "run").mkdir()
    (tmp_path / "link").symlink_to("run")
    for name in ("run", "link"):
        place = RunPlace.of(tmp_path / name)
        (tmp_path / "run" / name).touch()
        place.check()
        place.close()


@pytest.mark.parametrize("then", ["nothing", "another", "a file"])
def test_a_folder_that_was_renamed_is_told(tmp_path: Path, then: str) -> None:
    run = tmp_path / "run"
    run.mkdir()
    place = RunPlace.of(run)
    run.rename(tmp_path / "elsewhere")
    if then == "another":
        run.mkdir()
    elif then == "a file":
        run.touch()

    with pytest.raises(RunMoved, match="renamed, moved or deleted"):
        place.check()
    place.close()


def test_a_launched_process_writes_into_the_folder_that_was_meant_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = tmp_path / "my run"
    run.mkdir()
    place = RunPlace.of(run)
    monkeypatch.setenv(PLACE_VARIABLE, place.mark)
    with training(RunFolder(run), "the trainer", print, is_launched=True):
        pass
    run.rename(tmp_path / "elsewhere")
    run.mkdir()

    with pytest.raises(RunMoved), training(RunFolder(run), "the trainer", print, is_launched=True):
        pass

    assert not list(run.iterdir())
    (tmp_path / "another").mkdir()
    with training(RunFolder(tmp_path / "another"), "the trainer", print, is_launched=True):
        pass  # as one that measures a run in a folder of its own
    place.close()
