"""`loracle status`: how a run stands; in a terminal a running one is followed until it ends."""

from __future__ import annotations

import sys
import time
from pathlib import Path

from advisor.run_folder.event_file import EventTail
from advisor.run_folder.layout import RunFolder
from advisor.run_folder.run_state import state_of
from wizard.output import print_json, say, show
from wizard.processes.launch import event_note
from wizard.processes.run_status import read_status
from wizard.show.run_view import RunStatus, status_document, status_view
from wizard.show.screen import Screen, make_screen

POLL_SECONDS = 0.2
LOOK_SECONDS = 2.0
"""So often it is looked whether the trainer still runs."""


def status(run: Path, *, once: bool = False, as_json: bool = False) -> None:
    """Show how a run stands; in a terminal follow it while it trains.

    Args:
        once: do not follow it.

    Raises:
        LoraError: it is no run, or cannot be read.
    """
    folder = RunFolder.given(run)
    tail = folder.new_events()  # before the events are read, so that none is missed
    found = read_status(folder)
    if as_json:
        print_json(status_document(found))
        return
    show(status_view(found, now=time.time()))
    if once or not sys.stdout.isatty() or found.state.activity != "training":
        return
    try:
        ended = follow(found, tail, make_screen(as_json=False))
    except KeyboardInterrupt:
        say("\nNo longer followed; the training goes on.")
        return
    show("")
    show(status_view(ended, now=time.time()))


def follow(found: RunStatus, tail: EventTail, screen: Screen) -> RunStatus:
    """Show the events of a training as they come, until nobody trains it; gives how it stands then."""
    progress, look_at = found.progress, time.monotonic() + LOOK_SECONDS
    try:
        while True:
            screen.show(progress)
            for event in tail.new():
                progress = progress.after(event)
                if note := event_note(event):
                    screen.note(note)
            if time.monotonic() >= look_at:
                look_at = time.monotonic() + LOOK_SECONDS
                if state_of(found.run, ()).activity != "training":
                    return read_status(found.run)
            time.sleep(POLL_SECONDS)
    finally:
        screen.close()
