"""`loracle train`: the training, then how to use the LoRA and where to copy it.

Start-up is measured: what comes after the training (receipt, report, questions) is imported then.
"""

from __future__ import annotations

import shutil
import sys
import time
from collections.abc import Mapping
from contextlib import closing
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from advisor.errors import BrokenImages, LoraError
from advisor.families import KNOWN_FAMILIES
from advisor.files import is_file, replacing
from advisor.machine.probe import probe_hardware
from advisor.run_folder.layout import RunFolder
from advisor.run_folder.lock import writing
from advisor.run_folder.place import RunPlace
from advisor.settings.config import TrainingConfig
from advisor.units import duration
from templates.report.usage import WEIGHT
from wizard.interview.copy_lora import offer_copy, usage
from wizard.interview.go_on import GoingOn, asked_to_go_on
from wizard.interview.lora_folders import lora_folders, program_of
from wizard.interview.pictures.changed_pictures import tell_pictures
from wizard.output import OutputLost, is_terminal, print_json, say, show
from wizard.own_command import own_command
from wizard.processes.after_training import tried
from wizard.processes.before_training import finished_text, refuse_begun, refuse_known_broken
from wizard.processes.disk_check import disk_warning
from wizard.processes.more_epochs import set_epochs
from wizard.processes.retry_on_oom import train_with_retries
from wizard.processes.run_status import read_status
from wizard.processes.run_store import RunStore
from wizard.processes.trainer_job import TrainerJob, planned_job
from wizard.show.notice import announced_end
from wizard.show.progress import TrainingProgress, training_document
from wizard.show.screen import make_screen
from wizard.user_data import remember, remembered

if TYPE_CHECKING:
    from advisor.choosing.cells import SettingValue
    from trainer.ranks.rendezvous import Rendezvous
    from wizard.interview.drawing.evaluation import Recommended
    from wizard.interview.questions import Ask
    from wizard.processes.process_options import ProcessOptions
    from wizard.show.run_view import RunStatus


@dataclass(frozen=True)
class Trained:
    """What came of a training."""

    progress: TrainingProgress
    found: Recommended | None = None
    """The epoch to use; None: not looked for, or not found."""
    was_ended: bool = False
    """The user ended it while that was looked for."""


def train(
    run: Path,
    *,
    resume: bool = False,
    epochs: int | None = None,
    skip_broken: bool = False,
    device: str | None = None,
    processes: ProcessOptions | None = None,
    rendezvous: Rendezvous | None = None,
    as_json: bool = False,
) -> None:
    """Train, write receipt and report, then print how to use the LoRA and offer to copy it.

    Args:
        epochs: in all; written into the run's loracle.toml. A run with a state then resumes.
        skip_broken: leave out pictures that cannot be decoded; without it the user is asked, in a terminal.
        processes: which cards, or how many processes, train it together; None: one.
        rendezvous: where it meets processes that others have started; nobody is asked anything then. None: none are.

    Raises:
        LoraError: the run or its configuration is wrong, another process works on it, or training stopped itself.
        KeyboardInterrupt: Ctrl-C, after the work was saved.
    """
    gpu_uuid = None if rendezvous is None else ""  # each process finds its own card
    job, config = planned_job(run, device=device, resume=resume, skip_broken=skip_broken, gpu_uuid=gpu_uuid)
    job = replace(job, rendezvous=rendezvous)
    may_ask = is_terminal() and not as_json and rendezvous is None
    if processes is not None and processes.is_given:
        job = _in_processes(job, config, processes)
    with writing(job.run, "loracle train", say) as place:
        RunStore().remember(job.run.path)
        wish = GoingOn(resume, epochs)
        if wish == GoingOn() and may_ask:
            wish = _asked(job.run, config)
            place.check()
        if wish == GoingOn():
            refuse_begun(job.run)
        # With others a trainer is started all the same, which tells them to end.
        if wish == GoingOn(resume=True) and rendezvous is None and _told_finished(job.run, config, as_json=as_json):
            return
        if wish.epochs is not None:
            config = set_epochs(job.run, job.run.read_config(), wish.epochs)
        tell_pictures(job.run, config, _terminal_ask if may_ask else None)
        resume = wish.resume or (wish.epochs is not None and job.run.has_state())
        job = replace(job, resume=resume, place=place)
        with announced_end(config.saving.name):
            trained = recorded(job, config, as_json=as_json, may_ask=may_ask)
    try:
        if as_json:
            print_json(result_document(job.run, trained))
        else:
            print_result(job, config, trained, may_ask=may_ask)
    except OutputLost as lost:
        say(f"! All is trained and saved, but not told: {lost}")


def _in_processes(job: TrainerJob, config: TrainingConfig, options: ProcessOptions) -> TrainerJob:
    from wizard.processes.several_processes import job_in_processes

    job, told = job_in_processes(job, config, options, probe_hardware(job.run.path))
    for sentence in told:
        say(f"{sentence}.")
    return job


def result_document(run: RunFolder, trained: Trained) -> dict[str, object]:
    """The document of `train --json`."""
    from wizard.interview.drawing.evaluation import recommendation_document

    progress = trained.progress
    return training_document(progress) | recommendation_document(trained.found, run, progress.loras)


def _told_finished(run: RunFolder, config: TrainingConfig, *, as_json: bool) -> bool:
    """Whether a run has all that it was planned for, which is then told; a trainer would find the same.

    One that ended after its last LoRA and before its last event, or whose events are lost, is left to a trainer: that
    LoRA may not have been checked.
    """
    told = finished_text(run, config)
    if not told:
        return False
    status = read_status(run)
    if status.progress.finished is None:
        return False
    if not as_json:
        say(f"{told}.")
        return True
    print_json(result_document(run, trained_before(run, config, status)))
    return True


def trained_before(run: RunFolder, config: TrainingConfig, status: RunStatus) -> Trained:
    """What came of a training that ended earlier."""
    from wizard.interview.drawing.evaluation import Recommended
    from wizard.interview.drawing.grid_loras import loras_by_epoch

    found = None
    if status.choice is not None:
        found = Recommended(status.choice, loras_by_epoch(run, config).get(status.choice.epoch or 0))
    return Trained(status.progress, found)


def _asked(run: RunFolder, config: TrainingConfig) -> GoingOn:
    """What the user answers where the run was begun.

    Raises:
        LoraError: they do not want to go on.
    """
    if not run.has_state():
        return GoingOn()
    return asked_to_go_on(run, config, _terminal_ask())


def _terminal_ask() -> Ask:
    from wizard.interview.ask import TerminalAsk

    return TerminalAsk()


def recorded(job: TrainerJob, config: TrainingConfig, *, as_json: bool, may_ask: bool) -> Trained:
    """Train and look which epoch to use, then write receipt and report, however it ended.

    Args:
        may_ask: the user may be asked whether to go on without broken pictures.

    Raises:
        LoraError: as `train`.
        KeyboardInterrupt: Ctrl-C, after the work was saved; what it says tells how to go on.
    """
    if (warning := disk_warning(job.run)) is not None:
        say(warning)
    began = time.time()
    try:
        progress = _trained(job, config, as_json=as_json, may_ask=may_ask)
        return _looked_at(job, config, progress, as_json=as_json)
    except KeyboardInterrupt as interrupted:
        raise KeyboardInterrupt(f"{interrupted}{_how_to_resume(job.run)}") from None
    finally:
        _write_records(job, config, since=began)


def _trained(job: TrainerJob, config: TrainingConfig, *, as_json: bool, may_ask: bool) -> TrainingProgress:
    """Train; where the user may be asked, ask whether to go on without broken pictures.

    Raises:
        BrokenImages: there are some, and the user did not agree to leave them out.
    """
    try:
        if not job.skip_broken:
            refuse_known_broken(job.run, config)
        return train_with_retries(job, make_screen(as_json=as_json))
    except BrokenImages as error:
        if not may_ask:
            raise
        from wizard.interview.questions import skip_broken_question

        say(str(error))
        if _terminal_ask()(skip_broken_question()) != "yes":
            raise BrokenImages("Nothing was trained.") from None
    return train_with_retries(replace(job, skip_broken=True), make_screen(as_json=as_json))


def _looked_at(job: TrainerJob, config: TrainingConfig, progress: TrainingProgress, *, as_json: bool) -> Trained:
    """With the epoch to use; without it where no pictures were drawn, drawing failed, or the user ended it."""
    if progress.finished is None or not config.sampling.draws:
        return Trained(progress)
    from wizard.interview.drawing.evaluation import recommended

    seconds, screen = progress.finished.seconds or 0.0, make_screen(as_json=as_json)
    try:
        found = tried("Which epoch is the best is not known", lambda: recommended(job, config, seconds, screen))
        return Trained(progress, found)
    except KeyboardInterrupt as interrupted:
        say(f"{interrupted}: {own_command('grid', job.run.as_given)}" if str(interrupted) else "Not looked at.")
        return Trained(progress, was_ended=True)


def _write_records(job: TrainerJob, config: TrainingConfig, *, since: float) -> None:
    """Write receipt and report, unless the run was moved away meanwhile; their errors are printed."""
    if job.place is not None and not job.place.is_there:
        return
    from wizard.processes.measured_runs import save_run_receipt
    from wizard.show.run_report import try_run_report

    tried("What this run took is not remembered", partial(save_run_receipt, job, config, since=since))
    tried("No report was written", partial(try_run_report, job.run))


def _how_to_resume(run: RunFolder) -> str:
    """The command that resumes; empty where no state was saved."""
    return f"\nGo on with: {own_command('train', run.as_given)} --resume" if run.has_state() else ""


def print_result(job: TrainerJob, config: TrainingConfig, trained: Trained, *, may_ask: bool) -> None:
    """Tell what came of a training and how the LoRA is used; where the user may be asked, offer what is next."""
    lora, found = print_trained(job.run, trained), trained.found
    if lora is None:
        return
    copied_to = None
    if may_ask:
        copied_to = tried("The LoRA was not copied", partial(_offer_copy, lora, Path(config.model.path)))
    program = None if copied_to is None else program_of(copied_to)
    base = KNOWN_FAMILIES.get(config.model.family)
    weight = None if found is None else found.choice.weight
    show(usage(lora.name, config.run.trigger or config.saving.name, program, weight=weight or WEIGHT, family=base))
    if found is not None and found.choice.changes:
        offer = partial(_offer_next_run, job.run, config, found.choice.changes, may_ask=may_ask)
        tried("The next run was not planned", offer)


def print_trained(run: RunFolder, trained: Trained) -> Path | None:
    """Tell what came of a training; gives the LoRA to use, None where none was saved."""
    progress, found = trained.progress, trained.found
    if not progress.loras:
        show("Trained, but no LoRA was saved.")
        return None
    lora = run.path / progress.loras[-1]
    seconds = None if progress.finished is None else progress.finished.seconds
    took = "" if seconds is None else f" in {duration(seconds)}"
    steps = f" {progress.step:,} steps{took}" if progress.finished is not None else ""
    show(f"Trained{steps}: {lora}")
    for rung in progress.ladder:
        show(f"{rung.cause or 'Memory ran out on the way.'} It went on with {rung.message}.")
    if is_file(run.report):
        show(f"Report: {run.report}")
    if found is not None:
        show(found.choice.reason)
        lora = found.lora or lora
        if found.lora is not None:
            show(f"Use {found.lora}")
    return lora


def _offer_next_run(
    run: RunFolder, config: TrainingConfig, changes: Mapping[str, SettingValue], *, may_ask: bool
) -> None:
    """Offer to plan the next run; where nobody may be asked, tell how it is planned."""
    from wizard.interview.next_run import next_run_place, plan_command, wants_next_run, write_next_run

    place = next_run_place(run.path)
    if not may_ask:
        show(f"The next run: {plan_command(run.as_given, place, changes)}")
        return
    with closing(RunPlace.of(run.path)) as asked_of:
        if not wants_next_run(_terminal_ask(), config, changes, place):
            return
        asked_of.check()
        write_next_run(run.as_given, place, changes)
        RunStore().remember(place)
        show(f"Written to {place}; train it with: {own_command('train', place)}")


def _offer_copy(lora: Path, base_model: Path) -> Path | None:
    """Offer to copy the LoRA to where pictures are drawn; the folder that it was copied to."""
    folders = lora_folders(
        base_model, remembered("lora_folder"), home=Path.home(), windows=sys.platform == "win32"
    )  # fmt: skip
    folder = offer_copy(_terminal_ask(), lora, folders, copy_file)
    if folder is not None:
        try:
            remember("lora_folder", str(folder.absolute()))
        except LoraError as error:
            say(f"That folder is not remembered for next time: {error}")
    return folder


def copy_file(source: Path, target: Path) -> None:
    """Copy a file atomically.

    Raises:
        RunError: it cannot be written.
    """
    with replacing(target) as temporary:
        shutil.copyfile(source, temporary)
