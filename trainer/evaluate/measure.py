"""What is measured on each picture of a grid. What the scores mean to a user, and how well each agrees with the truth:
docs/scores.md.

All of it rests on the base model's own networks, on colours and pixels; nothing else has to be there. A picture is
compared with the base model's of the same prompt and seed, with those of the set, and with all of the base model's.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass, field

from torch import Tensor

from advisor.choosing.cells import BASE_EPOCH, PictureScores
from trainer.data.image_files import read_whole
from trainer.evaluate.compare import Comparisons
from trainer.evaluate.drawn import Drawn
from trainer.evaluate.references import References, read_reference
from trainer.evaluate.seen import Seen, Viewer
from trainer.runtime.events import ReportProgress


@dataclass(frozen=True)
class Watch:
    """What follows the measuring, and may break it off."""

    report: ReportProgress = lambda *_: None
    """Gets how many pictures of how many are measured."""
    check: Callable[[], None] = field(default=lambda: None)
    """Called before each picture is read; raises to break off."""


def measure(
    viewer: Viewer, drawn: Drawn, references: References | None, watch: Watch = Watch()
) -> tuple[PictureScores, ...]:
    """The measures of every cell that has a cell of the base model beside it, in the order of the cells.

    Args:
        viewer: its base model must have no adapter attached.
        references: None: there are none, and neither likeness nor copies are looked for.

    Raises:
        DatasetError: a picture cannot be read.
        RunError: the cache cannot be written.
    """
    trained = () if references is None else references.trained
    held_out = () if references is None else references.held_out
    total, done = len(drawn.cells) + len(trained) + len(held_out), 0

    def see(pixels: Tensor) -> Seen:
        nonlocal done
        watch.check()
        seen = viewer.see(pixels)
        done += 1
        watch.report(done, total)
        return seen

    with viewer.ready():
        of_set = [see(read_reference(item)) for item in trained], [see(read_reference(item)) for item in held_out]
        seen = [(cell, see(read_whole(drawn.folder / cell.path))) for cell in drawn.cells]
    base = {(cell.prompt, cell.seed): one for cell, one in seen if cell.epoch == BASE_EPOCH}
    rows = defaultdict[tuple[int, float, int], dict[int, Seen]](dict)
    for cell, one in seen:
        rows[cell.epoch, cell.weight, cell.prompt][cell.seed] = one
    comparisons = Comparisons.of(drawn, base, *of_set)
    return tuple(
        PictureScores(
            cell.epoch, cell.weight, cell.prompt, cell.seed,
            comparisons.scores(cell, one, rows[cell.epoch, cell.weight, cell.prompt]),
        )
        for cell, one in seen
        if (cell.prompt, cell.seed) in base
    )  # fmt: skip
