"""`loracle train A B C`: runs trained one after another; a failed one does not hold the others up."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from functools import partial
from pathlib import Path

from advisor.errors import LoraError, Mistakes, RunError
from advisor.run_folder.layout import RunFolder
from advisor.units import counted
from wizard.commands.train_listed import ListedOptions, outcome_of, train_listed
from wizard.exit_codes import INTERRUPTED
from wizard.output import print_json_line, say, show, show_if_possible
from wizard.own_command import own_command
from wizard.processes.before_training import refuse_begun
from wizard.processes.list_ending import ending_interrupts
from wizard.processes.more_epochs import with_epochs
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


class NotAllTrained(LoraError):
    """Some runs of a list were not trained; it ends with the list's exit code."""

    def __init__(self, outcomes: Sequence[RunOutcome]) -> None:
        """Name those that failed."""
        failed = [one for one in outcomes if one.outcome == "failed"]
        names = ", ".join(str(one.run) for one in failed)
        self.exit_code = list_exit_code(outcomes)
        super().__init__(f"{len(failed)} of {counted(len(outcomes), 'run')} failed: {names}")


def train_several(
    runs: Sequence[Path],
    options: ListedOptions,
    *,
    as_json: bool = False,
    train: Callable[..., RunOutcome] = train_listed,
) -> None:
    """Train each, go on after one that failed, and tell at the end what came of them.

    All that is wrong with the list is refused before the first is trained.

    Args:
        as_json: stdout has a document a line: before and after each run, and a summary.
        train: trains one; tests give another.

    Raises:
        LoraError: a run or an option is wrong, or some runs failed.
        KeyboardInterrupt: Ctrl-C, after the work was saved.
    """
    outcomes = list[RunOutcome]()
    with ending_interrupts():
        paths = _checked(runs, options)
        with suppress(KeyboardInterrupt, BrokenPipeError):  # between two runs; what read the output has gone
            for number, path in enumerate(paths, start=1):
                _tell_turn(path, number, len(paths), as_json=as_json)
                outcomes.append(outcome_of(path, partial(train, path, options, what=COMMAND, as_json=as_json)))
                if as_json:
                    print_json_line(ended_document(outcomes[-1]))
                if outcomes[-1].was_ended:
                    break
        was_ended = len(outcomes) < len(paths) or outcomes[-1].was_ended
        outcomes += [RunOutcome(path, "not_begun", INTERRUPTED) for path in paths[len(outcomes) :]]
        with suppress(BrokenPipeError):
            tell_summary(outcomes, as_json=as_json)
    if was_ended:
        raise KeyboardInterrupt(_how_to_go_on(outcomes))
    if list_exit_code(outcomes):
        raise NotAllTrained(outcomes)


def _checked(runs: Sequence[Path], options: ListedOptions) -> list[Path]:
    """The runs' paths, each once.

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
    return [run.as_given for run in distinct]


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


def _how_to_go_on(outcomes: Sequence[RunOutcome]) -> str:
    """The command that trains what is left; the runs that were not begun are named in the table."""
    left = [one.run for one in outcomes if one.outcome in ("interrupted", "not_begun", "failed")]
    untouched = sum(1 for one in outcomes if one.outcome == "not_begun")
    told = f"The list was ended; {counted(untouched, 'run')} of it {'was' if untouched == 1 else 'were'} not begun."
    return f"{told}\nGo on with: {own_command('train', *left)} --resume" if left else told
