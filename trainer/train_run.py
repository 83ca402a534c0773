"""Training a run in this process: its lock, its events, what listens to them, and the exit code."""

from __future__ import annotations

import argparse
import sys
import traceback
from collections.abc import Callable
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import TYPE_CHECKING

from advisor.errors import LoraError
from advisor.run_folder.events import Failed
from advisor.run_folder.layout import RunFolder
from advisor.run_folder.lock import training
from advisor.settings.config import TrainingConfig
from advisor.shown_text import visible
from trainer.lora_files.model_hashes import hashed_aside
from trainer.ranks.ranks import ALONE, Ranks, RanksEnded
from trainer.reporting.weights_and_biases import WeightsAndBiases
from trainer.runtime.events import Events
from trainer.runtime.failure_codes import failed_event
from trainer.runtime.importing import importing
from trainer.runtime.interrupts import Interrupt, Interrupted
from trainer.runtime.machine_limits import limit_error

if TYPE_CHECKING:
    from trainer.training.prepare import Options

DEFECT = 1
"""The exit code for a mistake of ours."""


def train_run(given: argparse.Namespace, interrupt: Interrupt, *, is_launched: bool, ranks: Ranks = ALONE) -> int:
    """Train while nobody else works on the run, and give the exit code (docs/interface.md).

    Args:
        given: the command line.
        is_launched: a command holds the run for this process.
        ranks: the processes that train together, of which this is the first.
    """
    try:
        run, warnings = RunFolder.given(given.run), list[str]()
        with (
            training(run, "the trainer", warnings.append, is_launched=is_launched) as check,
            Events(run.path) as events,
        ):
            events.check_first(check)
            for warning in warnings:
                events.warning("no_locks", warning)
            return _train(run, given, events, interrupt, ranks)
    except LoraError as error:
        return print_error(error)
    except KeyboardInterrupt:  # before there is anything to save, or while a full disk keeps the last event waiting
        return Interrupted.exit_code


def _train(
    run: RunFolder, given: argparse.Namespace, events: Events, interrupt: Interrupt, ranks: Ranks = ALONE
) -> int:
    """Train; every failure becomes an event and an exit code."""
    try:
        with interrupt.listening():
            config = run.read_config()
            hashes = hashed_aside(run.located(config).model)
            with importing():
                from trainer.training.prepare import prepare
                from trainer.training.train import train

            with ExitStack() as boards:
                boards.callback(_closing(_tensorboard(run.path, events), "TensorBoard", events))
                boards.callback(_closing(_weights_and_biases(run.path, config, events), "Weights & Biases", events))
                prepared = prepare(
                    run.path, config, options_of(given), events=events, interrupt=interrupt, hashes=hashes, ranks=ranks
                )
                train(prepared)
        return 0
    except LoraError as error:
        return _failed(error, events)
    except RanksEnded as ended:
        with interrupt.listening():  # the launcher asks the processes that are left to end
            return _ended(ended, events, interrupt)
    except (Interrupted, KeyboardInterrupt) as error:
        saved = "the work is saved" if isinstance(error, Interrupted) else "nothing more was saved"
        because = f", because {interrupt.cause}" if interrupt.cause else ""
        with suppress(LoraError, KeyboardInterrupt):  # on a full disk nothing can be written, and nothing is waited for
            events.send(Failed(code="interrupted", message=f"Training was interrupted{because}; {saved}"))
        return Interrupted.exit_code
    except Exception as error:
        if (stopped := limit_error(error)) is not None:
            return _failed(stopped, events)
        traceback.print_exc()
        events.send(Failed(code="defect", message=f"A defect of Loracle: {type(error).__name__}: {error}"))
        return DEFECT


def _ended(ended: RanksEnded, events: Events, interrupt: Interrupt) -> int:
    """The exit code of the first process where another one has ended."""
    if ended.told is None:
        from trainer.ranks.launch import wait_for_launcher

        wait_for_launcher(interrupt)
    error = ended.error()
    if isinstance(error, LoraError):
        return _failed(error, events)
    events.send(Failed(code="defect", message=f"A defect of Loracle: {error}"))
    return DEFECT


def _failed(error: LoraError, events: Events) -> int:
    events.send(failed_event(error))
    return print_error(error)


def options_of(given: argparse.Namespace) -> Options:
    """What the command line says of the training."""
    from trainer.training.prepare import Options

    return Options(
        device=given.device,
        resume=given.resume,
        threads=given.threads,
        sharing=given.sharing,
        tolerate_sysmem_fallback=given.tolerate_sysmem_fallback,
        skip_broken=given.skip_broken,
    )


def _tensorboard(run: Path, events: Events) -> Callable[[], None]:
    """Feed TensorBoard from the events; gives what closes it."""
    try:
        from trainer.reporting.tensorboard import TensorBoard

        board = TensorBoard(run)
    except Exception as error:  # another library's, of any kind
        events.warning("no_tensorboard", f"TensorBoard's file is not written: {error}")
        return lambda: None
    events.listen(board)
    return board.close


def _closing(close: Callable[[], None], name: str, events: Events) -> Callable[[], None]:
    """The same without errors: a training whose LoRAs are saved does not fail by those who only listen."""

    def closing() -> None:
        try:
            close()
        except Exception as error:  # another library's, of any kind
            events.warning("listener_failed", f"{name}'s file was not finished: {type(error).__name__}: {error}")

    return closing


def _weights_and_biases(run: Path, config: TrainingConfig, events: Events) -> Callable[[], None]:
    """Send to Weights & Biases the events' curves and samples, if a project is named; gives what ends it."""
    if not config.run.wandb_project:
        return lambda: None
    board = WeightsAndBiases(run, config, events.warning)
    events.listen(board)
    return board.close


def print_error(error: LoraError) -> int:
    """Print it on stderr, and give its exit code."""
    print(visible(str(error)), file=sys.stderr)  # noqa: T201
    return error.exit_code
