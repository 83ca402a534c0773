"""At the end of a training that drew pictures: the grid that fits into a share of its time, drawn and judged."""

from __future__ import annotations

import statistics
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from itertools import pairwise
from pathlib import Path

from advisor.choosing.cells import BASE_EPOCH, Choice
from advisor.errors import RunError
from advisor.machine.probe import probe_hardware
from advisor.run_folder.events import AnyEvent, SampleDrawn, Started
from advisor.run_folder.grids.picks_file import read_picks
from advisor.run_folder.layout import RunFolder
from advisor.settings.config import TrainingConfig
from advisor.units import duration
from wizard.interview.drawing.grid_loras import loras_by_epoch, thinned
from wizard.interview.drawing.grid_options import GridWish
from wizard.interview.drawing.grid_plan import GridPlan, plan_of_run, with_further
from wizard.output import say
from wizard.own_command import own_command
from wizard.processes.grid_job import run_grid
from wizard.processes.trainer_job import TrainerJob
from wizard.show.grid_view import choice_document
from wizard.show.screen import Screen

MOST_SHARE = 0.15
"""Of the time that the training took; as much again where that does not tell which epoch is the best."""
LEAST_SECONDS = 60.0
"""So much is spent on it however short the training was; as much again in the same case."""
SEEDS = (3, 2)
"""As many as there is time for; a single one has no error that could be told."""
NOTHING_PICKED = GridWish()
LEAST_EPOCHS = 4
"""Fewer do not show where it became good, and where it burnt."""


@dataclass(frozen=True)
class Recommended:
    """What to use of a training."""

    choice: Choice
    lora: Path | None
    """The LoRA's file of the epoch to use; None: none is recommended."""


def recommendation_document(found: Recommended | None, run: RunFolder, loras: Sequence[str]) -> dict[str, object]:
    """What `--json` says of it beside the training.

    Args:
        loras: all that were saved, within the run, the last one last.
    """
    choice = None if found is None else choice_document(found.choice)
    use = None if found is None or found.lora is None else run.within(found.lora)
    return {"choice": choice, "use": use or next(reversed(loras), None)}


def recommended(job: TrainerJob, config: TrainingConfig, seconds: float, screen: Screen) -> Recommended | None:
    """Draw with the epochs of a run that is over, and choose one; None where no pictures were drawn while it trained.

    Whoever calls holds the run's lock.

    Args:
        seconds: that the training took.

    Raises:
        LoraError: drawing failed.
        KeyboardInterrupt: Ctrl-C; what was drawn is kept.
    """
    each = seconds_each(job.run.read_events().events) if config.sampling.draws else None
    if each is None:
        return None
    hardware = probe_hardware(job.run.path)
    budget = max(LEAST_SECONDS, MOST_SHARE * seconds)
    smaller_and_smaller = wishes(tuple(loras_by_epoch(job.run, config)), picked_grid(job.run))
    plan = within(budget, each, smaller_and_smaller, lambda wish: plan_of_run(job, wish, hardware))
    if plan is None:
        say(
            f"Which epoch is the best was not looked at, as that would take more than {duration(budget)}: "
            f"{own_command('grid', job.run.as_given)} does it."
        )
        return None
    plan = with_further(plan, 2 * budget, each)
    say(drawing_sentence(plan, each))
    return by_grid(job, config, plan, screen)


def drawing_sentence(plan: GridPlan, each: float) -> str:
    """What is drawn, and how long that takes where a picture takes `each` seconds."""
    number, further = plan.cost.num_images, plan.request.most_further
    more = f"; up to {further} more, {duration(further * each)}, if these do not tell" if further else ""
    return f"Drawing {number} pictures to see which epoch is the best, about {duration(number * each)}{more} ..."


def by_grid(job: TrainerJob, config: TrainingConfig, plan: GridPlan, screen: Screen) -> Recommended | None:
    """Draw a grid, and choose by it; None where nothing of it can be measured.

    Raises:
        LoraError: drawing failed.
        KeyboardInterrupt: Ctrl-C; what was drawn is kept.
    """
    drawn = run_grid(plan.request, screen, gpu_uuid=plan.gpu_uuid, place=job.place, interrupts=job.interrupts)
    choice = drawn.choice
    if choice is None:
        return None
    lora = None if choice.epoch is None else loras_by_epoch(job.run, config).get(choice.epoch)
    return Recommended(choice, lora)


def seconds_each(events: Iterable[AnyEvent]) -> float | None:
    """How long a picture took while training, by the time between two of the same epoch; None: none were drawn.

    Those of the last start count.
    """
    drawn = list[SampleDrawn]()
    for event in events:
        if isinstance(event, Started):
            drawn = []
        elif isinstance(event, SampleDrawn):
            drawn.append(event)
    gaps = [
        after.unix_seconds - before.unix_seconds for before, after in pairwise(drawn) if after.epoch == before.epoch
    ]
    return max(0.0, statistics.median(gaps)) if gaps else None


def within(
    budget: float, each: float, wishes: Iterable[GridWish], plan_for: Callable[[GridWish], GridPlan]
) -> GridPlan | None:
    """The first grid that fits into memory and takes no more than `budget` seconds; None: none does.

    Args:
        each: seconds a picture.
    """
    for wish in wishes:
        plan = plan_for(wish)
        if plan.cost.fits and plan.cost.num_images * each <= budget:
            return plan
    return None


def wishes(epochs: Sequence[int], picked: GridWish = NOTHING_PICKED) -> Iterable[GridWish]:
    """From the largest grid to the smallest: fewer seeds first, then fewer epochs.

    Args:
        epochs: all that have a LoRA, in order.
        picked: what an earlier grid was drawn with, where its picks are to go on counting.
    """
    shown = thinned(epochs)
    for seeds in (picked.seeds, *SEEDS) if picked.seeds > SEEDS[0] else SEEDS:
        yield replace(picked, epochs=shown, seeds=seeds)
    for most in range(len(shown) - 1, LEAST_EPOCHS - 1, -1):
        yield replace(picked, epochs=thinned(epochs, most), seeds=SEEDS[-1])


def picked_grid(run: RunFolder) -> GridWish:
    """What the run's grid was drawn with, where the user has picked among its pictures."""
    grid = run.known_grid()
    with suppress(RunError):
        if grid is not None and read_picks(run.grid.picks).among(grid.cells):
            weights = sorted({cell.weight for cell in grid.cells if cell.epoch != BASE_EPOCH})
            return GridWish(prompts=grid.prompts, weights=tuple(weights), seeds=len(grid.seeds))
    return NOTHING_PICKED
