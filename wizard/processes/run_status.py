"""How a run stands: read from its folder, whoever works on it, without a lock."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import suppress
from pathlib import Path

from advisor.errors import LoraError
from advisor.files import is_file, is_folder
from advisor.run_folder.events import AnyEvent, StepDone
from advisor.run_folder.layout import RunFolder
from advisor.run_folder.run_state import state_of
from advisor.settings.file_names import CONFIG_NAME
from wizard.show.progress import TrainingProgress
from wizard.show.run_view import RunStatus, UnreadableRun


def read_status(run: RunFolder) -> RunStatus:
    """How this run stands.

    Raises:
        LoraError: it cannot be read.
    """
    config = run.read_config()
    events = run.read_events().events
    planned = TrainingProgress(epochs=config.schedule.epochs)
    updated, grid = events[-1].unix_seconds if events else run.config.stat().st_mtime, run.known_grid()
    return RunStatus(
        run,
        config.saving.name,
        state_of(run, events),
        progress_of(events, planned),
        updated,
        run.has_state(),
        choice=None if grid is None else grid.choice,
    )


def progress_of(events: Iterable[AnyEvent], before: TrainingProgress) -> TrainingProgress:
    """What the events add up to."""
    for event in events:
        before = before.after(event)
    return before


def has_made_steps(run: RunFolder, since: float) -> bool:
    """Whether its training has made a step since then, in unix seconds; what cannot be read has not."""
    with suppress(LoraError, OSError):
        events = run.read_events().events
        return any(isinstance(event, StepDone) and event.unix_seconds >= since for event in reversed(events))
    return False


def statuses(folders: Iterable[Path]) -> Iterator[RunStatus | UnreadableRun]:
    """How the runs in these folders stand; those that are none, or gone, are passed over."""
    for folder in folders:
        if not is_file(folder / CONFIG_NAME):
            continue
        run = RunFolder(folder)
        try:
            run.refuse_links_out()
            yield read_status(run)
        except (LoraError, OSError) as error:
            yield UnreadableRun(run, str(error))


def runs_below(folder: Path) -> list[Path]:
    """The folder itself, and the folders directly in it, by name."""
    inside = list[Path]()
    with suppress(OSError):
        inside = sorted(path for path in folder.iterdir() if is_folder(path))
    return [folder, *inside]
