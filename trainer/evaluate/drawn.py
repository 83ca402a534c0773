"""A drawn grid, and which of its prompts ask for what."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from advisor.choosing.cells import Cell
from advisor.dataset.captions import SEPARATOR, has_word


@dataclass(frozen=True)
class Drawn:
    """The pictures of a grid."""

    cells: Sequence[Cell]
    """All of them; those of the base model too."""
    prompts: Sequence[str]
    folder: Path
    """What the cells' paths are relative to."""
    trigger: str = ""
    """The word that asks for the character; empty: none is known, and all prompts are taken to ask for it."""

    def calls(self, prompt: int) -> bool:
        """Whether a prompt asks for the character."""
        return not self.trigger.strip() or has_word(self.prompts[prompt], self.trigger)

    def asks_more(self, prompt: int) -> bool:
        """Whether a prompt asks for anything beside the character."""
        return self.prompts[prompt].strip(f"{SEPARATOR} ").casefold() not in ("", self.trigger.strip().casefold())
