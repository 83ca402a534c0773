"""The picks of one sitting: which two pictures are shown next, and keeping what was taken. Knows no network."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from threading import Lock

from advisor.choosing.picks import BlindPick, Candidate, Pair, Picked, candidates_of, next_pair, session_length
from advisor.run_folder.grids.grid_record import GridRecord
from advisor.run_folder.grids.picks_file import PickLine, votable

MOST_OPEN = 32
"""Pairs that are shown and not answered, as by tabs that were closed; older ones are forgotten."""


@dataclass(frozen=True)
class Question:
    """Two pictures to choose between, as the page takes them."""

    id: int
    prompt: str
    left: str
    right: str
    """Names of their files."""
    done: int
    """Picks so far, earlier sittings included."""
    wanted: int
    """So many tell enough."""


class VotingSession:
    """One sitting, perhaps in several tabs at once."""

    def __init__(
        self, grid: GridRecord, before: Sequence[BlindPick], keep: Callable[[PickLine], object], seed: int
    ) -> None:
        """Begin a sitting.

        Args:
            before: picks of earlier sittings, which this one goes on from.
            keep: is called with each pick, before it counts.
            seed: of what is shown where.
        """
        self._prompts = grid.prompts
        self._cells = votable(grid)
        self._picks = list(before)
        self._num_before = len(before)
        self._made = list[tuple[Pair, PickLine]]()
        self._keep = keep
        self._rng = random.Random(seed)
        self._open = dict[int, Pair]()
        self._number = 0
        self._lock = Lock()
        self.wanted = session_length(len(candidates_of(self._cells)))

    @property
    def picks(self) -> tuple[BlindPick, ...]:
        """All that count, oldest first."""
        return tuple(self._picks)

    @property
    def pictures(self) -> frozenset[str]:
        """The names of all files that may be shown."""
        return frozenset(Path(cell.path).name for cell in self._cells)

    def question(self) -> Question | None:
        """The next two pictures; None where there are none to choose between."""
        with self._lock:
            shown = [_blind(pair, "equal") for pair in self._open.values()]
            pair = next_pair(self._cells, [*self._picks, *shown], self._rng)
            return None if pair is None else self._opened(pair)

    def answer(self, number: int, picked: Picked) -> bool:
        """Keep a pick; False: that question was answered already, or never asked.

        Raises:
            RunError: it cannot be kept.
        """
        with self._lock:
            pair = self._open.get(number)
            if pair is None:
                return False
            line = PickLine.now(pair.left, pair.right, picked)
            self._keep(line)
            del self._open[number]
            self._made.append((pair, line))
            self._picks.append(_blind(pair, picked))
            return True

    def undo(self) -> Question | None:
        """Take the last pick of this sitting back, and ask it again; None: there is none.

        Raises:
            RunError: that cannot be kept.
        """
        with self._lock:
            if not self._made:
                return None
            pair, line = self._made[-1]
            self._keep(line.undone())
            self._made.pop()
            self._picks.pop()
            return self._opened(pair)

    def _opened(self, pair: Pair) -> Question:
        self._number += 1
        self._open[self._number] = pair
        for old in list(self._open)[:-MOST_OPEN]:
            del self._open[old]
        left, right = (Path(cell.path).name for cell in (pair.left, pair.right))
        prompt = self._prompts[pair.left.prompt]
        return Question(self._number, prompt, left, right, len(self._picks), self.wanted)


def _blind(pair: Pair, picked: Picked) -> BlindPick:
    left, right = (Candidate(cell.epoch, cell.weight) for cell in (pair.left, pair.right))
    return BlindPick(left, right, picked, (pair.left.prompt, pair.left.seed))
