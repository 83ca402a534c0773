"""`loracle runs`: the runs in a folder and those used before, and how each stands."""

from __future__ import annotations

import os
import time
from pathlib import Path

from advisor.errors import RunError
from advisor.files import is_folder
from wizard.output import print_json, show
from wizard.own_command import own_command
from wizard.processes.run_status import runs_below, statuses
from wizard.processes.run_store import RunStore
from wizard.show.run_view import RunStatus, UnreadableRun, runs_view, status_document


def runs(folder: Path | None = None, *, as_json: bool = False) -> None:
    """List runs, those heard of last first.

    Args:
        folder: list only the runs in it; None: those in the current folder, and those used before.

    Raises:
        RunError: the folder is none.
    """
    if folder is not None and not is_folder(folder):
        raise RunError(f"{folder} is no folder: name one that holds runs, or leave it out")
    here = Path.cwd()
    places = runs_below((folder or here).absolute())
    places += RunStore().paths() if folder is None else ()
    unlike = {os.path.realpath(place): place for place in reversed(places)}
    found = sorted(statuses(unlike.values()), key=_last_first)
    if as_json:
        print_json({"runs": [status_document(one) for one in found]})
    elif found:
        show(runs_view(found, here=here, now=time.time()))
    else:
        where = "" if folder is None else f" in {folder}"
        show(f"There are no runs{where}: {own_command()} plans one.")


def _last_first(one: RunStatus | UnreadableRun) -> float:
    return 0.0 if isinstance(one, UnreadableRun) else -one.updated
