from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from advisor.choosing.cells import Cell, Choice, EpochExtras, EpochScores, Interval, PictureScores
from advisor.errors import RunError
from advisor.run_folder.grids.grid_record import GridRecord
from advisor.run_folder.layout import RunFolder

PATH = f"pictures/{'0a' * 32}.png"
CHOICE = Choice("burnt", 2, 0.8, (2, 3), 3, 4, 0.9, "from epoch 4 on", {"optimizer.unet_learning_rate": 5e-5})
GRID = GridRecord(
    model="base.safetensors",
    prompts=("zuvi, smile", "a park"),
    seeds=(1, 2),
    width_px=64,
    height_px=64,
    steps=20,
    guidance=7.0,
    cells=(Cell(0, 0.0, 0, 1, PATH), Cell(2, 0.8, 1, 2, PATH)),
    picture_scores=(PictureScores(2, 0.8, 1, 2, {"leak": 0.1, "damage": -0.25}),),
    extras=(EpochExtras(2, 3.5, None),),
    scores=(EpochScores(2, 0.8, {"leak": Interval(0.1, 0.05, 0.2)}),),
    choice=CHOICE,
)


def changed(run: RunFolder, change: dict[str, Any]) -> None:
    run.write_grid(GRID)
    run.grid.record.write_text(json.dumps(json.loads(run.grid.record.read_text("utf-8")) | change), "utf-8")


def test_a_grid_comes_back(tmp_path: Path) -> None:
    run = RunFolder(tmp_path)
    run.write_grid(GRID)

    assert run.read_grid() == GRID
    assert run.known_grid() == GRID


def test_where_nothing_was_drawn_the_command_that_draws_is_named(tmp_path: Path) -> None:
    run = RunFolder(tmp_path)

    assert run.known_grid() is None
    with pytest.raises(RunError, match=r"grid\.json is not there: `loracle grid` draws"):
        run.read_grid()


def test_fields_and_measures_of_a_newer_version_are_passed_over(tmp_path: Path) -> None:
    run = RunFolder(tmp_path)
    values = {"epoch": 2, "weight": 0.8, "prompt": 1, "seed": 2, "values": {"leak": 0.1, "damage": -0.25, "charm": 1}}
    interval = {"value": 0.1, "low": 0.05, "high": 0.2}
    scores = {"epoch": 2, "weight": 0.8, "scores": {"leak": interval, "charm": {"mean": 1}}}
    changed(run, {"mood": "sad", "picture_scores": [values], "scores": [scores]})

    assert run.read_grid() == GRID


def test_a_grid_of_another_version_is_not_read(tmp_path: Path) -> None:
    run = RunFolder(tmp_path)
    changed(run, {"version": 2})

    with pytest.raises(RunError, match=r"grid\.json cannot be read \(version: .*delete it"):
        run.read_grid()


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("path", "../../secret.png"), ("path", "/etc/passwd"), ("path", f"{PATH}\n"), ("path", f"{PATH}/x"),
        ("epoch", -1), ("epoch", 10**9), ("weight", 1e30), ("weight", None), ("prompt", 10**6), ("seed", -1),
        ("seed", 2**32),
    ],
)  # fmt: skip
def test_cells_beyond_their_bounds_or_outside_the_folder_are_refused(tmp_path: Path, field: str, value: Any) -> None:
    run = RunFolder(tmp_path)
    cell = {"epoch": 1, "weight": 1.0, "prompt": 0, "seed": 1, "path": PATH}
    changed(run, {"cells": [cell]})
    assert run.read_grid().cells == (Cell(1, 1.0, 0, 1, PATH),)
    changed(run, {"cells": [cell | {field: value}]})

    with pytest.raises(RunError, match=rf"grid\.json cannot be read \(cells\.0\.{field}: "):
        run.read_grid()


def test_a_score_that_is_no_number_is_refused(tmp_path: Path) -> None:
    run = RunFolder(tmp_path)
    run.write_grid(GRID)
    run.grid.record.write_text(run.grid.record.read_text("utf-8").replace("-0.25", "1e99"), "utf-8")

    with pytest.raises(RunError, match=r"picture_scores\.0.*damage"):
        run.read_grid()


@pytest.mark.parametrize(
    "changes", [{"saving.name": "x"}, {"model.path": "x"}, {"optimizer.unet_learning_rate": "fast"}, {"x": 1}]
)
def test_a_choice_changes_rates_and_lengths_and_nothing_else(tmp_path: Path, changes: dict[str, Any]) -> None:
    run = RunFolder(tmp_path)
    run.write_grid(GRID)
    choice = json.loads(run.grid.record.read_text("utf-8"))["choice"]
    changed(run, {"choice": choice | {"changes": changes}})

    with pytest.raises(RunError, match=r"grid\.json cannot be read \(choice: "):
        run.read_grid()
