"""`python -P -m trainer.tagging.fetch NAME DIR`: downloads a tagger from the Hugging Face hub into its usual cache.

The user has agreed to it. Events go to DIR; where the model's file lies is the answer.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from advisor.errors import ModelError, RunError
from advisor.files import file_digest
from advisor.run_folder.layout import RunFolder
from advisor.run_folder.pictures.tag_request import write_fetched
from advisor.shown_text import short_text
from advisor.tagging.known_models import HubFile, KnownModel, known_model, refuse_unknown
from advisor.units import MIB, size
from trainer.runtime.child_process import Work, run_process
from trainer.runtime.disk_space import free_bytes
from trainer.runtime.events import Events
from trainer.runtime.interrupts import Interrupt, Interrupted

KEPT = "The download was interrupted; what has come is kept, and the next one goes on"
SPARE_BYTES = 64 * MIB
"""Disk space that is left free."""
PHASE = "download"

Download = Callable[[KnownModel, HubFile, Any], Path]
"""Brings a file into the cache, with a class like tqdm's that is told of the progress; gives where it is."""


def fetch(known: KnownModel, events: Events, interrupt: Interrupt, download: Download) -> Path:
    """Download a model's files, and see that they are what they were when their revision was noted.

    Raises:
        ModelError: they cannot be downloaded, or are something else.
        Interrupted: the user wanted to stop; what has come is gone on with next time.
    """
    events.phase(PHASE, known.num_bytes // MIB)
    before = 0
    paths = list[Path]()
    for file in known.files:
        interrupt.check()
        path = download(known, file, _meter(known, before, events, interrupt))
        if file_digest(path) != file.sha256:
            raise ModelError(
                f"{path} is not the file that {known.page} had at the revision {known.revision[:8]}: delete it, and "
                "download it again"
            )
        before += file.num_bytes
        events.progress(PHASE, before // MIB, known.num_bytes // MIB)
        paths.append(path)
    return paths[0]


def _meter(known: KnownModel, before: int, events: Events, interrupt: Interrupt) -> Any:
    """A class that takes the place of tqdm: it draws nothing, sends events, and breaks off where that is asked for."""
    from tqdm import tqdm

    class Meter(tqdm):  # type: ignore[misc]
        """Counts the bytes of a file."""

        def __init__(self, *arguments: Any, **named: Any) -> None:
            super().__init__(*arguments, **{**named, "disable": True})
            self.come = int(named.get("initial") or 0)

        def update(self, n: float | None = 1) -> bool | None:
            """Count bytes that have come."""
            self.come += int(n or 0)
            interrupt.check()
            events.progress(PHASE, min(before + self.come, known.num_bytes - 1) // MIB, known.num_bytes // MIB)
            return None

    return Meter


def from_hub(known: KnownModel, file: HubFile, meter: Any) -> Path:
    """Download a file by the hub's own library; nothing of the user but the request itself is sent.

    Raises:
        ModelError: it cannot be downloaded.
        RunError: there is no room for it.
    """
    # The parent has asked; its own wish to stay offline is heeded there. Plain HTTP can be broken off and gone on with.
    os.environ |= {"HF_HUB_OFFLINE": "0", "HF_HUB_DISABLE_TELEMETRY": "1", "HF_HUB_DISABLE_XET": "1"}
    from huggingface_hub import constants, hf_hub_download

    _refuse_without_room(Path(constants.HF_HUB_CACHE), file)
    try:
        return Path(
            hf_hub_download(
                known.repository, file.name, revision=known.revision, token=False, tqdm_class=meter
            )
        )  # fmt: skip
    except (Interrupted, KeyboardInterrupt):
        raise
    except Exception as error:  # of the library, of what it speaks HTTP with, or of the disk
        raise ModelError(
            f"{file.name} of {known.page} cannot be downloaded ({_root(error)}): try again; or download "
            f"{' and '.join(known.address(one) for one in known.files)} by hand into one folder, and name it with "
            "--model FOLDER"
        ) from error


def _root(error: BaseException) -> str:
    """What went wrong at the bottom, in a line: the library tells of its own cache instead."""
    while (cause := error.__cause__ or error.__context__) is not None:
        error = cause
    return short_text(str(error).strip().split("\n")[0]) or type(error).__name__


def _refuse_without_room(cache: Path, file: HubFile) -> None:
    free = free_bytes(cache)
    if free is not None and free < file.num_bytes + SPARE_BYTES:
        raise RunError(
            f"{cache} has room for {size(free)}, and {file.name} needs {size(file.num_bytes)}: free some space, or set "
            "HF_HOME to a folder on another disk"
        )


def main(arguments: Sequence[str] | None = None, download: Download = from_hub) -> int:
    """Fetch, and give the exit code."""
    parser = argparse.ArgumentParser(prog="python -P -m trainer.tagging.fetch", description="Fetches a tagger.")
    parser.add_argument("name", help="of a tagger of the hub")
    parser.add_argument("folder", type=Path, help="where events and the answer go")
    given = parser.parse_args(arguments)

    def prepare() -> tuple[RunFolder, Work]:
        known = known_model(given.name)
        if known is None:
            raise refuse_unknown(given.name)
        return RunFolder(given.folder), lambda events, interrupt: write_fetched(
            given.folder, fetch(known, events, interrupt, download)
        )

    return run_process(given.folder, prepare, what="the download", kept=KEPT)


if __name__ == "__main__":
    sys.exit(main())
