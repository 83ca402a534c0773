"""Reading a run's events: the one record that progress bar, report and commands are made from (docs/interface.md)."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from advisor.errors import RunError

EVENTS_PATH = Path("log", "events.jsonl")
"""In a run folder."""


def read_events(run: Path) -> list[dict[str, Any]]:
    """All events of a run; none where nothing was trained.

    Raises:
        RunError: the file is there and cannot be read.
    """
    path = run / EVENTS_PATH
    try:
        return list(events_in(path.read_bytes().split(b"\n")))
    except FileNotFoundError:
        return []
    except OSError as error:
        raise RunError(f"{path} cannot be read: {error.strerror}: check its rights") from None


def events_in(lines: Iterable[bytes]) -> Iterator[dict[str, Any]]:
    """The events that lines of JSON hold; damaged ones, as a crash leaves, are passed over."""
    for line in lines:
        try:
            event = json.loads(line)
        except (ValueError, RecursionError):
            continue
        if isinstance(event, dict) and isinstance(event.get("event"), str):
            yield event
