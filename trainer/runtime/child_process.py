"""What processes that work beside a run have in common: events, interrupts, the lock, and exit codes
(docs/interface.md).
"""

from __future__ import annotations

import sys
import traceback
from collections.abc import Callable
from pathlib import Path

from advisor.errors import LoraError
from advisor.run_folder.events import Failed, Finished
from advisor.run_folder.layout import RunFolder
from advisor.run_folder.lock import training
from trainer.runtime.events import Events
from trainer.runtime.failure_codes import failed_event
from trainer.runtime.importing import keep_imported
from trainer.runtime.interrupts import Interrupt, Interrupted
from trainer.runtime.launcher import follow_launcher
from trainer.runtime.machine_limits import limit_error
from trainer.runtime.quiet_libraries import quieten

DEFECT = 1
"""The exit code for a mistake of ours."""

Work = Callable[[Events, Interrupt], object]
"""What is done; its result is not looked at. May raise a LoraError, or Interrupted."""


def run_process(
    folder: Path,
    prepare: Callable[[], tuple[RunFolder, Work]],
    *,
    what: str,
    kept: str,
    stopped_by: Callable[[Exception], LoraError | None] = limit_error,
) -> int:
    """Do the work, and give the exit code.

    Args:
        folder: where events go.
        prepare: gives the run that nobody else may write into meanwhile, and the work; may raise a LoraError.
        what: it is, for whoever asks who works on the run.
        kept: what is told where the user interrupts it.
        stopped_by: gives what is told of an exception that is no mistake of ours; None: it is one.
    """
    quieten()
    keep_imported()
    interrupt = Interrupt()
    is_launched = follow_launcher(interrupt.ask)
    with Events(folder) as events:
        try:
            with interrupt.listening():
                run, work = prepare()
                with training(run, what, lambda _: None, is_launched=is_launched) as check:
                    events.check_first(check)
                    work(events, interrupt)
                    events.send(Finished())
        except LoraError as error:
            return _failed(events, error)
        except (Interrupted, KeyboardInterrupt):
            events.send(Failed(code="interrupted", message=kept))
            return Interrupted.exit_code
        except Exception as error:
            if (stopped := stopped_by(error)) is not None:
                return _failed(events, stopped)
            traceback.print_exc()
            events.send(Failed(code="defect", message=f"A defect of Loracle: {type(error).__name__}: {error}"))
            return DEFECT
    return 0


def _failed(events: Events, error: LoraError) -> int:
    events.send(failed_event(error))
    print(error, file=sys.stderr)  # noqa: T201
    return error.exit_code
