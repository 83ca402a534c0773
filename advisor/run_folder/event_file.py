"""Reading and writing `log/events.jsonl`: the one reader and the one writer of a run's events."""

from __future__ import annotations

import json
import os
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from itertools import islice
from os import SEEK_END
from pathlib import Path
from types import TracebackType
from typing import Annotated, BinaryIO, Self, TypeVar

from pydantic import Field, TypeAdapter, ValidationError

from advisor.errors import RunError
from advisor.files import DISK_FULL, is_there, mend_of_writing, open_regular, open_to_append
from advisor.json_text import Malformed, parse_json
from advisor.run_folder.events import AnyEvent, Event

PARSER: TypeAdapter[AnyEvent] = TypeAdapter(Annotated[AnyEvent, Field(discriminator="event")])
UNKNOWN_KIND = "union_tag_invalid"
"""pydantic's name for an event that none of the models is for."""

FIRST_LINES, LAST_LINES = 1_000, 400_000
"""So many are read of a longer file, from its beginning and its end: that of a training of as many steps is shorter."""
MOST_LAST_BYTES = 128 * 1024**2
"""Of the last lines."""
MOST_EVENTS_BYTES = 1024**3
"""No honest file is larger: some million steps."""
MOST_LINE_BYTES = 1024**2
"""No honest line is longer."""
MOST_NEW_BYTES = 16 * 1024**2
"""Of what was added to a file, so much is read at once; the rest waits for the next call."""

E = TypeVar("E", bound=Event)


@dataclass(frozen=True)
class EventLog:
    """What an event file holds."""

    events: tuple[AnyEvent, ...] = ()
    damaged_lines: int = 0
    """Lines that are no event, as a crash in the middle of a write leaves them."""


def read_events(path: Path) -> EventLog:
    """The events of a file, of a very long one the first and the last; none where there is no file.

    Raises:
        RunError: the file is there and cannot be read, or is larger than any honest one.
    """
    parser = LineParser()
    try:
        with open_regular(path) as file:
            if os.fstat(file.fileno()).st_size > MOST_EVENTS_BYTES:
                raise RunError(f"{path} has more than {MOST_EVENTS_BYTES:,} bytes, as no training's has: delete it")
            events = tuple(parser.events(_first_and_last(_lines(file))))
    except FileNotFoundError:
        return EventLog()
    except OSError as error:
        raise RunError(f"{path} cannot be read: {error.strerror or error}: check what it is, and its rights") from None
    return EventLog(events, parser.damaged_lines)


def _lines(file: BinaryIO) -> Iterator[bytes]:
    """The lines of a file; of one that is too long, a first part of `MOST_LINE_BYTES`, which is no event."""
    while line := file.readline(MOST_LINE_BYTES):
        yield line
        while len(line) == MOST_LINE_BYTES and not line.endswith(b"\n"):
            line = file.readline(MOST_LINE_BYTES)


def _first_and_last(lines: Iterator[bytes]) -> Iterator[bytes]:
    """Some lines from the beginning, then the last ones; memory is taken for these alone."""
    yield from islice(lines, FIRST_LINES)
    last, num_bytes = deque[bytes](), 0
    for line in lines:
        last.append(line)
        num_bytes += len(line)
        while len(last) > LAST_LINES or num_bytes > MOST_LAST_BYTES:
            num_bytes -= len(last.popleft())
    yield from last


class LineParser:
    """Turns lines into events and counts those that are damaged."""

    def __init__(self) -> None:
        """Count from 0."""
        self.damaged_lines = 0

    def events(self, lines: Iterable[bytes]) -> Iterator[AnyEvent]:
        """The events that the lines hold; kinds of a newer version are passed over, damaged lines are counted."""
        for line in lines:
            if not line.strip():
                continue
            try:
                yield PARSER.validate_python(parse_json(line, finite=False, half_characters=True))
            except ValidationError as error:
                (first, *_) = error.errors(include_url=False)
                is_newer = first["type"] == UNKNOWN_KIND and isinstance(first["input"].get("event"), str)
                self.damaged_lines += not is_newer
            except Malformed:
                self.damaged_lines += 1


class LineTail:
    """Reads the lines that are added to a file."""

    def __init__(self, path: Path) -> None:
        """Begin at the file's present end; it need not exist yet."""
        self._path, self._rest = path, b""
        self._position = path.stat().st_size if is_there(path) else 0

    def new(self) -> list[bytes]:
        """The lines written since the last call; one that is not finished yet waits for the next."""
        try:
            with open_regular(self._path) as file:
                file.seek(self._position)
                data = file.read(MOST_NEW_BYTES)
        except OSError:
            return []
        self._position += len(data)
        *lines, rest = (self._rest + data).split(b"\n")
        self._rest = rest[: MOST_LINE_BYTES + 1]  # more of it makes no line that anybody reads
        return lines


class EventTail:
    """Reads the events that are added to a file."""

    def __init__(self, path: Path) -> None:
        """Begin at the file's present end; it need not exist yet."""
        self._tail, self._parser = LineTail(path), LineParser()

    def new(self) -> Iterator[AnyEvent]:
        """The events written since the last call; damaged lines are passed over."""
        return self._parser.events(self._tail.new())


class EventWriter:
    """Appends events to a file, each with one unbuffered write, so that a reader sees it and a crash loses none."""

    def __init__(self, path: Path) -> None:
        """Open the file; a last line that a crash or a full disk cut off is ended first.

        Raises:
            RunError: it cannot be written.
        """
        self.when_full: Callable[[], None] | None = None
        """Called before each further try where the disk is full; None: a full disk is an error."""
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            self._path = path
            self._end_of_line = b"\n" if _is_cut_off(path) else b""
            self._file = open_to_append(path)
        except OSError as error:
            mend = "choose a run folder that you may write to"
            raise RunError(f"{path} cannot be written: {error.strerror or error}: {mend}") from error

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._file.close()

    def write(self, event: E) -> E:
        """Append one event; it is given back with the time it was written at.

        Raises:
            RunError: the disk is full or gone.
        """
        timed = event.model_copy(update={"unix_seconds": round(time.time(), 3)})
        line = (json.dumps(timed.line(), ensure_ascii=False, allow_nan=False) + "\n").encode("utf-8", "surrogatepass")
        ending, self._end_of_line = self._end_of_line, b""
        self._append(ending + line)
        return timed

    def _append(self, data: bytes) -> None:
        """Write all of it; what was written before the disk was full stays, and the rest follows."""
        while data:
            try:
                data = data[self._file.write(data) :]
            except OSError as error:
                if self.when_full is None or error.errno not in DISK_FULL:
                    raise RunError(
                        f"{self._path} cannot be written: {error.strerror}: {mend_of_writing(error)}"
                    ) from error
                self.when_full()


def _is_cut_off(path: Path) -> bool:
    """Whether the last line lacks its end, so that it would swallow the next event."""
    if not is_there(path) or not path.stat().st_size:
        return False
    with open_regular(path) as file:
        file.seek(-1, SEEK_END)
        return file.read(1) != b"\n"
