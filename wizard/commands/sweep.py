"""`loracle sweep`: a run with other values of some settings, each a run of its own, trained by the queue, compared."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from advisor.errors import ConfigError, Mistakes, RunError
from advisor.files import is_file
from advisor.machine.probe import probe_hardware
from advisor.run_folder.layout import RunFolder
from advisor.run_folder.paths import COMPARISON_NAME
from advisor.run_folder.pictures.run_dataset import edits_in
from advisor.run_folder.write_over import Occupied, UsersFiles
from advisor.settings.config import setting, setting_paths
from advisor.units import counted, named
from templates.report.comparison import write_comparison
from wizard.commands.queue_start import ONE_AFTER_ANOTHER, QueueWorker
from wizard.commands.queue_turn import QueueTurns
from wizard.commands.train_several import NotAllTrained, tell_summary
from wizard.interview.next_run import planned_with
from wizard.interview.sweep_trials import Trial, parse_varied, trials_of
from wizard.output import print_json, say, show
from wizard.own_command import own_command
from wizard.processes.after_training import tried
from wizard.processes.before_training import finished_text
from wizard.processes.list_ending import ending_interrupts
from wizard.processes.process_options import ProcessOptions
from wizard.processes.queue_store import QueueStore
from wizard.processes.queue_worker import worker_at_work
from wizard.processes.run_store import RunStore
from wizard.processes.slots import Slots, slots_asked_for
from wizard.processes.trainer_job import is_on_processor, refuse_device
from wizard.show.list_summary import RunOutcome, list_exit_code, outcome_row
from wizard.show.queue_view import QueueOptions

OF_THE_RUN = ("dataset.images", "model.path", "run.trigger")
"""Settings in which a trial that is there shows whose it is."""
ELSEWHERE = "choose another folder with --out, or move it away"


@dataclass(frozen=True)
class SweepOptions:
    """The options of `loracle sweep`."""

    vary: tuple[str, ...] = ()
    trials: int | None = None
    """Only so many of the combinations."""
    out: Path | None = None
    """The folder of the trials; None: beside the run, named for it."""
    add_only: bool = False
    """They are put into the queue, and not trained here."""
    skip_broken: bool = False
    device: str | None = None
    processes: ProcessOptions = ONE_AFTER_ANOTHER
    """Cards, each of which trains a trial at the same time; or so many trials at once on the processor."""


def sweep(run: Path, options: SweepOptions, *, as_json: bool = False) -> None:
    """Plan a run for each combination, put them into the queue, train them, and compare those that are trained.

    The same command again goes on: trials that are there are used, and finished ones are not trained again.

    Raises:
        LoraError: an option is wrong, a trial cannot be planned, another process works on the queue, or some failed.
        KeyboardInterrupt: Ctrl-C, after the work was saved; the trials wait in the queue.
    """
    store, base = QueueStore(), RunFolder.given(run)
    refuse_device(options.device)
    slots = _slots(base, options)
    trials = trials_of(base.path, parse_varied(options.vary), options.trials)
    home = (options.out or base.path.with_name(f"{base.path.name}-sweep")).absolute()
    folders = {trial: home / trial.name for trial in trials}
    _plan(base, folders)
    added = _add(store, base, list(folders.values()), options)
    if not as_json:
        show(f"{counted(len(trials), 'trial')} in {home}; {len(added)} of them to be trained.")
    compare = own_command("report", *folders.values(), "--out", home / COMPARISON_NAME)
    worker = worker_at_work()
    if options.add_only or worker is not None:
        by = (
            f"The queue is worked on by process {worker.pid}"
            if worker
            else f"Train with: {own_command('queue', 'start')}"
        )
        say(f"{by}\nCompare then with: {compare}")
        outcomes = list[RunOutcome]()
    else:
        worked = QueueWorker(QueueTurns(store, as_json=as_json), slots)
        outcomes = _train(worked, set(folders.values()), options, compare=compare)
    page = None if options.add_only or worker else _compare(home, list(folders.values()), compare)
    if as_json:
        print_json(_document(folders, outcomes, page))
    if list_exit_code(outcomes):
        raise NotAllTrained(outcomes)


def _plan(base: RunFolder, folders: Mapping[Trial, Path]) -> None:
    """Write the run folders that are not there yet; all are planned before the first is written.

    Raises:
        LoraError: all that is wrong with them.
    """
    mistakes = Mistakes()
    writes = [mistakes.attempt(partial(_planned, base, trial, place)) for trial, place in folders.items()]
    mistakes.refuse()
    for write in writes:
        if write is None:
            continue
        try:
            write()
        except Occupied as error:
            raise RunError(f"{error.told}. Nothing was written there: {ELSEWHERE}") from None


def _planned(base: RunFolder, trial: Trial, place: Path) -> Callable[[], object] | None:
    """What writes a trial; None where it is there already: what else of the run has changed since is told."""
    folder = RunFolder(place)
    planned = planned_with(base.as_given, place, trial.settings)
    if not is_file(folder.config):
        return planned.write
    config = folder.read_config()
    unlike = [path for path, value in trial.values if setting(config, path) != value]
    unlike += [path for path in OF_THE_RUN if setting(config, path) != setting(planned.config, path)]
    if unlike:
        raise RunError(f"{place} is there and has another {unlike[0]}: {ELSEWHERE}")
    changes = ["the edits of pictures"] if edits_in(folder) != edits_in(base) else []
    changes += [path for path in setting_paths() if setting(config, path) != setting(planned.config, path)]
    if changes:
        say(
            f"! {place} stays as it was planned, though {named(changes)} would be otherwise by now: move it "
            "away to plan it anew, or compare it with that in mind"
        )
    return None


def _add(store: QueueStore, base: RunFolder, folders: Sequence[Path], options: SweepOptions) -> list[Path]:
    """Put those that have not all their epochs, and do not wait already, into the queue."""
    waiting, added = store.open_entries(), list[Path]()
    first = RunFolder(folders[0])
    for place in folders:
        run = RunFolder(place)
        if finished_text(run, run.read_config()) or any(entry.is_of(place) for entry in waiting):
            continue
        # The first trial encodes what the run itself has not: pictures at another size, for one.
        shared = first if place != first.path else base
        store.add(place, QueueOptions(None, options.skip_broken, options.device, shared.path))
        RunStore().remember(place)
        added.append(place)
    return added


def _slots(base: RunFolder, options: SweepOptions) -> Slots | None:
    """Where trials are trained at the same time; None: one after another, or not here.

    Raises:
        LoraError: an option is wrong, or cannot be meant beside another.
    """
    processes = options.processes
    if not processes.is_given:
        return None
    if options.add_only or (worker := worker_at_work()) is not None:
        by = "with --add-only nothing is trained here" if options.add_only else f"the queue is worked on by {worker}"
        raise ConfigError(processes.as_typed[0], processes.as_typed[1], f"leave it out: {by}")
    config = base.read_config()
    processes.refuse_contradictions(on_processor=is_on_processor(config, options.device))
    return slots_asked_for(processes, probe_hardware(base.path), planned=[config.machine.gpu_uuid])


def _train(worker: QueueWorker, places: set[Path], options: SweepOptions, *, compare: str) -> list[RunOutcome]:
    """Work on the queue until nothing waits; what came of the trials.

    Raises:
        KeyboardInterrupt: the user ended it.
    """
    with ending_interrupts():
        try:
            worker.work()
        finally:
            if worker.outcomes and not worker.turns.as_json:
                tell_summary(worker.outcomes, as_json=False)
    if worker.was_ended:
        go_on = own_command("queue", "start", *options.processes.as_typed)
        raise KeyboardInterrupt(f"The sweep was ended. Go on with: {go_on}\nCompare then with: {compare}")
    return [one for one in worker.outcomes if one.run in places]


def _compare(home: Path, folders: Sequence[Path], command: str) -> Path | None:
    """The page of those that are trained; None where there are none, or it could not be written.

    Args:
        command: writes it too.
    """
    trained = [run for place in folders if (run := RunFolder(place)).has_trained()]
    if not trained:
        return None

    def write() -> Path:
        try:
            return write_comparison(trained, page=home / COMPARISON_NAME, tell=say)
        except UsersFiles as error:
            over = f"`{command} --overwrite` takes its place, and first keeps it beside as NAME.bak"
            raise RunError(f"{error.told}: {over}") from None

    page = tried("They are not compared", write)
    if page is not None:
        say(f"Compared: {page}")
    return page


def _document(folders: Mapping[Trial, Path], outcomes: Sequence[RunOutcome], page: Path | None) -> dict[str, object]:
    """The document of `sweep --json`."""
    found = {one.run: outcome_row(one) for one in outcomes}
    trials = [
        {"run": str(place), "settings": dict(trial.values), "outcome": None, **found.get(place, {})}
        for trial, place in folders.items()
    ]
    return {"trials": trials, "comparison": None if page is None else str(page)}
