"""What a file of torch.save names, found by reading its pickles' instructions one by one; nothing is carried out.

Two layouts: a zip archive (since torch 1.6) with one pickle and a part for each storage, and before it five pickles and
then the storages' bytes. `torch.load` takes the one or the other by the first four bytes, and so do we.
"""

from __future__ import annotations

import errno
import io
import pickletools
import zipfile
from _compat_pickle import IMPORT_MAPPING, NAME_MAPPING
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

from advisor.errors import ModelError
from advisor.units import counted, gib
from trainer.convert.pickle_names import is_allowed, is_hostile

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
NAMING = frozenset({"GLOBAL", "INST", "STACK_GLOBAL"})
TEXTS = frozenset(
    {"UNICODE", "BINUNICODE", "SHORT_BINUNICODE", "BINUNICODE8", "STRING", "SHORT_BINSTRING", "BINSTRING"}
)

RUN_NOTHING = "nothing in it was run"
DAMAGED = "it is damaged or cut off: download it again"


@dataclass(frozen=True)
class Scan:
    """What a file holds, as far as its instructions tell."""

    names: frozenset[str]
    """E.g. `torch._utils._rebuild_tensor_v2`."""
    is_zip: bool


def scan_file(path: Path) -> Scan:
    """What the pickles in a file of torch.save name; all of it is allowed.

    Raises:
        ModelError: something else is named, or it is no sound file of torch.save.
    """
    try:
        with path.open("rb") as file:
            is_zip = file.read(len(ZIP_START)) == ZIP_START
            file.seek(0)
            raw = _zip_pickle(path) if is_zip else file.read(MOST_PICKLE_BYTES)
    except OSError as error:
        # EINVAL: the archive's own table sends its reader to a place before the file's start.
        mend = DAMAGED if error.errno == errno.EINVAL else "check the path and the disk"
        raise ModelError(f"{path} cannot be read: {error.strerror or error}; {mend}") from error
    of_torch = is_zip or raw[2 : 2 + len(LEGACY_START)] == LEGACY_START
    names = _scan(path, io.BytesIO(raw), LEGACY_PICKLES if of_torch and not is_zip else 1)
    if not of_torch:
        raise ModelError(
            f"{path} is a pickle that torch.save did not write, so it holds no weights that can be read: "
            f"{RUN_NOTHING}; take the model as a .safetensors file"
        )
    return Scan(names, is_zip)


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
    last = ""
    for opcode, found, _ in pickletools.genops(pickle):
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


def modern_name(module: str, name: str = "") -> str:
    """`module.name` as Python 3 has it: pickles of protocol 2 use Python 2's names."""
    if (module, name) in NAME_MAPPING:
        module, name = NAME_MAPPING[module, name]
    else:
        module = IMPORT_MAPPING.get(module, module)
    return f"{module}.{name}"


def printable(text: str) -> str:
    """A name out of a file, short and without what could steer a terminal."""
    return "".join(letter if letter.isprintable() else ascii(letter)[1:-1] for letter in text[:LONGEST_NAME])


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


def _zip_pickle(path: Path) -> bytes:
    """The one pickle in an archive of torch.save, whose parts lie one after another and are not compressed."""
    file_bytes = path.stat().st_size
    try:
        with zipfile.ZipFile(path) as archive:
            member = _checked(path, archive.infolist(), file_bytes)
            return archive.read(member)
    except (zipfile.BadZipFile, NotImplementedError, RuntimeError, EOFError, ValueError) as error:
        raise ModelError(f"{path} is an archive that cannot be read to its end ({error}): {DAMAGED}") from error


def _checked(path: Path, members: Sequence[zipfile.ZipInfo], file_bytes: int) -> zipfile.ZipInfo:
    names = [member.filename for member in members]
    pickles = [member for member in members if member.filename.rsplit("/", 1)[-1] == "data.pkl"]
    if any(name.rsplit("/", 1)[-1] == "constants.pkl" for name in names):
        raise ModelError(
            f"{path} is a TorchScript program and no plain weights: it is not opened; take the model's checkpoint"
        )
    if len(pickles) != 1 or len(set(names)) < len(names):
        what = f"{counted(len(pickles), 'pickle')} in it" if len(pickles) != 1 else "two parts of the same name"
        raise ModelError(f"{path} has {what}, and torch.save writes exactly one: it is not opened; download it again")
    packed = next((m for m in members if m.compress_type != zipfile.ZIP_STORED or m.flag_bits & 1), None)
    if packed is not None:
        raise ModelError(
            f"{path} was packed anew: {printable(packed.filename)} in it is compressed or locked, which torch.save "
            "never does; take the original file"
        )
    claimed = sum(member.file_size for member in members)
    if claimed > file_bytes:
        raise ModelError(
            f"{path} claims to hold {gib(claimed)} and is {gib(file_bytes)} itself: its parts overlap, as in files "
            "made to fill disks; it is not opened"
        )
    if pickles[0].file_size > MOST_PICKLE_BYTES:
        raise ModelError(f"{path} has a pickle of {gib(pickles[0].file_size)}, and weights need a few MB: not opened")
    return pickles[0]


def _listed(names: set[str]) -> str:
    first = ", ".join(sorted(printable(name) for name in names)[:SHOWN])
    return f"{first} and {len(names) - SHOWN} more" if len(names) > SHOWN else first
