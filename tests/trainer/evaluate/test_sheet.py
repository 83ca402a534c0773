from __future__ import annotations

from pathlib import Path

from PIL import Image

from advisor.choosing.cells import Cell
from advisor.run_folder.grids.grid_paths import GridPaths
from trainer.evaluate.sheet import GAP_PX, LABEL_PX, MOST_SHEET_PX, write_sheet

COLOURS = {0: (255, 0, 0), 1: (0, 255, 0), 2: (0, 0, 255)}


def cells_of(folder: GridPaths, *, epochs: int = 3, prompts: int = 2, seeds: int = 2, side: int = 128) -> list[Cell]:
    """A picture of one colour for each epoch."""
    folder.pictures.mkdir(parents=True)
    found = []
    for epoch in range(epochs):
        key = f"{epoch:064x}"
        Image.new("RGB", (side, side), COLOURS.get(epoch, (9, 9, 9))).save(folder.picture(key))
        found += [
            Cell(epoch, float(epoch > 0), prompt, seed, f"pictures/{key}.png")
            for prompt in range(prompts)
            for seed in range(seeds)
        ]
    return found


def test_each_picture_stands_in_the_column_of_its_epoch_and_the_row_of_its_prompt_and_seed(tmp_path: Path) -> None:
    folder = GridPaths.alone(tmp_path)
    write_sheet(cells_of(folder), ("zuvi, smile", "a park"), folder)

    with Image.open(folder.sheet) as sheet:
        step = 128 + GAP_PX
        assert sheet.width == LABEL_PX + 3 * step + GAP_PX
        top = sheet.height - GAP_PX - 4 * step
        for column, colour in COLOURS.items():
            for row in range(4):
                middle = (LABEL_PX + column * step + 64, top + row * step + 64)
                assert sheet.getpixel(middle) == colour
        labels = [sheet.crop((0, top + row * step, LABEL_PX - GAP_PX, top + (row + 1) * step)) for row in range(4)]
    assert all(label.getextrema() != ((255, 255),) * 3 for label in labels)


def test_what_is_missing_is_left_white(tmp_path: Path) -> None:
    folder = GridPaths.alone(tmp_path)
    cells = cells_of(folder)
    write_sheet([*cells[:4], *cells[5:]], ("zuvi", "a park"), folder)

    with Image.open(folder.sheet) as sheet:
        step = 128 + GAP_PX
        assert sheet.getpixel((LABEL_PX + step + 64, sheet.height - GAP_PX - 4 * step + 64)) == (255, 255, 255)


def test_a_large_grid_has_smaller_pictures_and_letters_that_cannot_be_drawn_do_no_harm(tmp_path: Path) -> None:
    folder = GridPaths.alone(tmp_path)
    cells = cells_of(folder, epochs=2, prompts=4, seeds=40, side=512)
    write_sheet(cells, ("猫, \x1b[31m\u202e" + "very long " * 60, "b", "c", "d"), folder)

    with Image.open(folder.sheet) as sheet:
        assert sheet.height <= MOST_SHEET_PX + 100


def test_a_sheet_that_was_drawn_on_or_is_the_users_stays_beside_the_new_one(tmp_path: Path) -> None:
    folder = GridPaths.alone(tmp_path / "grid")
    cells = cells_of(folder)
    folder.sheet.write_bytes(b"my own picture")
    for _ in range(2):
        write_sheet(cells, ("zuvi", "a park"), folder)
    kept = folder.path / "grid.png.bak"
    assert kept.read_bytes() == b"my own picture"

    folder.sheet.write_bytes(folder.sheet.read_bytes() + b"edited")
    write_sheet(cells, ("zuvi", "a park"), folder)

    assert kept.with_name("grid.png.bak2").read_bytes().endswith(b"edited")
    assert sorted(one.name for one in folder.path.iterdir()) == [
        "grid.png",
        "grid.png.bak",
        "grid.png.bak2",
        "pictures",
    ]
