"""`loracle sweep`: a run with other values of some settings, each a run of its own, trained by the queue, compared."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from advisor.errors import ConfigError, ConfigErrors, Mistakes, RunError
from advisor.files import is_file
from advisor.machine.probe import probe_hardware
from advisor.run_folder.layout import RunFolder
from advisor.run_folder.paths import COMPARISON_NAME
from advisor.run_folder.pictures.run_dataset import edits_in
from advisor.run_folder.write_over import Occupied, UsersFiles
from advisor.settings.config import TrainingConfig, setting, setting_paths
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
from wizard.processes.cluster_sweep import ClusterSweep, train_on_cluster
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
ANY_CARD = ("machine.gpu_uuid=",)
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
    cluster: str | None = None
    """The address of a Ray cluster that trains them; None: this machine does, by the queue."""
    stop_early: bool = False
    """On a cluster: trials that fall behind by what their pictures show are stopped."""

    def refuse_contradictions(self) -> None:
        """Refuse what cannot be meant together.

        Raises:
            ConfigErrors: all of it.
        """
        errors = list[ConfigError]()
        if self.stop_early and self.cluster is None:
            mend = "it is for --cluster: the queue trains one after another, each to its end"
            errors.append(ConfigError("--stop-early", True, mend))
        if self.add_only and self.cluster is not None:
            errors.append(ConfigError("--add-only", True, "the queue is this machine's: leave one of the two out"))
        if self.processes.is_given and self.cluster is not None:
            mend = "leave --gpus, --gpu and --processes out: each trial takes a card of the cluster"
            errors.append(ConfigError("--cluster", self.cluster, mend))
        if errors:
            raise ConfigErrors(errors)


def sweep(run: Path, options: SweepOptions, *, as_json: bool = False) -> None:
    """Plan a run for each combination, put them into the queue, train them, and compare those that are trained.

    The same command again goes on: trials that are there are used, and finished ones are not trained again.

    Raises:
        LoraError: an option is wrong, a trial cannot be planned, another process works on the queue, or some failed.
        KeyboardInterrupt: Ctrl-C, after the work was saved; the trials wait in the queue.
    """
    store, base = QueueStore(), RunFolder.given(run)
    options.refuse_contradictions()
    refuse_device(options.device)
    slots = _slots(base, options)
    trials = trials_of(base.path, parse_varied(options.vary), options.trials)
    home = (options.out or base.path.with_name(f"{base.path.name}-sweep")).absolute()
    folders = {trial: home / trial.name for trial in trials}
    _plan(base, folders, on_cluster=options.cluster is not None)
    if options.cluster is not None:
        _on_cluster(folders, options.cluster, options, home=home, as_json=as_json)
        return
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


def _on_cluster(
    folders: Mapping[Trial, Path], address: str, options: SweepOptions, *, home: Path, as_json: bool
) -> None:
    """Let a cluster train the trials that have not all their epochs, as many at once as it has room for; compare all.

    Raises:
        LoraError: the cluster cannot be reached, or some trials failed.
        KeyboardInterrupt: Ctrl-C; the trials save their work and end.
    """
    configs = {place: RunFolder(place).read_config() for place in folders.values()}
    left = [place for place, config in configs.items() if not finished_text(RunFolder(place), config)]
    compare = own_command("report", *folders.values(), "--out", home / COMPARISON_NAME)
    if not as_json:
        show(f"{counted(len(folders), 'trial')} in {home}; {len(left)} of them to be trained by {address}.")
    outcomes = list[RunOutcome]()
    if left:
        first = configs[left[0]]
        job = ClusterSweep(
            address=address, home=home, runs=tuple(left), epochs=max(one.schedule.epochs for one in configs.values()),
            on_cards=not is_on_processor(first, options.device), device=options.device,
            skip_broken=options.skip_broken, rungs=_rungs(first) if options.stop_early else (),
        )  # fmt: skip
        for place in left:
            RunStore().remember(place)
        try:
            outcomes = train_on_cluster(job, say)
        except KeyboardInterrupt:
            raise KeyboardInterrupt(f"The sweep was ended. The same command goes on.\nCompare: {compare}") from None
        if not as_json:
            tell_summary(outcomes, as_json=False)
    page = _compare(home, list(folders.values()), compare)
    if as_json:
        print_json(_document(folders, outcomes, page))
    if list_exit_code(outcomes):
        raise NotAllTrained(outcomes)


def _rungs(config: TrainingConfig) -> tuple[int, ...]:
    """The epochs at which trials are judged: after a quarter and a half of the training, where LoRAs are saved.

    Raises:
        ConfigError: none is saved before the end.
    """
    epochs, every = config.schedule.epochs, config.saving.every_epochs
    saved = range(every, epochs, every) if every else ()
    if not saved:
        mend = "--stop-early judges trials by LoRAs of epochs before the last, and none is saved: save some"
        raise ConfigError("saving.every_epochs", every, mend)
    first = next((epoch for epoch in saved if epoch * 4 >= epochs), saved[-1])
    return tuple(dict.fromkeys(epoch for epoch in (first, 2 * first) if epoch in saved))


def _plan(base: RunFolder, folders: Mapping[Trial, Path], *, on_cluster: bool = False) -> None:
    """Write the run folders that are not there yet; all are planned before the first is written.

    Args:
        on_cluster: a cluster gives each its card.

    Raises:
        LoraError: all that is wrong with them.
    """
    mistakes = Mistakes()
    writes = [
        mistakes.attempt(partial(_planned, base, trial, place, on_cluster=on_cluster))
        for trial, place in folders.items()
    ]
    mistakes.refuse()
    for write in writes:
        if write is None:
            continue
        try:
            write()
        except Occupied as error:
            raise RunError(f"{error.told}. Nothing was written there: {ELSEWHERE}") from None


def _planned(base: RunFolder, trial: Trial, place: Path, *, on_cluster: bool) -> Callable[[], object] | None:
    """What writes a trial; None where it is there already: what else of the run has changed since is told."""
    folder = RunFolder(place)
    planned = planned_with(base.as_given, place, trial.settings + (ANY_CARD if on_cluster else ()))
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
