"""What a file of torch.save names, found by reading its pickles' instructions one by one; nothing is carried out.

Two layouts: a zip archive (since torch 1.6) with one pickle and a part for each storage, and before it five pickles and
then the storages' bytes. `torch.load` takes the one or the other by the first four bytes, and so do we. In an archive
torch's reader must find the same parts as ours, whatever marks it goes by: see `advisor.tensor_files.archive`.
"""

from __future__ import annotations

import io
import os
import pickletools
import warnings
import zlib
from _compat_pickle import IMPORT_MAPPING, NAME_MAPPING
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

from advisor.errors import ModelError
from advisor.files import open_regular
from advisor.shown_text import visible_line
from advisor.tensor_files.archive import STORED, ArchiveFlaw, CutOff, Part, check_layout, read_table, same_names
from advisor.units import counted, gib
from trainer.convert.pickle_names import is_allowed, is_hostile
from trainer.convert.pickle_tuples import TupleSizes

ZIP_START = b"PK\x03\x04"
MOST_PICKLE_BYTES = 64 * 1024**2
"""The names of all weights of the largest models are a few MB."""
LEGACY_PICKLES = 5
"""torch's mark, its version, the kind of machine, the weights, the storages' keys."""
LEGACY_START = bytes.fromhex("8a0a6cfc9c46f9206aa850192e")
"""The mark: the number 0x1950A86A20F9469CFC6C, after the pickle's protocol."""
SHOWN = 5
LONGEST_NAME = 100

INSTRUCTIONS = frozenset(
    {
        "PROTO", "STOP", "GLOBAL", "NEWOBJ", "REDUCE", "BUILD", "APPEND", "APPENDS", "SETITEM", "SETITEMS", "MARK",
        "TUPLE", "TUPLE1", "TUPLE2", "TUPLE3", "NONE", "NEWFALSE", "NEWTRUE", "EMPTY_TUPLE", "EMPTY_LIST", "EMPTY_DICT",
        "EMPTY_SET", "BININT", "BININT1", "BININT2", "BINFLOAT", "BINUNICODE", "SHORT_BINSTRING", "BINPERSID", "BINGET",
        "LONG_BINGET", "BINPUT", "LONG_BINPUT", "LONG1",
    }
)  # fmt: skip
"""What torch.save writes and torch's reader of weights carries out."""
TEXTS = frozenset(
    {"UNICODE", "BINUNICODE", "SHORT_BINUNICODE", "BINUNICODE8", "STRING", "SHORT_BINSTRING", "BINSTRING"}
)

NESTED_TUPLES = "tuples that hold one another many times"
"""Given in place of an instruction; what comes behind it is not read."""
MOST_IN_A_TUPLE = 100_000
"""Objects; those of torch.save hold a dozen, or a tensor's sizes."""

RUN_NOTHING = "nothing in it was run"
DAMAGED = "it is damaged or cut off: download it again"


Stamp = tuple[int, ...]
"""Of a file and its last change: when it differs, the name stands for other bytes."""


@dataclass(frozen=True)
class Scan:
    """What a file holds, as far as its instructions tell."""

    names: frozenset[str]
    """E.g. `torch._utils._rebuild_tensor_v2`."""
    parts: tuple[Part, ...] | None
    """Of an archive, in the order of their bytes; None: it is the older layout."""
    stamp: Stamp

    @property
    def is_zip(self) -> bool:
        """It is an archive."""
        return self.parts is not None


def scan_file(path: Path) -> Scan:
    """What the pickles in a file of torch.save name; all of it is allowed.

    Raises:
        ModelError: something else is named, or it is no sound file of torch.save.
    """
    try:
        with open_regular(path) as file:
            stamp = _stamp(os.fstat(file.fileno()))
            is_zip = file.read(len(ZIP_START)) == ZIP_START
            file.seek(0)
            parts = _parts(path, file) if is_zip else None
            raw = file.read(MOST_PICKLE_BYTES) if parts is None else _zip_pickle(path, file, parts)
    except OSError as error:
        raise ModelError(f"{path} cannot be read: {error.strerror or error}; check the path and the disk") from error
    of_torch = is_zip or raw[2 : 2 + len(LEGACY_START)] == LEGACY_START
    names = _scan(path, io.BytesIO(raw), LEGACY_PICKLES if of_torch and not is_zip else 1)
    if not of_torch:
        raise ModelError(
            f"{path} is a pickle that torch.save did not write, so it holds no weights that can be read: "
            f"{RUN_NOTHING}; take the model as a .safetensors file"
        )
    return Scan(names, parts, stamp)


def refuse_changed(path: Path, scan: Scan) -> None:
    """Raise a ModelError if the file at `path` is not the scanned one any more."""
    try:
        same = _stamp(path.stat()) == scan.stamp
    except OSError:
        same = False
    if not same:
        raise ModelError(f"{path} was changed while it was read: start again when nothing writes to it any more")


def _stamp(state: os.stat_result) -> Stamp:
    return (state.st_dev, state.st_ino, state.st_size, state.st_mtime_ns, state.st_ctime_ns)


def _scan(path: Path, stream: BinaryIO, num_pickles: int) -> frozenset[str]:
    """The names in so many pickles, one behind the other."""
    names, strange = set[str](), set[str]()
    try:
        for _ in range(num_pickles):
            for instruction, name in instructions(stream):
                if name is not None:
                    names.add(name)
                if instruction not in INSTRUCTIONS:
                    strange.add(instruction)
    except ValueError as error:
        _refuse_names(path, names)
        raise ModelError(f"{path}: its pickle breaks off ({error}); {DAMAGED}") from error
    _refuse_names(path, names)
    if strange:
        raise ModelError(
            f"{path} was not opened: its pickle has instructions that torch.save does not write by itself "
            f"({_listed(strange)}); {RUN_NOTHING}. Look for the model as a .safetensors file"
        )
    return frozenset(names)


def instructions(pickle: BinaryIO) -> Iterator[tuple[str, str | None]]:
    """Each instruction of a pickle with what it names, if it names something; protocols 4 and 5 take names off the
    stack, which is followed as far as texts go.

    Raises:
        ValueError: it is no whole pickle.
    """
    texts = list[str]()
    memo = dict[int, str]()
    last, sizes = "", TupleSizes()
    for opcode, found in _read(pickle):
        if sizes.after(opcode, found) > MOST_IN_A_TUPLE:
            yield NESTED_TUPLES, None
            return
        name: str | None = None
        argument: Any = found
        if opcode.name in TEXTS:
            last = argument if isinstance(argument, str) else argument.decode("latin-1")
            texts.append(last)
        elif opcode.name in ("BINPUT", "LONG_BINPUT", "PUT"):
            memo[argument] = last
        elif opcode.name == "MEMOIZE":
            memo[len(memo)] = last
        elif opcode.name in ("BINGET", "LONG_BINGET", "GET") and memo.get(argument):
            texts.append(memo[argument])
        elif opcode.name in ("GLOBAL", "INST"):
            name = modern_name(*str(argument).split(" ", 1))
        elif opcode.name == "STACK_GLOBAL":
            name = modern_name(*texts[-2:]) if len(texts) > 1 else "a name that it hides"
        if opcode.name not in (*TEXTS, "BINPUT", "LONG_BINPUT", "PUT", "MEMOIZE"):
            last = ""
        yield opcode.name, name


def _read(pickle: BinaryIO) -> Iterator[tuple[pickletools.OpcodeInfo, Any]]:
    """Each instruction with its argument; Python's warnings of odd escapes in a text say nothing to a user."""
    read = pickletools.genops(pickle)
    while True:
        with warnings.catch_warnings(action="ignore"):
            found = next(read, None)
        if found is None:
            return
        yield found[:2]


def modern_name(module: str, name: str = "") -> str:
    """`module.name` as Python 3 has it: pickles of protocol 2 use Python 2's names."""
    if (module, name) in NAME_MAPPING:
        module, name = NAME_MAPPING[module, name]
    else:
        module = IMPORT_MAPPING.get(module, module)
    return f"{module}.{name}"


def printable(text: str) -> str:
    """A name out of a file, short and without what could steer a terminal."""
    return visible_line(text[:LONGEST_NAME])


def _refuse_names(path: Path, names: set[str]) -> None:
    refused = {name for name in names if not is_allowed(name)}
    hostile = {name for name in refused if is_hostile(name)}
    if hostile:
        raise ModelError(
            f"{path} was not opened: it names {_listed(hostile)}, which can run programs and which no weights need: "
            f"files like this are made to do harm. {RUN_NOTHING.capitalize()}. Delete it, and take the model from its "
            "author's own page, as a .safetensors file"
        )
    if refused:
        raise ModelError(
            f"{path} was not opened: beside weights it names {_listed(refused)}, and to read that, code from elsewhere "
            f"would have to run; {RUN_NOTHING}. Look for the model as a .safetensors file, or ask its author for its "
            "weights alone"
        )


def _parts(path: Path, file: BinaryIO) -> tuple[Part, ...]:
    """The parts of an archive of torch.save, which lie one after another and are not compressed."""
    try:
        table = read_table(file)
        _check_parts(path, table.parts, os.fstat(file.fileno()).st_size)
        return check_layout(file, table)
    except CutOff as flaw:
        raise ModelError(f"{path} is an archive that cannot be read to its end ({flaw}): {DAMAGED}") from flaw
    except ArchiveFlaw as flaw:
        raise ModelError(_malformed(path, str(flaw))) from flaw


def _zip_pickle(path: Path, file: BinaryIO, parts: Sequence[Part]) -> bytes:
    part = next(part for part in parts if _is_pickle(part))
    file.seek(part.start)
    raw = file.read(part.num_bytes)
    if zlib.crc32(raw) != part.crc32:
        raise ModelError(f"{path}: its pickle does not fit its checksum; {DAMAGED}")
    return raw


def _is_pickle(part: Part) -> bool:
    return _file_name(part) == "data.pkl"


def _file_name(part: Part) -> str:
    """In small letters, as torch's reader does not tell them from capitals."""
    return part.name.rsplit("/", 1)[-1].lower()


def _malformed(path: Path, what: str) -> str:
    return (
        f"{path} was not opened: its archive is malformed in a way that hides contents ({what}), so that a check and "
        f"the program that opens it may see two different files; {RUN_NOTHING}. Take the model from its author's own "
        "page, as a .safetensors file"
    )


def _check_parts(path: Path, parts: Sequence[Part], file_bytes: int) -> None:
    """Raise a ModelError if the parts are not those that torch.save writes."""
    pickles = [part for part in parts if _is_pickle(part)]
    if any(_file_name(part) == "constants.pkl" for part in parts):
        raise ModelError(
            f"{path} is a TorchScript program and no plain weights: it is not opened; take the model's checkpoint"
        )
    if len(pickles) != 1:
        raise ModelError(
            f"{path} has {counted(len(pickles), 'pickle')} in it, and torch.save writes exactly one: it is not opened; "
            "choose another file"
        )
    packed = next((part for part in parts if part.method != STORED or part.is_locked), None)
    if packed is not None:
        raise ModelError(
            f"{path} was packed anew: {printable(packed.name)} in it is compressed or locked, which torch.save "
            "never does; take the original file"
        )
    twice = same_names(parts)
    if twice is not None:
        raise ModelError(_malformed(path, f"two of its parts are called {printable(twice)}"))
    folder = parts[0].name.partition("/")[0]
    if pickles[0].name != f"{folder}/data.pkl" or not all(part.name.startswith(f"{folder}/") for part in parts):
        raise ModelError(_malformed(path, "its parts do not lie in one folder"))
    claimed = sum(part.num_bytes for part in parts)
    if claimed > file_bytes or any(part.num_bytes != part.packed_bytes for part in parts):
        raise ModelError(
            f"{path} claims to hold {gib(claimed)} and is {gib(file_bytes)} itself: its parts overlap, as in files "
            "made to fill disks; it is not opened"
        )
    if pickles[0].num_bytes > MOST_PICKLE_BYTES:
        raise ModelError(f"{path} has a pickle of {gib(pickles[0].num_bytes)}, and weights need a few MB: not opened")


def _listed(names: set[str]) -> str:
    first = ", ".join(sorted(printable(name) for name in names)[:SHOWN])
    return f"{first} and {len(names) - SHOWN} more" if len(names) > SHOWN else first
