from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from advisor.run_folder.demo_scores import DemoScores
from advisor.run_folder.grids.grid_record import GridRecord
from advisor.run_folder.ladder_file import Ladder
from advisor.run_folder.layout import RunFolder
from advisor.run_folder.pictures.held_out import HeldOut
from advisor.run_folder.pictures.left_out import LeftOut, LeftOutImage

HELD_OUT = HeldOut(seed=1, share=0.5, held_out=("a",), trained=("b",))
LEFT_OUT = LeftOut(images=(LeftOutImage(path="/a.png", why="cut off"),))
RECORDS: list[tuple[str, Callable[[RunFolder], None]]] = [
    ("images/left_out.json", lambda run: run.write_left_out(LEFT_OUT)),
    ("images/held_out.json", lambda run: run.write_held_out(HELD_OUT)),
    ("log/demo.json", lambda run: run.write_demo_scores(DemoScores(0.1, 0.8, 0.9, 0.5, 0.6))),
    ("state/ladder.json", lambda run: run.write_ladder(Ladder(batch_parts=2))),
    ("grid/grid.json", lambda run: run.write_grid(GridRecord(prompts=("mia",)))),
]


@pytest.mark.parametrize(("name", "write"), RECORDS)
@pytest.mark.parametrize("mine", ["my own list\n", '{"mine": 1}', "[1, 2]", '{"seed": 1, "share": 0.5,}'])
def test_a_file_of_the_users_with_a_records_name_stays_beside_it(
    tmp_path: Path, name: str, write: Callable[[RunFolder], None], mine: str
) -> None:
    path = tmp_path / name
    path.parent.mkdir()
    path.write_text(mine, "utf-8")

    for _ in range(2):
        write(RunFolder(tmp_path))

    assert path.with_name(f"{path.name}.bak").read_text("utf-8") == mine
    assert sorted(one.name for one in path.parent.iterdir()) == [path.name, f"{path.name}.bak"]


@pytest.mark.parametrize(("name", "write"), RECORDS)
def test_a_record_is_replaced(tmp_path: Path, name: str, write: Callable[[RunFolder], None]) -> None:
    for _ in range(2):
        write(RunFolder(tmp_path))

    assert [path.name for path in (tmp_path / name).parent.iterdir()] == [Path(name).name]
