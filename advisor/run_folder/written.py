"""Notes of what Loracle wrote, a digest for each file: in the run, for files elsewhere in the user's data folder."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Collection, Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from functools import cached_property, lru_cache
from pathlib import Path
from typing import Literal

from pydantic import Field, ValidationError

from advisor.data_folder import data_folder
from advisor.dataset.file_stamp import stamp_of
from advisor.errors import RunError
from advisor.files import file_digest, read_bounded
from advisor.json_text import Malformed, parse_json
from advisor.run_folder.keep import write_own
from advisor.run_folder.layout import RunFolder
from advisor.run_folder.paths import WRITTEN_NAME
from advisor.run_folder.record import Record, Text, parse_record
from advisor.same_place import is_same, resolved
from advisor.units import MIB

Kind = Literal[
    "run", "report", "preset", "kohya-gui", "sd-scripts", "onetrainer", "ai-toolkit", "musubi-tuner", "skypilot",
    "images", "grid", "lora", "sample", "queue",
]  # fmt: skip
"""Who writes a file: an export may not take a run's configuration for one of its own files."""

MOST_RECORD_BYTES = 64 * MIB
MOST_DIGESTS = 2
"""A digest is noted before its file is written, and the one before it stays: between the two, either may be there."""


class Written(Record):
    """One file as Loracle wrote it."""

    kind: Text
    sha256: tuple[Text, ...] = ()
    """The newest first."""
    num_bytes: int | None = None
    """Of a hard link, which is told by size and time, since it shares both with its original."""
    modified_ns: int | None = None
    source: Text = ""
    """Of a file in an export's image folders: the picture or mask that it is, or the picture that it goes with."""
    source_stamp: tuple[int, int, int] | None = None
    """Bytes, time and number of that picture when the file was made; None: an earlier version wrote it."""

    @classmethod
    def of(cls, content: bytes, kind: Kind) -> Written:
        """A file that will have this content."""
        return cls(kind=kind, sha256=(hashlib.sha256(content).hexdigest(),))

    @classmethod
    def link(cls, path: Path) -> Written:
        """A hard link to an image of the user's."""
        found = path.lstat()
        return cls(kind="images", num_bytes=found.st_size, modified_ns=found.st_mtime_ns)

    @classmethod
    def copy_of(cls, path: Path) -> Written:
        """A file of an export's image folders."""
        return cls(kind="images", sha256=(file_digest(path),))

    def made_of(self, source: str) -> Written:
        """The same with the picture or mask that it is, or the picture that it goes with."""
        return self.model_copy(update={"source": source, "source_stamp": _stamp(source)})

    def has_its_source(self, path: Path) -> bool:
        """Whether the picture that the file at `path` was made of is still there, and neither another under its name
        nor this very file: of a whole picture by its content, of what goes with one by the picture's stamp.
        """
        source, now = Path(self.source), _stamp(self.source)
        if now is None or _is_one_place(source, path):
            return False
        if is_same(source, path):
            return True
        if now[0] == path.stat().st_size:
            return file_digest(source) == file_digest(path)
        return now == self.source_stamp


def _is_one_place(one: Path, other: Path) -> bool:
    """Whether two names lead to one file at one place, by links or mounts; hard links are at several."""
    if not is_same(one, other):
        return False
    return resolved(one) == resolved(other) or is_same(one.parent, other.parent) or other.stat().st_nlink == 1


def _stamp(path: str) -> tuple[int, int, int] | None:
    """Bytes, time and number of a file or where its links lead; None where there is none."""
    found = stamp_of(Path(path)) if path else None
    return None if found is None else (found.num_bytes, found.modified_ns, found.number)


class _Document(Record):
    files: dict[str, Written] = Field(default_factory=dict)


@dataclass(frozen=True)
class WrittenFiles:
    """The notes of what was written: files within `run` are noted there, all others in the user's data folder."""

    run: Path | None = None
    """Where a link leads from its notes out of it, using them raises a RunError."""
    data: Path | None = None
    """The user's data folder, where it is another than `data_folder()`."""

    def is_as_written(self, path: Path, kind: Kind) -> bool | None:
        """Whether the regular file at `path` is as Loracle wrote it for this purpose; None: nothing is noted of it."""
        noted = self._noted(path)
        if noted is None:
            return None
        if noted.kind != kind:
            return False
        if noted.modified_ns is not None:
            found = path.lstat()
            return (found.st_size, found.st_mtime_ns) == (noted.num_bytes, noted.modified_ns)
        return file_digest(path) in noted.sha256

    def was_changed(self, path: Path, kind: Kind) -> bool:
        """Whether there is a file at `path` that may not be as Loracle wrote it."""
        try:
            return os.path.lexists(path) and not self.is_as_written(path, kind)
        except OSError:
            return True

    def write(self, path: Path, content: bytes, kind: Kind) -> None:
        """Write a record and note it; another content that may be the user's is kept beside it first.

        Raises:
            RunError: it cannot be written, or what is there cannot be kept.
        """
        is_ours = not self.was_changed(path, kind)
        self.note({path: Written.of(content, kind)})
        write_own(path, content, lambda found: is_ours or found == content)

    def is_last_copy(self, path: Path, num_names: int = 1) -> bool:
        """Whether a file of an export's image folders may be all that is left of a picture or its caption.

        Args:
            num_names: of this file in those folders: pictures that are one file have several there.
        """
        noted = self._noted(path)
        if noted is None:
            return False
        if noted.source:
            return not noted.has_its_source(path)
        return noted.modified_ns is not None and path.lstat().st_nlink <= num_names  # a link of an earlier version

    def is_original(self, path: Path) -> bool:
        """Whether a file of an export's image folders is by now what it was made of, under another name: its folder was
        mounted there, or the original became a link to it. A hard link of the original, as exports make them, is not.
        """
        source = self.source_of(path)
        return bool(source) and _is_one_place(Path(source), path)

    def source_of(self, path: Path) -> str:
        """The picture or mask that a file of an export's image folders is, or goes with; empty: that is not known."""
        noted = self._noted(path)
        return "" if noted is None else noted.source

    def note(self, files: Mapping[Path, Written], gone: Iterable[Path] = ()) -> None:
        """Note files that are or will be written, and forget others.

        A failure to write the notes is passed over: the files then count as the user's.
        """
        gone = tuple(gone)
        for store in self._stores:
            new = {store.key(path): one for path, one in files.items() if self._store(path) is store}
            old = [store.key(path) for path in gone if self._store(path) is store]
            if new or old:
                store.change(new, old)

    def note_move(self, before: Path, after: Path) -> None:
        """Note that a file has another name; nothing where nothing is noted of it."""
        noted = self._noted(before)
        if noted is not None:
            self.note({after: noted}, gone=(before,))

    def _noted(self, path: Path) -> Written | None:
        store = self._store(path)
        return store.read().get(store.key(path))

    def _store(self, path: Path) -> _Store:
        return next(store for store in self._stores if store.holds(path))

    @cached_property
    def _stores(self) -> tuple[_Store, ...]:
        outer = _Store((self.data or data_folder()) / Path(WRITTEN_NAME).name, None)
        return (outer,) if self.run is None else (_Store(RunFolder(self.run).written, _real(self.run)), outer)


@dataclass(frozen=True)
class _Store:
    """One file of notes."""

    file: Path
    root: Path | None
    """What it is about; paths are noted relative to it. None: everything, by absolute paths."""

    def holds(self, path: Path) -> bool:
        return self.root is None or _placed(path).is_relative_to(self.root)

    def key(self, path: Path) -> str:
        placed = _placed(path)
        return placed.as_posix() if self.root is None else placed.relative_to(self.root).as_posix()

    def read(self) -> Mapping[str, Written]:
        """The notes; none where there is no file or a damaged one."""
        try:
            found = self.file.stat()
        except OSError:
            return {}
        return _notes(self.file, (found.st_ino, found.st_size, found.st_mtime_ns))

    def change(self, new: Mapping[str, Written], gone: Collection[str]) -> None:
        notes = {key: one for key, one in self.read().items() if key not in gone and self._is_there(key)}
        for key, one in new.items():
            before = notes[key].sha256 if key in notes and notes[key].kind == one.kind else ()
            digests = dict.fromkeys((*one.sha256, *before))
            notes[key] = one.model_copy(update={"sha256": tuple(digests)[:MOST_DIGESTS] if one.sha256 else ()})
        tree = {"files": {key: one.model_dump(exclude_none=True, exclude_defaults=True) for key, one in notes.items()}}
        _notes.cache_clear()
        with suppress(RunError):
            write_own(self.file, json.dumps(tree, indent=1) + "\n", _are_notes)

    def _is_there(self, key: str) -> bool:
        return os.path.lexists(key if self.root is None else self.root / key)


@lru_cache(maxsize=4)
def _notes(file: Path, seen: tuple[int, int, int]) -> Mapping[str, Written]:  # noqa: ARG001
    """What a file of notes holds, parsed once as long as it is as it was seen: it is asked for each picture."""
    try:
        return parse_record(read_bounded(file, MOST_RECORD_BYTES), _Document).files
    except (OSError, Malformed, ValidationError):
        return {}


def _are_notes(content: bytes) -> bool:
    """Whether they are notes of ours; a file of the user's may have that name."""
    with suppress(Malformed):
        tree = parse_json(content)
        return isinstance(tree, dict) and tree.keys() == {"files"}
    return False


def _real(path: Path) -> Path:
    return Path(os.path.realpath(path))


def _placed(path: Path) -> Path:
    """The path with the links of its folders followed; the file itself may be a link."""
    return _real(path.parent) / path.name
