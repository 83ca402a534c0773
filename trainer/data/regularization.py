"""Regularization pictures: pictures of the class, shown as often as those of the subject, so that the base model does
not forget what it knew of the class. Their loss is weighed by `loss.prior_weight`; they lie in the same buckets and are
mixed into the same batches, as in kohya's trainer.
"""

from __future__ import annotations

from collections.abc import Sequence


def matched_repeats(own: Sequence[int], wanted: int) -> tuple[int, ...]:
    """Repeats of pictures that together are shown `wanted` times, by kohya's rule.

    In order, each as often as its folder says until there are enough (one folder's repeats may go a little beyond);
    where all together are too few, each once more in turn.

    Args:
        own: repeats by their folders' names.
        wanted: showings of the subject's pictures in an epoch.
    """
    repeats, total = [0] * len(own), 0
    for place, number in enumerate(own):
        if total >= wanted:
            break
        repeats[place] = number
        total += number
    if own and total < wanted:
        each, rest = divmod(wanted - total, len(own))
        repeats = [number + each + (1 if place < rest else 0) for place, number in enumerate(repeats)]
    return tuple(repeats)
