from __future__ import annotations

from pathlib import Path

import pytest

from advisor.errors import RunError
from advisor.run_folder.grids.grid_paths import GridPaths
from advisor.run_folder.layout import RunFolder

KEY = "a" * 64


def test_a_runs_grid_lies_in_its_folder_and_a_loras_in_its_own(tmp_path: Path) -> None:
    run, alone = RunFolder(tmp_path), GridPaths.alone(tmp_path / "fox")

    assert run.within(run.grid.record) == "grid/grid.json"
    assert run.within(run.grid.picture(KEY)) == f"grid/pictures/{KEY}.png"
    assert alone.sheet == tmp_path / "fox" / "grid.png"


@pytest.mark.parametrize("link", ["grid", "grid/pictures", "grid/grid.json"])
def test_a_link_out_of_the_run_is_refused(tmp_path: Path, link: str) -> None:
    run = RunFolder(tmp_path / "run")
    (run.path / link).parent.mkdir(parents=True)
    (run.path / link).symlink_to(tmp_path / "elsewhere")

    with pytest.raises(RunError, match="leads out of the run"):
        _ = (run.grid.record, run.grid.picture(KEY))
    with pytest.raises(RunError, match="leads out of the run"):
        run.refuse_links_out()


def test_a_link_from_one_place_of_the_run_to_another_is_none_of_these(tmp_path: Path) -> None:
    run = RunFolder(tmp_path)
    (tmp_path / "samples").mkdir()
    (tmp_path / "grid").symlink_to(tmp_path / "samples")

    assert run.grid.record == tmp_path / "grid" / "grid.json"
