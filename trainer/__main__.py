"""`python -P -m trainer RUN`: trains; talks through RUN/log/events.jsonl, and on stderr of failures only."""

from __future__ import annotations

import argparse
import sys
import traceback
from collections.abc import Callable, Sequence
from contextlib import ExitStack, suppress
from pathlib import Path

from advisor.errors import LoraError
from advisor.run_folder.events import Failed
from advisor.run_folder.layout import RunFolder
from advisor.run_folder.lock import training
from advisor.settings.config import TrainingConfig
from advisor.shown_text import visible
from trainer.lora_files.model_hashes import hashed_aside
from trainer.reporting.weights_and_biases import WeightsAndBiases
from trainer.runtime.events import Events
from trainer.runtime.failure_codes import failed_event
from trainer.runtime.importing import importing
from trainer.runtime.interrupts import Interrupt, Interrupted
from trainer.runtime.launcher import follow_launcher
from trainer.runtime.machine_limits import limit_error
from trainer.runtime.quiet_libraries import quieten

DEFECT = 1
"""The exit code for a mistake of ours."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Train what the command line names, and give the exit code (docs/interface.md)."""
    given = _parser().parse_args(arguments)
    quieten()
    try:
        run, interrupt, warnings = RunFolder.given(given.run), Interrupt(), list[str]()
        is_launched = follow_launcher(interrupt.ask)
        with (
            training(run, "the trainer", warnings.append, is_launched=is_launched) as check,
            Events(run.path) as events,
        ):
            events.check_first(check)
            for warning in warnings:
                events.warning("no_locks", warning)
            return _train(run, given, events, interrupt)
    except LoraError as error:
        return _print_error(error)
    except KeyboardInterrupt:  # before there is anything to save, or while a full disk keeps the last event waiting
        return Interrupted.exit_code


def _train(run: RunFolder, given: argparse.Namespace, events: Events, interrupt: Interrupt) -> int:
    """Train; every failure becomes an event and an exit code."""
    try:
        with interrupt.listening():
            config = run.read_config()
            hashes = hashed_aside(run.located(config).model)
            with importing():
                from trainer.training.prepare import Options, prepare
                from trainer.training.train import train

            with ExitStack() as boards:
                boards.callback(_closing(_tensorboard(run.path, events), "TensorBoard", events))
                boards.callback(_closing(_weights_and_biases(run.path, config, events), "Weights & Biases", events))
                options = Options(
                    device=given.device,
                    resume=given.resume,
                    threads=given.threads,
                    tolerate_sysmem_fallback=given.tolerate_sysmem_fallback,
                    skip_broken=given.skip_broken,
                )
                train(prepare(run.path, config, options, events=events, interrupt=interrupt, hashes=hashes))
        return 0
    except LoraError as error:
        events.send(failed_event(error))
        return _print_error(error)
    except (Interrupted, KeyboardInterrupt) as error:
        saved = "the work is saved" if isinstance(error, Interrupted) else "nothing more was saved"
        because = f", because {interrupt.cause}" if interrupt.cause else ""
        with suppress(LoraError, KeyboardInterrupt):  # on a full disk nothing can be written, and nothing is waited for
            events.send(Failed(code="interrupted", message=f"Training was interrupted{because}; {saved}"))
        return Interrupted.exit_code
    except Exception as error:
        if (stopped := limit_error(error)) is not None:
            events.send(failed_event(stopped))
            return _print_error(stopped)
        traceback.print_exc()
        events.send(Failed(code="defect", message=f"A defect of Loracle: {type(error).__name__}: {error}"))
        return DEFECT


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


def _print_error(error: LoraError) -> int:
    print(visible(str(error)), file=sys.stderr)  # noqa: T201
    return error.exit_code


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -P -m trainer", description="Trains the LoRA of a run folder.")
    parser.add_argument("run", type=Path, help="a run folder, or its loracle.toml")
    parser.add_argument("--device", help="cpu, or a device of torch; left out: what the plan was made for")
    parser.add_argument("--resume", action="store_true", help="go on from the run's newest state")
    parser.add_argument(
        "--skip-broken", action="store_true", help="leave out pictures that cannot be decoded, from now on"
    )
    parser.add_argument("--threads", type=int, help="threads to compute with")
    parser.add_argument(
        "--tolerate-sysmem-fallback", action="store_true", help="go on where the card's memory spills, slowly"
    )
    return parser


if __name__ == "__main__":
    sys.exit(main())
