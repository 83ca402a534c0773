from __future__ import annotations

import sys
from pathlib import Path

import pytest

from advisor.run_folder.place import RunMoved, RunPlace

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
