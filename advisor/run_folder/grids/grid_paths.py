"""What lies where in the folder of a grid: a run's `grid`, or that of a single LoRA.

grid.json           what was drawn, measured and chosen
grid.png            all pictures in one
pictures/KEY.png    each by what it was made of
picks.jsonl         which of two pictures the user took
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Self

from advisor.run_folder.links import refuse_way_out

RECORD_NAME, SHEET_NAME, PICTURES, PICKS_NAME = "grid.json", "grid.png", "pictures", "picks.jsonl"


@dataclass(frozen=True)
class GridPaths:
    """The folder of a grid: the path of each of its files. Links out of `within` are refused as a run's are."""

    path: Path
    within: Path
    """The run folder; of a single LoRA's grid the folder itself."""

    @classmethod
    def alone(cls, path: Path) -> Self:
        """The folder of a grid that belongs to no run."""
        return cls(path, path)

    @property
    def run(self) -> Path | None:
        """The run that the grid belongs to; None: it is of a single LoRA."""
        return None if self.path == self.within else self.within

    @property
    def record(self) -> Path:
        """What was drawn, measured and chosen."""
        return self._at(RECORD_NAME)

    @property
    def sheet(self) -> Path:
        """All pictures in one."""
        return self._at(SHEET_NAME)

    @property
    def pictures(self) -> Path:
        """The folder of the pictures."""
        return self._at(PICTURES)

    @property
    def picks(self) -> Path:
        """Which of two pictures the user took, one pick a line."""
        return self._at(PICKS_NAME)

    def picture(self, key: str) -> Path:
        """The file of a picture.

        Args:
            key: what it was made of, as 64 hexadecimal digits.
        """
        return self._at(f"{PICTURES}/{key}.png")

    def _at(self, name: str) -> Path:
        path = self.path / name
        refuse_way_out(self.within, path)
        return path
