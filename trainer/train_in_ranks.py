"""Training a run in several processes: the first is the run's, the others compute their shares of each step."""

from __future__ import annotations

import argparse
import signal
import sys
import traceback
from contextlib import ExitStack
from typing import TYPE_CHECKING

from advisor.errors import LoraError
from advisor.run_folder.layout import RunFolder
from advisor.run_folder.lock import writing
from trainer.ranks.ranks import RanksEnded, told_of
from trainer.runtime.failure_codes import failed_event
from trainer.runtime.importing import importing
from trainer.runtime.interrupts import Interrupt, Interrupted, ending_signals
from trainer.runtime.machine_limits import limit_error
from trainer.runtime.quiet_libraries import quieten
from trainer.runtime.silent_events import SilentEvents
from trainer.train_run import options_of, print_error, train_run

if TYPE_CHECKING:
    from trainer.ranks.group import RankGroup
    from trainer.ranks.launch import RankStart


def train_in_ranks(given: argparse.Namespace, interrupt: Interrupt, *, is_launched: bool) -> int:
    """Let several processes train, and give the exit code; this one only holds the run where no command does.

    Args:
        given: the command line.
        is_launched: a command holds the run.
    """
    try:
        run = RunFolder.given(given.run)
        on_cards = given.device != "cpu" and run.read_config().memory.preset != "cpu"
        with interrupt.listening(), ExitStack() as held:
            if not is_launched:
                held.enter_context(writing(run, "the trainer", lambda message: print(message, file=sys.stderr)))  # noqa: T201
            from trainer.ranks.launch import run_ranks

            return run_ranks(given.processes, rank_process, (given,), interrupt, on_cards=on_cards)
    except LoraError as error:
        return print_error(error)
    except KeyboardInterrupt:
        return Interrupted.exit_code


def rank_process(start: RankStart, given: argparse.Namespace) -> None:
    """One of several processes that train: the first is the run's, the others compute their shares.

    Raises:
        SystemExit: with the exit code of a failure.
    """
    from trainer.ranks.launch import end_with_launcher

    quieten()
    ranks = start.joined()
    try:
        if ranks.is_first:
            interrupt = Interrupt()
            start.follow(interrupt)
            code = train_run(given, interrupt, is_launched=True, ranks=ranks)
        else:
            code = follow(given, ranks)
    finally:
        ranks.close()
    if code:
        sys.exit(code)
    end_with_launcher()


def follow(given: argparse.Namespace, ranks: RankGroup) -> int:
    """Compute shares as long as the first process trains, which tells of what goes wrong here too."""
    for number in ending_signals():
        if number != signal.SIGTERM:  # which the launcher sends once one of them has failed
            signal.signal(number, signal.SIG_IGN)
    try:
        run = RunFolder.given(given.run)
        with importing():
            from trainer.training.prepare import prepare
            from trainer.training.train import train

        options = options_of(given)
        train(prepare(run.path, run.read_config(), options, events=SilentEvents(), interrupt=Interrupt(), ranks=ranks))
    except RanksEnded:
        pass
    except Exception as error:
        if not isinstance(error, LoraError):
            traceback.print_exc()
            error = limit_error(error) or error
        code = failed_event(error).code if isinstance(error, LoraError) else "defect"
        ranks.tell(told_of(error, code))
    return 0
