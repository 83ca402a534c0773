"""A trial of a sweep on a machine of a cluster: an ordinary training of its run folder, in a process of its own there.

Ray Tune starts `train_trial` in a worker, anew on another machine where the first is lost; what was trained until then
lies in the run folder, which all machines share.
"""

from __future__ import annotations

import json
import os
import platform
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import IO, Any, TypedDict

import trainer
from advisor.files import read_bounded
from trainer.runtime.launcher import LAUNCHER_VARIABLE

MARK_BYTES = 64
LOG_BYTES = 4000
"""Of the end of what a process printed, told where it broke."""
OWN_VARIABLES = "RAY_"
"""Ray's settings and its token, of which a training needs none."""


class TrialSettings(TypedDict):
    """What a machine is told of a trial; it crosses as JSON's types."""

    run: str
    """The run folder, absolute, on every machine."""
    module: str
    """What trains it: `python -P -m MODULE`, with the options as JSON behind it."""
    options: dict[str, Any]
    mark_file: str
    """A file in the shared folder, and what stands in it."""
    mark: str
    rungs: list[int]
    """Epochs after which it is judged whether the trial is worth going on; empty: it is trained to its end."""


class TrialBroke(Exception):
    """The process of a trial ended without a word; Tune starts the trial again."""


def train_trial(settings: TrialSettings) -> dict[str, Any]:
    """Train to the end, or until Tune stops it at a rung; what the process said last.

    Raises:
        TrialBroke: it was killed, or broke.
    """
    from ray import tune

    if (unlike := _unshared(settings)) is not None:
        return {"outcome": {"outcome": "failed", "exit_code": 2, "message": unlike}}
    for rung in settings["rungs"]:
        found = _worked(settings, rung)
        if found.get("event") != "paused":
            return found
        tune.report({"epochs": rung, "score": found["score"]})
    return _worked(settings, None)


def _unshared(settings: TrialSettings) -> str | None:
    """What is wrong with the folder of the trials on this machine; None: it is the same."""
    path = Path(settings["mark_file"])
    try:
        found = read_bounded(path, MARK_BYTES).decode("ascii")
    except (OSError, ValueError):
        found = ""
    if found == settings["mark"]:
        return None
    return (
        f"{path.parent} on {platform.node()} is not the folder in which the sweep was begun: put the runs on storage "
        "that all machines have under the same path"
    )


def _worked(settings: TrialSettings, until: int | None) -> dict[str, Any]:
    """Let the process of the trial train, and give its last line.

    The process ends, and saves its work, once this one is gone: a pipe tells it.
    """
    given = json.dumps({**settings["options"], "run": settings["run"], "until": until})
    command = [sys.executable, "-P", "-m", settings["module"], given]
    environment = {name: value for name, value in os.environ.items() if not name.startswith(OWN_VARIABLES)}
    environment |= {LAUNCHER_VARIABLE: str(os.getpid()), "PYTHONUTF8": "1"}
    with tempfile.TemporaryFile() as log:
        child = subprocess.Popen(
            command, env=environment, cwd=Path(trainer.__file__).parents[1], stdin=subprocess.PIPE,
            stdout=subprocess.PIPE, stderr=log, start_new_session=True,
        )  # fmt: skip
        assert child.stdout is not None
        *_, last = (b"", *child.stdout.read().splitlines())
        child.wait()
        try:
            found = json.loads(last)
        except ValueError:
            found = None
        if not isinstance(found, dict):
            raise TrialBroke(f"{settings['run']} ({child.returncode}) on {platform.node()}:\n{_end_of(log)}")
        return {**found, "machine": platform.node()}


def _end_of(log: IO[bytes]) -> str:
    size = log.seek(0, os.SEEK_END)
    log.seek(max(0, size - LOG_BYTES))
    return log.read().decode("utf-8", "replace")
