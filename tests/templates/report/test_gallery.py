from __future__ import annotations

import json
from pathlib import Path

from PIL import Image

from advisor.run_folder.layout import RunFolder
from templates.report.gallery import gallery, with_room
from templates.report.pictures import Column, Row, Strip, Wall
from templates.report.told import Told
from tests.support.report_runs import choice, write_grid, write_trained_run


def wall(rows: int, columns: int) -> Wall:
    return Wall("", tuple(Row("a", y, {Column(x, 1.0): Path(f"{y}-{x}") for x in range(columns)}) for y in range(rows)))


def test_the_grid_stands_before_what_was_drawn_while_training(tmp_path: Path) -> None:
    run = write_trained_run(tmp_path)
    write_grid(run, epochs=1, chosen=choice(epoch=1))
    (run / "samples").mkdir()
    Image.new("RGB", (8, 8)).save(run / "samples" / "a.png")
    with (run / "log" / "events.jsonl").open("a", encoding="utf-8") as file:
        file.write(json.dumps({"event": "sample", "path": "samples/a.png", "prompt": "mira", "epoch": 1}) + "\n")

    grid, samples = gallery(Told.of(RunFolder(run)), run / "report.html")

    assert (grid.title, samples.title) == ("", "Drawn while training")
    assert [head.mark for head in (*grid.heads, *samples.heads)] == ["", "chosen", "chosen"]


def test_a_run_without_pictures_has_none(tmp_path: Path) -> None:
    assert gallery(Told.of(RunFolder(write_trained_run(tmp_path))), tmp_path / "report.html") == []


def test_what_one_wall_leaves_the_others_have() -> None:
    (first, second), strips = with_room([wall(10, 20), wall(1, 10)], [Strip("", (("x", Path("x")),) * 3)], most=100)

    assert second.num_pictures == 10
    assert len(strips[0].pictures) == 3
    assert 60 <= first.num_pictures <= 87


def test_all_walls_and_strips_together_have_no_more_than_there_is_room_for() -> None:
    strips = [Strip(str(number), (("x", Path("x")),) * 50) for number in range(5)]

    walls, kept = with_room([wall(40, 40), wall(40, 40)], strips, most=240)

    assert sum(one.num_pictures for one in walls) + sum(len(one.pictures) for one in kept) <= 240
