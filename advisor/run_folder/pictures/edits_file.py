"""`images/edits.jsonl`: what the user decided of pictures, a log of changes with undo.

A line is one change, however many pictures it edits, or takes back an earlier one. Lines are only ever added, so that
each decision with its command stays to be read; what stands follows from all of them. Why a log and no state:
docs/decisions/0040-edits-of-pictures.md.
"""

from __future__ import annotations

import json
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Self

from pydantic import Field, StringConstraints, ValidationError, model_validator

from advisor.dataset.caption_files import MOST_CAPTION_BYTES
from advisor.dataset.edits import Edits, GrowingEdits, PictureEdit, SeenPicture
from advisor.dataset.file_stamp import MOST_NUMBER
from advisor.dataset.following_edits import followed
from advisor.dataset.report import DatasetReport
from advisor.errors import RunError
from advisor.files import read_bounded, write_atomically
from advisor.json_text import Malformed
from advisor.run_folder.events import MOST_UNIX_SECONDS
from advisor.run_folder.layout import RunFolder
from advisor.run_folder.pictures.run_files import run_files
from advisor.run_folder.pictures.seen_pictures import look_with, with_seen
from advisor.run_folder.record import Count, Record, Text, parse_record, places_told
from advisor.units import MIB

MOST_EDITS_BYTES = 256 * MIB
"""Thirty changes of the captions of 10,000 pictures are less."""
MOST_REASON_LETTERS = 4096
"""Of the reason of an exclusion, and of what made a change."""
MOST_DAMAGED = 10_000
"""Lines behind so many damaged ones are not looked at: it is another file."""
DAMAGED_TOLD = 4
"""So many damaged lines are told with what is wrong; of more the numbers."""

Reason = Annotated[str, StringConstraints(max_length=MOST_REASON_LETTERS)]
Caption = Annotated[str, StringConstraints(max_length=MOST_CAPTION_BYTES, pattern=r"^[^\x00]*$")]
Digest = Annotated[str, StringConstraints(pattern="^[0-9a-f]{64}$")]


class SeenLine(Record):
    """The picture's file when it was edited; left out where an earlier line says the same."""

    content: Digest
    num_bytes: Count
    modified_ns: int = Field(ge=-(2**63), lt=2**63)
    twins: tuple[Text, ...] = ()
    number: int = Field(0, ge=0, lt=MOST_NUMBER)
    touched_ns: int = Field(0, ge=0, lt=MOST_NUMBER)


class EditLine(Record):
    """What was decided of one picture."""

    path: Text
    caption: Caption | None = None
    excluded: Reason | None = None
    crop: tuple[Count, Count, Count, Count] | None = None
    replaced: Caption | None = None
    seen: SeenLine | None = None

    @model_validator(mode="after")
    def _crop_is_a_box(self) -> Self:
        if self.crop is not None and not (self.crop[0] < self.crop[2] and self.crop[1] < self.crop[3]):
            raise ValueError("a crop is left, top, right, bottom")
        return self

    @classmethod
    def of(cls, edit: PictureEdit) -> EditLine:
        """An edit's line."""
        seen = edit.seen
        line = None if seen is None else SeenLine(**{name: getattr(seen, name) for name in SeenLine.model_fields})
        given = {name: getattr(edit, name) for name in ("path", "caption", "excluded", "crop", "replaced")}
        return cls(**given, seen=line)

    def edit(self) -> PictureEdit:
        """The edit of a line."""
        seen = None if self.seen is None else SeenPicture(**self.seen.model_dump())
        return PictureEdit(self.path, self.caption, self.excluded, self.crop, self.replaced, seen)


class ChangeLine(Record):
    """A line of the file."""

    number: Count
    made_at: float = Field(0.0, ge=0, le=MOST_UNIX_SECONDS)
    what: Reason = ""
    edits: tuple[EditLine, ...] = ()
    moved: tuple[tuple[Text, Text], ...] = ()
    """Paths, then and now, of pictures that were edited before and had got another name until this change."""
    undoes: Count | None = None
    """The number of the change that this line takes back; then it edits nothing."""


@dataclass(frozen=True)
class Change:
    """One change the user made."""

    number: int
    """Counted from 1 in the order of the file's lines, of which some take changes back."""
    made_at: float
    """Unix seconds."""
    what: str
    """The sentence or the command that made it."""
    edits: tuple[PictureEdit, ...]
    moved: tuple[tuple[str, str], ...] = ()
    """Paths, then and now, of pictures that had got another name until it was made: their edits go with them."""


@dataclass(frozen=True)
class EditLog:
    """What the file holds."""

    standing: tuple[Change, ...] = ()
    """The changes that were not taken back, oldest first."""
    last_number: int = 0


def read_changes(run: RunFolder) -> tuple[Change, ...]:
    """The changes that stand, oldest first; none where there is no file.

    Raises:
        RunError: the file cannot be read, or lines of it are damaged; they are named.
    """
    return _read(run)[0].standing


def append_change(
    run: RunFolder, what: str, edits: Iterable[PictureEdit], *, files: DatasetReport | None = None
) -> Change:
    """Keep one more change, whole or not at all. The caller holds the run's lock.

    Each edit is kept with its picture's file and caption file as they are now.

    Args:
        what: the sentence or the command that makes it.
        files: the run's pictures and caption files without edits; None: they are read.

    Raises:
        RunError: the file cannot be read or written, is damaged, or would be too large to be read again; or there is no
            configuration.
        DatasetError: the pictures are not there.
    """
    log, content = _read(run)
    known = edits_of(log.standing)
    files = files or run_files(run)
    moved = followed(known, [files.path_of(image) for image in files.image_files], look_with(known)).renamed
    change = Change(
        log.last_number + 1,
        round(time.time(), 3),
        what[:MOST_REASON_LETTERS],
        tuple(with_seen(edits, files, known.moved(moved))),
        moved,
    )
    try:
        lines = tuple(EditLine.of(edit) for edit in change.edits)
    except ValidationError as error:
        raise RunError(f"the edits cannot be kept ({places_told(error)}): mend them") from None
    line = ChangeLine(number=change.number, made_at=change.made_at, what=change.what, edits=lines, moved=moved)
    _write(run, content, line)
    return change


def undo_change(run: RunFolder) -> Change | None:
    """Take back the last change that stands, and give it; None where none does. The caller holds the run's lock.

    Raises:
        RunError: the file cannot be read or written, or is damaged.
    """
    log, content = _read(run)
    if not log.standing:
        return None
    last = log.standing[-1]
    _write(run, content, ChangeLine(number=log.last_number + 1, made_at=round(time.time(), 3), undoes=last.number))
    return last


def edits_of(changes: Iterable[Change]) -> Edits:
    """What these changes leave, by picture."""
    found = GrowingEdits()
    for change in changes:
        found.move(change.moved)
        found.add(change.edits)
    return found.edits()


def read_log(run: RunFolder) -> bytes:
    """The whole file as it is, of which no line is damaged; empty where there is none.

    Raises:
        RunError: it cannot be read, or lines of it are damaged.
    """
    return _read(run)[1]


def _read(run: RunFolder) -> tuple[EditLog, bytes]:
    """The log, and the bytes of its file."""
    path = run.edits
    try:
        content = read_bounded(path, MOST_EDITS_BYTES)
    except FileNotFoundError:
        return EditLog(), b""
    except OSError as error:
        raise RunError(f"{path} cannot be read: {error.strerror or error}: it holds your edits of pictures") from None
    standing, last, damaged = list[Change](), 0, list[tuple[int, str]]()
    for place, line in enumerate(content.split(b"\n"), start=1):
        if not line.strip():
            continue
        if len(damaged) >= MOST_DAMAGED:
            break
        try:
            found = _in_order(parse_record(line, ChangeLine), standing, last)
        except Malformed as error:
            damaged.append((place, str(error)))
            continue
        except ValidationError as error:
            damaged.append((place, places_told(error)))
            continue
        last = found.number
        if found.undoes is None:
            edits = tuple(edit.edit() for edit in found.edits)
            standing.append(Change(found.number, found.made_at, found.what, edits, found.moved))
        else:
            standing.pop()
    if damaged:
        raise RunError(_damage(path, damaged))
    return EditLog(tuple(standing), last), content


def _in_order(line: ChangeLine, standing: Sequence[Change], last: int) -> ChangeLine:
    """The line where it can stand behind those before it.

    Raises:
        Malformed: it has the number of an earlier one, or takes back what is not the last change.
    """
    if line.number <= last:
        raise Malformed(f"it has the number {line.number} after {last}")
    if line.undoes is not None and (not standing or standing[-1].number != line.undoes):
        raise Malformed(f"it takes back the change {line.undoes}, which is not the last before it")
    return line


def _write(run: RunFolder, before: bytes, line: ChangeLine) -> None:
    text = json.dumps(line.model_dump(exclude_none=True, exclude_defaults=True) | {"number": line.number})
    between = b"" if not before or before.endswith(b"\n") else b"\n"
    content = before + between + text.encode("ascii") + b"\n"
    if len(content) > MOST_EDITS_BYTES:
        raise RunError(f"{run.edits} would grow beyond {MOST_EDITS_BYTES // MIB} MiB: go on in a new run")
    write_atomically(run.edits, content)


def _damage(path: Path, damaged: Sequence[tuple[int, str]]) -> str:
    told = [f"line {place} ({why})" for place, why in damaged[:DAMAGED_TOLD]]
    more = [f"line {place}" for place, _ in damaged[DAMAGED_TOLD : 5 * DAMAGED_TOLD]]
    rest = len(damaged) - len(told) - len(more)
    where = ", ".join(told + more) + (f" and {rest:,} more" if rest else "")
    return (
        f"{path} holds your edits of pictures, and cannot be read in {where}: mend these lines, or delete them to do "
        "without them. Nothing was changed"
    )
