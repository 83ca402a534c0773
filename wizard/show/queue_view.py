"""The queue: its entries, as a list and as a document."""

from __future__ import annotations

import os
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, cast, get_args

from rich.table import Table
from rich.text import Text

from advisor.files import is_folder
from advisor.run_folder.lock import Holder
from advisor.shown_text import short_text, visible_line
from wizard.show.run_view import ago, short_path

EntryState = Literal["waiting", "training", "trained", "failed", "gone"]
"""`gone`: its folder was moved or deleted when its turn came."""
LATEST = 1e11
"""Unix seconds in thousands of years, which calendars still know."""


@dataclass(frozen=True)
class QueueOptions:
    """The options of `loracle train` that an entry is trained with."""

    epochs: int | None = None
    """In all; None: as many as are planned."""
    skip_broken: bool = False
    device: str | None = None
    cache_from: Path | None = None
    """A run whose encoded pictures and captions are used where they fit."""


@dataclass(frozen=True)
class QueueEntry:
    """A run in the queue."""

    number: int
    """Its own for ever; no later entry gets it."""
    path: Path
    """The run folder, or its configuration where that is not named `loracle.toml`; absolute."""
    state: EntryState
    """`training` also where its worker has died meanwhile."""
    options: QueueOptions
    added_at: float
    """Unix seconds, as the next two."""
    began_at: float | None
    """When its turn came first."""
    ended_at: float | None
    message: str
    """Why it failed, or waits."""
    steps: int
    """Of the whole training, once it is trained."""
    lora: Path | None
    """The LoRA to use, once it is trained."""
    crashes: int
    """So often its trainer has crashed without having come beyond this step."""
    crashed_at_step: int
    card: str = ""
    """Where it is trained, or was to its end, for the user; empty: where it was planned."""

    @classmethod
    def of_row(cls, row: Sequence[object]) -> QueueEntry:
        """The entry that a row of the database holds.

        Raises:
            TypeError, ValueError: it holds something else.
        """
        number, path, state, epochs, skip_broken, device, added, began, ended, message, steps, lora, *more = row
        if state not in get_args(EntryState):
            raise ValueError(f"state {state!r}")
        return cls(
            number=_whole(number),
            path=_path(path),
            state=cast("EntryState", state),
            options=QueueOptions(
                None if epochs is None else _whole(epochs),
                bool(_whole(skip_broken)),
                _text(device) or None,
                None if more[2] is None else _path(more[2]),
            ),
            added_at=_seconds(added) or 0.0,
            began_at=_seconds(began),
            ended_at=_seconds(ended),
            message=_text(message),
            steps=_whole(steps),
            lora=None if lora is None else _path(lora),
            crashes=_whole(more[0]),
            crashed_at_step=_whole(more[1]),
            card=_text(more[3]),
        )

    def is_of(self, path: Path) -> bool:
        """Whether it is of the run at this path, which may be named through a link, or be gone."""
        try:
            return _folder(self.path).samefile(_folder(path))
        except (OSError, ValueError):
            return os.path.realpath(_folder(self.path)) == os.path.realpath(_folder(path))


def _folder(path: Path) -> Path:
    return path.parent if path.suffix == ".toml" and not is_folder(path) else path


def _whole(value: object) -> int:
    if not isinstance(value, int):
        raise TypeError(f"{value!r} is no whole number")
    return value


def _seconds(value: object) -> float | None:
    if value is None:
        return None
    seconds = value if isinstance(value, float) else float(_whole(value))
    if not 0 <= seconds < LATEST:
        raise ValueError(f"{value!r} is no time")
    return seconds


def _text(value: object) -> str:
    if not isinstance(value, str | None):
        raise TypeError(f"{value!r} is no text")
    return value or ""


def _path(value: object) -> Path:
    if not isinstance(value, bytes) or b"\0" in value:
        raise TypeError(f"{value!r} is no path")
    return Path(os.fsdecode(value))


def queue_view(entries: Sequence[QueueEntry], *, worker: Holder | None, here: Path, now: float) -> Table:
    """A row for each entry: its number, what it does, where it is, and what came of it.

    Args:
        worker: who works on the queue; None: nobody.
        here: the current folder; runs in it are named from there.
        now: unix seconds.
    """
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), show_header=False)
    table.add_column("number", justify="right", no_wrap=True)
    table.add_column("state", style="bold", no_wrap=True)
    table.add_column("run", ratio=2, overflow="fold", style="cyan")
    table.add_column("more", ratio=3, overflow="fold")
    for entry in entries:
        place, more = visible_line(short_path(entry.path, here)), visible_line(_more(entry, worker, now))
        table.add_row(str(entry.number), shown_state(entry, worker), Text(place), Text(more))
    return table


def shown_state(entry: QueueEntry, worker: Holder | None) -> EntryState:
    """Its state; one whose worker has died waits."""
    return "waiting" if entry.state == "training" and worker is None else entry.state


def _more(entry: QueueEntry, worker: Holder | None, now: float) -> str:
    options = entry.options
    chosen = (
        *((f"to epoch {options.epochs}",) if options.epochs else ()),
        *(("on the processor",) if options.device else ()),
        *(("without broken pictures",) if options.skip_broken else ()),
    )
    where = f"on {entry.card}" if entry.card else ""
    told = tuple(filter(None, (short_text(where), short_text(entry.message.partition("\n")[0]))))
    if entry.ended_at is not None:
        steps = (f"{entry.steps:,} steps",) if entry.steps else ()
        return ", ".join((*steps, ago(now - entry.ended_at), *told))
    if entry.began_at is not None:
        begun = "since" if shown_state(entry, worker) == "training" else "begun"
        told = (f"{begun} {time.strftime('%Y-%m-%d %H:%M', time.localtime(entry.began_at))}", *told)
    return ", ".join((*told, *chosen))


def queue_document(entries: Sequence[QueueEntry], worker: Holder | None) -> dict[str, object]:
    """The document of `queue list --json`."""
    return {
        "worker": None if worker is None else vars(worker),
        "entries": [
            {
                "number": entry.number,
                "path": str(entry.path),
                "state": shown_state(entry, worker),
                "epochs": entry.options.epochs,
                "skip_broken": entry.options.skip_broken,
                "device": entry.options.device,
                "added": entry.added_at,
                "began": entry.began_at,
                "ended": entry.ended_at,
                "message": entry.message,
                "steps": entry.steps,
                "lora": None if entry.lora is None else str(entry.lora),
                "card": entry.card,
            }
            for entry in entries
        ],
    }
