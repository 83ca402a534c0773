"""How far a grid is drawn on that does not tell which epoch is the best.

Further pictures tell more of the likeness, which errs most (docs/decisions/0039-which-epoch.md): so the prompts that
ask for the character get more seeds, at every epoch, until the epoch that is taken is likely the right one, or as much
is drawn as may be (docs/decisions/0057-more-seeds-where-unsure.md).
"""

from __future__ import annotations

from dataclasses import dataclass

from advisor.choosing.cells import MOST_SEEDS, Choice, Verdict
from advisor.choosing.pick import LIKELY

BETWEEN_EPOCHS: frozenset[Verdict] = frozenset({"good", "tied", "unsure"})
"""Verdicts on which epoch it is; after the others it is trained anew, whichever epoch is the best."""


@dataclass(frozen=True)
class Further:
    """What may be drawn beyond a grid."""

    seeds: int
    """Of each prompt, as the grid is drawn at first."""
    images_each: int
    """Pictures of one more seed: at each epoch and weight and of the base model, at each prompt with the trigger."""
    most_images: int
    """Beyond those of the first seeds."""

    def seeds_after(self, number: int, choice: Choice | None) -> int:
        """How many seeds each prompt with the trigger is to have: twice as many, or what is left; the same: enough.

        Args:
            number: of those that it has.
            choice: by these; None: none can be made.
        """
        if not is_unsure(choice) or not self.images_each:
            return number
        left = self.most_images // self.images_each - (number - self.seeds)
        return max(number, min(2 * number, number + left, MOST_SEEDS))


def is_unsure(choice: Choice | None) -> bool:
    """Whether the epoch that is taken is less likely as good as the best than any that is called so."""
    return choice is not None and choice.verdict in BETWEEN_EPOCHS and choice.confidence < LIKELY
