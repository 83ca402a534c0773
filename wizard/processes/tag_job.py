"""Tagging pictures, and fetching a tagger, in child processes: what is asked for goes in as a file, as the answer comes
back.
"""

from __future__ import annotations

import subprocess
from importlib import invalidate_caches
from importlib.util import find_spec
from pathlib import Path

from advisor.errors import HardwareError, TrainingStopped
from advisor.run_folder.layout import RunFolder
from advisor.run_folder.pictures.tag_request import (
    TagAnswer,
    TagRequest,
    read_fetched,
    read_tag_answer,
    write_tag_request,
)
from advisor.shell import shell_words
from advisor.tagging.known_models import KnownModel
from advisor.tagging.tagger_model import RUNTIME, install_runtime, no_runtime
from wizard.processes.child import child_command
from wizard.processes.launch import run_trainer
from wizard.processes.temporary_folder import temporary_folder
from wizard.processes.trainer_job import TrainerJob
from wizard.show.screen import Screen

TAG_MODULE, FETCH_MODULE = "trainer.tagging.run", "trainer.tagging.fetch"
KEPT = "Tagging was interrupted, and no caption was changed. What the tagger told is kept: the same command goes on"
FETCH_KEPT = "The download was interrupted; what has come is kept, and the same command goes on"
BROKE_OFF = (
    "It ended by itself: probably the machine's memory ran out, or onnxruntime crashed. Close other programs, choose a "
    "smaller model, or take the processor (--device cpu). What the tagger told is kept, and no caption was changed"
)


def refuse_without_runtime() -> None:
    """Refuse at once what a child process would refuse after seconds; nothing is imported here.

    Raises:
        HardwareError: onnxruntime is not installed.
    """
    if find_spec(RUNTIME) is None:
        raise HardwareError(no_runtime())


def add_runtime() -> None:
    """Install what is missing into the Python that is running; pip tells on the screen what it does.

    Raises:
        HardwareError: it did not succeed.
        KeyboardInterrupt: Ctrl-C.
    """
    command = install_runtime()
    try:
        code = subprocess.run(command, check=False).returncode
    except OSError as error:
        raise HardwareError(f"{shell_words(command)} cannot be started: {error.strerror or error}") from error
    invalidate_caches()
    if code != 0 or find_spec(RUNTIME) is None:
        raise HardwareError(f"`{shell_words(command)}` did not add {RUNTIME}; what it said stands above")


def run_tagging(request: TagRequest, screen: Screen, *, gpu_uuid: str = "") -> TagAnswer:
    """What a tagger tells of pictures. Whoever calls holds the run's lock, where there is a run.

    Args:
        gpu_uuid: the only GPU that is used; empty: the first.

    Raises:
        LoraError: the model is none, or cannot be computed; memory does not suffice.
        KeyboardInterrupt: Ctrl-C; what was told is kept.
    """
    with temporary_folder("tag") as folder:
        write_tag_request(folder, request)
        _run(TAG_MODULE, [str(folder)], folder, screen, kept=KEPT, gpu_uuid=gpu_uuid)
        return read_tag_answer(folder)


def run_fetch(known: KnownModel, screen: Screen) -> Path:
    """Download a tagger of the hub; the path of its ONNX file.

    Raises:
        LoraError: it cannot be downloaded.
        KeyboardInterrupt: Ctrl-C; what has come is kept.
    """
    with temporary_folder("fetch") as folder:
        _run(FETCH_MODULE, [known.name, str(folder)], folder, screen, kept=FETCH_KEPT)
        return read_fetched(folder)


def _run(module: str, arguments: list[str], folder: Path, screen: Screen, *, kept: str, gpu_uuid: str = "") -> None:
    job = TrainerJob(RunFolder(folder), gpu_uuid=gpu_uuid)
    try:
        run_trainer(job, screen, command=lambda _: child_command(module, *arguments))
    except KeyboardInterrupt:
        raise KeyboardInterrupt(kept) from None
    except TrainingStopped as stopped:
        raise TrainingStopped(BROKE_OFF) from stopped
