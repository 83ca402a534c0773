from __future__ import annotations

from pathlib import Path

from PIL import Image

from advisor.run_folder.events import SampleDrawn
from advisor.run_folder.layout import RunFolder
from templates.report.pictures import (
    BASE,
    Column,
    Row,
    Strip,
    Wall,
    grid_wall,
    other_strips,
    sample_wall,
    thinned,
)
from tests.support.report_runs import write_grid


def draw(run: Path, *names: str) -> None:
    for name in names:
        path = run / "samples" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.new("RGB", (4, 4)).save(path)


def shown(wall: Wall) -> list[tuple[str, int, list[int]]]:
    return [(row.prompt, row.seed, sorted(column.epoch for column in row.pictures)) for row in wall.rows]


def titles(strips: tuple[Strip, ...]) -> list[tuple[str, list[str]]]:
    return [(strip.title, [caption for caption, _ in strip.pictures]) for strip in strips]


def event(name: str, prompt: str, epoch: int, seed: int = 0) -> SampleDrawn:
    return SampleDrawn(path=f"samples/{name}", prompt=prompt, epoch=epoch, seed=seed)


def wide(rows: int, epochs: int) -> Wall:
    """So many rows with the base model's picture and one of each epoch."""
    columns = [BASE, *(Column(epoch, 1.0) for epoch in range(1, epochs + 1))]
    return Wall(
        "", tuple(Row("smile", seed, {one: Path(f"{seed}-{one.epoch}") for one in columns}) for seed in range(rows))
    )


def test_each_prompt_has_a_row_from_the_base_model_to_the_last_epoch(tmp_path: Path) -> None:
    draw(tmp_path, "m-0-0.png", "m-1-0.png", "m-1-1.png", "m-2-0.png", "m-2-1.png")
    events = [
        event("m-2-0.png", "smile", 2), event("m-2-1.png", "run", 2), event("m-0-0.png", "smile", 0),
        event("m-1-0.png", "smile", 1), event("m-1-1.png", "run", 1),
    ]  # fmt: skip

    wall = sample_wall(RunFolder(tmp_path), events)

    assert shown(wall) == [("smile", 0, [0, 1, 2]), ("run", 0, [1, 2])]
    assert wall.columns == (BASE, Column(1, 1.0), Column(2, 1.0))


def test_a_prompt_that_is_drawn_from_several_seeds_has_a_row_for_each(tmp_path: Path) -> None:
    draw(tmp_path, "a.png", "b.png")

    wall = sample_wall(RunFolder(tmp_path), [event("a.png", "smile", 1, 7), event("b.png", "smile", 1, 8)])
    assert shown(wall) == [("smile", 7, [1]), ("smile", 8, [1])]


def test_a_prompt_that_is_drawn_twice_loses_no_picture(tmp_path: Path) -> None:
    draw(tmp_path, "a.png", "b.png")

    wall = sample_wall(RunFolder(tmp_path), [event("a.png", "smile", 1), event("b.png", "smile", 1)])
    assert shown(wall) == [("smile", 0, [1]), ("smile", 0, [1])]


def test_an_image_that_was_drawn_again_is_shown_once_and_one_that_is_gone_not_at_all(tmp_path: Path) -> None:
    draw(tmp_path, "a.png")
    events = [event("a.png", "smile", 1), event("a.png", "smile", 1), event("gone.png", "smile", 2)]

    assert shown(sample_wall(RunFolder(tmp_path), events)) == [("smile", 0, [1])]


def test_an_event_shows_no_file_from_elsewhere(tmp_path: Path) -> None:
    draw(tmp_path / "run", "a.png")
    Image.new("RGB", (4, 4)).save(tmp_path / "secret.png")
    names = ("../secret.png", str(tmp_path / "secret.png"), "samples/../../secret.png")
    events = [SampleDrawn(path=path) for path in names]
    run = RunFolder(tmp_path / "run")

    assert sample_wall(run, events).rows == ()
    assert titles(other_strips(run, events)) == [("", ["a"])]


def test_images_that_no_event_tells_of_stand_in_strips_by_their_folder(tmp_path: Path) -> None:
    draw(tmp_path, "b_c/2.png", "b_c/1.png", "a/1.png", "x.png", "before_after.png", "told.png")

    strips = other_strips(RunFolder(tmp_path), [event("told.png", "smile", 1)])
    assert titles(strips) == [("", ["x"]), ("a", ["1"]), ("b c", ["1", "2"])]


def test_a_grid_has_rows_by_prompt_and_seed_and_columns_by_epoch_and_weight(tmp_path: Path) -> None:
    record = write_grid(tmp_path, epochs=2, prompts=("mira", "1girl"), seeds=(3, 4), weights=(0.6, 1.0))

    wall = grid_wall(RunFolder(tmp_path), record)

    assert [(row.prompt, row.seed) for row in wall.rows] == [("mira", 3), ("mira", 4), ("1girl", 3), ("1girl", 4)]
    assert wall.columns == (BASE, Column(1, 0.6), Column(1, 1.0), Column(2, 0.6), Column(2, 1.0))


def test_a_grids_picture_that_is_gone_leaves_its_place_empty(tmp_path: Path) -> None:
    record = write_grid(tmp_path, epochs=1, prompts=("mira",), seeds=(3,))
    (tmp_path / "grid" / record.cells[0].path).unlink()

    assert shown(grid_wall(RunFolder(tmp_path), record)) == [("mira", 3, [1])]


def test_of_many_columns_the_base_the_first_the_last_and_the_chosen_stay() -> None:
    found = thinned(wide(2, 200), [Column(77, 1.0)], most=20)

    epochs = [column.epoch for column in found.columns]
    assert found.num_pictures <= 20
    assert {0, 1, 77, 200} <= set(epochs)
    assert len(epochs) == 10
    assert found.left_out == 2 * 201 - 20


def test_of_many_rows_some_are_left_out_rather_than_all_columns() -> None:
    found = thinned(wide(100, 10), most=60)

    assert (len(found.rows), len(found.columns)) == (10, 6)
    assert found.left_out == 1100 - 60


def test_few_images_stay_as_they_are() -> None:
    assert thinned(wide(2, 3)) == wide(2, 3)
