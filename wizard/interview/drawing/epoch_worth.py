"""What an epoch of a training that goes on is worth, by a small grid: how trials of a sweep are told apart early."""

from __future__ import annotations

from advisor.choosing.averages import Averages
from advisor.choosing.standing import standings
from advisor.dataset.captions import has_word
from advisor.errors import RunError
from advisor.machine.probe import probe_hardware
from advisor.run_folder.grids.grid_record import GridRecord
from wizard.interview.drawing.grid_options import GridWish
from wizard.interview.drawing.grid_plan import USUAL_WEIGHTS, plan_of_run
from wizard.processes.grid_job import run_grid
from wizard.processes.trainer_job import TrainerJob
from wizard.show.screen import Screen

SEEDS = 2
"""Of each prompt; more are drawn at the end of those that went on."""


def epoch_worth(job: TrainerJob, epoch: int, screen: Screen) -> float:
    """Draw with an epoch's LoRA, and give what it is worth, 0 to 1, by which the epoch to use is chosen at the end too.

    Whoever calls holds the run's lock.

    Raises:
        LoraError: drawing failed, or nothing of it can be measured.
        KeyboardInterrupt: Ctrl-C; what was drawn is kept.
    """
    plan = plan_of_run(job, GridWish(epochs=(epoch,), seeds=SEEDS), probe_hardware(job.run.path))
    return worth_in(run_grid(plan.request, screen, gpu_uuid=plan.gpu_uuid, place=job.place), epoch)


def worth_in(record: GridRecord, epoch: int) -> float:
    """What a grid says that an epoch at full weight is worth.

    Raises:
        RunError: nothing of it was measured.
    """
    trigger = record.trigger.strip()
    asked = [number for number, prompt in enumerate(record.prompts) if not trigger or has_word(prompt, trigger)]
    for one in standings(Averages.of(record.picture_scores, asked)):
        if (one.epoch, one.weight) == (epoch, USUAL_WEIGHTS[0]):
            return one.worth[0]
    raise RunError(f"what epoch {epoch} is worth cannot be told: no picture of it could be compared with the data set")
