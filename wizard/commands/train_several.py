"""`loracle train A B C`: runs trained one after another, or one per card; a failed one does not hold the others up."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from functools import partial
from pathlib import Path

from advisor.errors import LoraError, Mistakes, RunError
from advisor.machine.probe import probe_hardware
from advisor.run_folder.layout import RunFolder
from advisor.units import counted
from wizard.commands.train_at_once import ListTurns, at_once, slots_of_list
from wizard.commands.train_listed import ListedOptions, outcome_of, train_listed
from wizard.exit_codes import INTERRUPTED
from wizard.output import print_json_line, say, show, show_if_possible
from wizard.own_command import own_command
from wizard.processes.before_training import refuse_begun
from wizard.processes.list_ending import ending_interrupts
from wizard.processes.more_epochs import with_epochs
from wizard.processes.process_options import ProcessOptions
from wizard.processes.trainer_job import refuse_device
from wizard.show.list_summary import (
    RunOutcome,
    began_document,
    ended_document,
    list_exit_code,
    summary_document,
    summary_view,
)

COMMAND = "loracle train"
ONE_AFTER_ANOTHER = ProcessOptions()


class NotAllTrained(LoraError):
    """Some runs of a list were not trained; it ends with the list's exit code."""

    def __init__(self, outcomes: Sequence[RunOutcome]) -> None:
        """Name those that failed, or that no card could train."""
        failed = [one for one in outcomes if one.exit_code and one.outcome in ("failed", "not_begun")]
        names = ", ".join(str(one.run) for one in failed)
        self.exit_code = list_exit_code(outcomes)
        super().__init__(f"{len(failed)} of {counted(len(outcomes), 'run')} failed: {names}")


def train_several(
    runs: Sequence[Path],
    options: ListedOptions,
    *,
    processes: ProcessOptions = ONE_AFTER_ANOTHER,
    as_json: bool = False,
    train: Callable[..., RunOutcome] = train_listed,
) -> None:
    """Train each, go on after one that failed, and tell at the end what came of them.

    All that is wrong with the list is refused before the first is trained.

    Args:
        processes: cards, each of which trains a run at the same time; or so many runs at once on the processor.
        as_json: stdout has a document a line: before and after each run, and a summary.
        train: trains one; tests give another.

    Raises:
        LoraError: a run or an option is wrong, or some runs failed.
        KeyboardInterrupt: Ctrl-C, after the work was saved.
    """
    with ending_interrupts():
        folders = _checked(runs, options)
        paths = [run.as_given for run in folders]
        slots = slots_of_list(folders, options.device, processes, probe_hardware(Path.cwd()))
        if slots is None:
            found = _one_after_another(paths, options, train, as_json=as_json)
        else:
            found = at_once(ListTurns(paths, options, train, COMMAND, as_json), slots)
        was_ended = len(found) < len(paths) or any(one.was_ended for one in found.values())
        outcomes = [found.get(path) or RunOutcome(path, "not_begun", INTERRUPTED) for path in paths]
        with suppress(BrokenPipeError):
            tell_summary(outcomes, as_json=as_json)
    if was_ended:
        raise KeyboardInterrupt(_how_to_go_on(outcomes, processes))
    if list_exit_code(outcomes):
        raise NotAllTrained(outcomes)


def _one_after_another(
    paths: Sequence[Path], options: ListedOptions, train: Callable[..., RunOutcome], *, as_json: bool
) -> dict[Path, RunOutcome]:
    """Train each; what came of those that were begun."""
    outcomes = dict[Path, RunOutcome]()
    with suppress(KeyboardInterrupt, BrokenPipeError):  # between two runs; what read the output has gone
        for number, path in enumerate(paths, start=1):
            _tell_turn(path, number, len(paths), as_json=as_json)
            outcome = outcome_of(path, partial(train, path, options, what=COMMAND, as_json=as_json))
            outcomes[path] = outcome
            if as_json:
                print_json_line(ended_document(outcome))
            if outcome.was_ended:
                break
    return outcomes


def _checked(runs: Sequence[Path], options: ListedOptions) -> list[RunFolder]:
    """The runs, each once.

    Raises:
        LoraError: all that is wrong with them and with the options.
    """
    mistakes = Mistakes()
    mistakes.attempt(lambda: refuse_device(options.device))
    found = [mistakes.attempt(partial(RunFolder.given, run)) for run in runs]
    distinct = mistakes.attempt(lambda: distinct_runs(one for one in found if one is not None)) or []
    for run in distinct:
        mistakes.attempt(partial(_refuse, run, options))
    mistakes.refuse()
    return distinct


def _refuse(run: RunFolder, options: ListedOptions) -> None:
    """Refuse a run that could not be trained with these options, as far as that is seen before its turn."""
    config = run.read_config()
    if options.epochs is not None:
        with_epochs(run, config, options.epochs)
    elif not options.resume:
        refuse_begun(run)


def distinct_runs(runs: Iterable[RunFolder]) -> list[RunFolder]:
    """The runs without those that are named a second time, also through a link, which is told.

    Raises:
        RunError: the same folder is named with two configurations.
    """
    kept = list[RunFolder]()
    for run in runs:
        same = next((one for one in kept if one.path.samefile(run.path)), None)
        if same is None:
            kept.append(run)
        elif same.config_name != run.config_name:
            raise RunError(
                f"{same.config} and {run.config} are configurations of one run, which has one training: name one of "
                "them, or make a run of its own for the other"
            )
        else:
            also = "" if run.path == same.path else f" as {run.path} too"
            say(f"! {same.path} is named twice{also}: it is trained once")
    return kept


def _tell_turn(path: Path, number: int, runs: int, *, as_json: bool) -> None:
    if as_json:
        print_json_line(began_document(path, number, runs))
    else:
        show_if_possible(f"\nRun {number} of {runs}: {path}")


def tell_summary(outcomes: Sequence[RunOutcome], *, as_json: bool) -> None:
    """Tell what came of each, as a table or as a line of JSON."""
    if as_json:
        print_json_line(summary_document(outcomes))
        return
    show("")
    show(summary_view(outcomes, Path.cwd()))


def _how_to_go_on(outcomes: Sequence[RunOutcome], processes: ProcessOptions) -> str:
    """The command that trains what is left; the runs that were not begun are named in the table."""
    left = [one.run for one in outcomes if one.outcome in ("interrupted", "not_begun", "failed")]
    untouched = sum(1 for one in outcomes if one.outcome == "not_begun")
    told = f"The list was ended; {counted(untouched, 'run')} of it {'was' if untouched == 1 else 'were'} not begun."
    return f"{told}\nGo on with: {own_command('train', *left, *processes.as_typed)} --resume" if left else told
