"""All pictures of a grid in one: a row for each prompt and seed, a column for each epoch and weight, the base first."""

from __future__ import annotations

import io
from collections.abc import Sequence
from dataclasses import dataclass
from textwrap import wrap
from typing import TypeAlias

from PIL import Image, ImageDraw, ImageFont

from advisor.choosing.cells import BASE_EPOCH, Cell
from advisor.dataset.picture_file import opened_picture
from advisor.run_folder.grids.grid_paths import GridPaths
from advisor.run_folder.write_over import NewFile, write_over
from advisor.run_folder.written import WrittenFiles
from advisor.shown_text import visible_line
from trainer.evaluate.cells import picture_of

MOST_SIDE_PX = 256
"""Larger pictures are shown so small here."""
LEAST_SIDE_PX = 128
MOST_SHEET_PX = 16_000
"""Of either side; pictures get smaller in larger grids."""
GAP_PX = 6
FONT_PX = 16
LABEL_PX = 220
"""The width of the prompts' column."""
WHITE, BLACK, GREY = "white", "black", "#666666"

Column: TypeAlias = tuple[int, float]
"""Epoch and weight."""
Row: TypeAlias = tuple[int, int]
"""The prompt's number and the seed."""


def write_sheet(cells: Sequence[Cell], prompts: Sequence[str], folder: GridPaths) -> None:
    """Put all pictures into `grid.png`; a file of that name which is not as it was written is kept beside it first.

    Raises:
        RunError: it cannot be written.
        OSError: a picture cannot be read.
    """
    sheet = _Sheet.of(cells, prompts, folder)
    content = io.BytesIO()
    sheet.image().save(content, format="PNG")
    write_over([NewFile(folder.sheet, content.getvalue(), "grid")], WrittenFiles(folder.run), overwrite=True)


@dataclass(frozen=True)
class _Sheet:
    cells: dict[tuple[Column, Row], Cell]
    columns: tuple[Column, ...]
    rows: tuple[Row, ...]
    prompts: tuple[str, ...]
    folder: GridPaths
    side_px: int
    """Of the square that each picture fits into."""

    @classmethod
    def of(cls, cells: Sequence[Cell], prompts: Sequence[str], folder: GridPaths) -> _Sheet:
        placed = {((cell.epoch, cell.weight), (cell.prompt, cell.seed)): cell for cell in cells}
        columns, rows = (tuple(dict.fromkeys(key[axis] for key in placed)) for axis in (0, 1))
        return cls(placed, columns, rows, tuple(prompts), folder, _side(cells, len(columns), len(rows), folder))  # type: ignore[arg-type]

    @property
    def _step(self) -> int:
        return self.side_px + GAP_PX

    def image(self) -> Image.Image:
        top = 2 * FONT_PX + GAP_PX
        size = (LABEL_PX + len(self.columns) * self._step + GAP_PX, top + len(self.rows) * self._step + GAP_PX)
        sheet = Image.new("RGB", size, WHITE)
        draw = ImageDraw.Draw(sheet)
        font = ImageFont.load_default(FONT_PX)
        for number, column in enumerate(self.columns):
            draw.text((LABEL_PX + number * self._step, GAP_PX), _column_title(column), BLACK, font)
        for number, row in enumerate(self.rows):
            self._label(draw, font, row, top + number * self._step)
        for (column, row), cell in self.cells.items():
            with opened_picture(picture_of(cell, self.folder)) as picture:
                small = picture.convert("RGB")
                small.thumbnail((self.side_px, self.side_px))
            sheet.paste(
                small, (LABEL_PX + self.columns.index(column) * self._step, top + self.rows.index(row) * self._step)
            )
        return sheet

    def _label(
        self, draw: ImageDraw.ImageDraw, font: ImageFont.FreeTypeFont | ImageFont.ImageFont, row: Row, y: int
    ) -> None:
        prompt, seed = row
        per_line = max(1, int((LABEL_PX - 2 * GAP_PX) / font.getlength("n")))
        is_first = all(other[0] != prompt for other in self.rows[: self.rows.index(row)])
        lines = wrap(visible_line(self.prompts[prompt]), per_line) if is_first else []
        most = max(1, self.side_px // (FONT_PX + 2) - 1)
        if len(lines) > most:
            lines = [*lines[: most - 1], lines[most - 1][: per_line - 3] + "..."]
        draw.text((GAP_PX, y), "\n".join(lines), BLACK, font, spacing=2)
        draw.text((GAP_PX, y + self.side_px - FONT_PX - 2), f"seed {seed}", GREY, font)


def _column_title(column: Column) -> str:
    epoch, weight = column
    if epoch == BASE_EPOCH:
        return "base model"
    return f"epoch {epoch}" if weight == 1 else f"epoch {epoch} at {weight:g}"


def _side(cells: Sequence[Cell], columns: int, rows: int, folder: GridPaths) -> int:
    """As large as the pictures are, within the limits; at least wide enough for a title."""
    with opened_picture(picture_of(cells[0], folder)) as picture:
        own = max(picture.size)
    fitting = min((MOST_SHEET_PX - LABEL_PX) // columns, MOST_SHEET_PX // rows) - GAP_PX
    return max(1, min(max(own, LEAST_SIDE_PX), MOST_SIDE_PX, fitting))
