"""A run of a list, trained without anybody who could be asked: for `loracle train A B C` and for the queue."""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path

from advisor.errors import LoraError
from advisor.files import is_file
from advisor.run_folder.events import Finished
from advisor.run_folder.layout import RunFolder
from advisor.run_folder.lock import writing
from advisor.settings.config import TrainingConfig
from advisor.units import counted
from wizard.commands.train import Trained, print_trained, recorded, result_document, trained_before
from wizard.exit_codes import INTERRUPTED, tell_failure
from wizard.interview.pictures.changed_pictures import tell_pictures
from wizard.output import OutputLost, say
from wizard.processes.before_training import finished_text, refuse_begun
from wizard.processes.interrupt_count import InterruptCount
from wizard.processes.more_epochs import epochs_done, set_epochs
from wizard.processes.run_status import read_status
from wizard.processes.run_store import RunStore
from wizard.processes.shared_cache import share_cache
from wizard.processes.slots import Slot
from wizard.processes.trainer_job import planned_job
from wizard.show.list_summary import RunOutcome
from wizard.show.notice import announced_end


@dataclass(frozen=True)
class ListedOptions:
    """The options of `loracle train` that hold for each run of a list."""

    resume: bool = False
    """Runs that were begun are gone on with; else they are refused."""
    epochs: int | None = None
    """In all; None: as many as are planned."""
    skip_broken: bool = False
    device: str | None = None
    cache_from: Path | None = None
    """A run whose encoded pictures and captions are used where they fit."""
    slot: Slot | None = None
    """Where it is trained; None: where it was planned."""
    interrupts: InterruptCount | None = None
    """Counts the requests to end it, where it is trained by a thread of its own."""
    begun_at: float | None = None
    """When its turn came first, in unix seconds: a training that ended since is this one, though its last state may not
    have been saved."""


def train_listed(run: Path, options: ListedOptions, *, what: str, as_json: bool) -> RunOutcome:
    """Train a run, if it has not all that it was planned for, and tell what came of it.

    Args:
        what: the command, as others are told who works on the run.
        as_json: nothing is printed on stdout.

    Raises:
        LoraError, TrainerBroke, KeyboardInterrupt: as `loracle train` of it alone.
    """
    began = time.monotonic()
    gpu = None if options.slot is None else options.slot.gpu
    given = None if gpu is None else gpu.uuid
    job, config = planned_job(run, device=options.device, skip_broken=options.skip_broken, gpu_uuid=given)
    with writing(job.run, what, say) as place:
        RunStore().remember(job.run.path)
        if options.epochs is not None:
            if epochs_done(job.run) < options.epochs:
                planned = job.run.read_config()
                config = set_epochs(job.run, planned, options.epochs)
                if (wanted := planned.schedule.epochs) != options.epochs:
                    mark = "! " if wanted > options.epochs else ""
                    told = f"{job.run.config} wanted {counted(wanted, 'epoch')}; {options.epochs} were asked for here"
                    say(f"{mark}{told}")
            elif config.schedule.epochs > options.epochs:
                say(f"{job.run.path} has {counted(options.epochs, 'epoch')} already; more are planned.")
                before = trained_before(job.run, config, read_status(job.run))
                return _outcome(job.run, before, began, was_trained=False)
        if not options.resume and options.epochs is None:
            refuse_begun(job.run)
        elif (finished := _finished(job.run, config, options)) is not None:
            say(f"{job.run.path} has all its epochs already.")
            return _outcome(job.run, finished, began, was_trained=False)
        tell_pictures(job.run, config, None)
        if options.cache_from is not None:
            share_cache(RunFolder(options.cache_from), job.run)
        sharing = 1 if options.slot is None else options.slot.sharing
        resume = job.run.has_state()
        job = replace(job, resume=resume, place=place, sharing=sharing, interrupts=options.interrupts)
        with announced_end(config.saving.name):
            trained = recorded(job, config, as_json=as_json, may_ask=False)
    if not as_json:
        try:
            print_trained(job.run, trained)
        except OutputLost as lost:
            say(f"! All is trained and saved, but not told: {lost}")
    return _outcome(job.run, trained, began, was_trained=True)


def outcome_of(run: Path, train: Callable[[], RunOutcome], *, passing: tuple[type[Exception], ...] = ()) -> RunOutcome:
    """What `train` gives; where it fails, or the user ends it, that is told and is what came of the run.

    Args:
        passing: errors that are left to who calls.

    Raises:
        BrokenPipeError: what read the output has gone.
    """
    began = time.monotonic()
    try:
        return train()
    except KeyboardInterrupt as interrupted:
        message = str(interrupted) or "Interrupted."
        say(message)
        return replace(_failed(run, INTERRUPTED, message, began), outcome="interrupted", was_ended=True)
    except BrokenPipeError:
        raise
    except Exception as error:
        if isinstance(error, passing):
            raise
        code = tell_failure(error)
        return _failed(run, code, str(error) or type(error).__name__, began)


def _failed(run: Path, code: int, message: str, began: float) -> RunOutcome:
    seconds, step = time.monotonic() - began, 0
    with suppress(LoraError, OSError):
        step = read_status(RunFolder.given(run)).progress.step
    return RunOutcome(run, "failed", exit_code=code, message=message, steps=step, seconds=seconds)


def _finished(run: RunFolder, config: TrainingConfig, options: ListedOptions) -> Trained | None:
    """What came of a run that has all that it was planned for, or more epochs than are asked for; None where it has
    not, or its last LoRA may not have been checked.
    """
    status = read_status(run)
    if options.epochs is not None and options.epochs < config.schedule.epochs:  # set already where it has fewer
        return trained_before(run, config, status)
    done = status.progress.finished
    if done is None or not is_file(run.lora(config.saving.name)):
        return None
    ended_since = options.begun_at is not None and done.unix_seconds >= options.begun_at
    is_whole = (ended_since and _is_whole(done, config)) or finished_text(run, config)
    return trained_before(run, config, status) if is_whole else None


def _is_whole(done: Finished, config: TrainingConfig) -> bool:
    """Whether a training that ended is as long as is planned by now."""
    schedule = config.schedule
    return done.epochs >= schedule.epochs or (schedule.max_steps > 0 and done.steps >= schedule.max_steps)


def _outcome(run: RunFolder, trained: Trained, began: float, *, was_trained: bool) -> RunOutcome:
    document = result_document(run, trained)
    use = document["use"]
    return RunOutcome(
        run.path,
        "trained" if was_trained else "finished_before",
        steps=trained.progress.step if trained.progress.finished is None else trained.progress.finished.steps,
        lora=run.path / use if isinstance(use, str) else None,
        seconds=time.monotonic() - began,
        was_ended=trained.was_ended,
        result=document,
    )
