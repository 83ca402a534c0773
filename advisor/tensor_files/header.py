"""The header of a safetensors file: names, dtypes and shapes of its tensors. Format: huggingface.co/docs/safetensors.

A checkpoint of 7 GB costs as much as one of 7 MB, because the tensors themselves are not touched.
"""

from __future__ import annotations

import stat
import struct
from collections.abc import Mapping
from dataclasses import dataclass
from math import prod
from pathlib import Path

from advisor.errors import ModelError
from advisor.files import open_regular
from advisor.json_text import Malformed, parse_json
from advisor.shown_text import short
from advisor.tensor_files.other_formats import HEAD_BYTES, foreign_format, is_text

MAX_HEADER_BYTES = 100_000_000
"""The format's own cap: no genuine header comes near it, and a larger number is a damaged or hostile file."""
MAX_DIMENSIONS = 64
MAX_NAME = 1000
"""Letters of a tensor's name: longer ones are made to slow down those who look for patterns in them."""
MAX_LENGTH = 2**63 - 1
DAMAGED = "download or save it again; if that does not help, it was written wrongly"

DTYPE_BITS: Mapping[str, int] = {
    **dict.fromkeys(("BOOL", "U8", "I8", "F8_E4M3", "F8_E5M2", "F8_E8M0", "F8_E4M3FNUZ", "F8_E5M2FNUZ"), 8),
    **dict.fromkeys(("I16", "U16", "F16", "BF16"), 16),
    **dict.fromkeys(("I32", "U32", "F32"), 32),
    **dict.fromkeys(("I64", "U64", "F64", "C64"), 64),
    "F4": 4,
    "F6_E2M3": 6,
    "F6_E3M2": 6,
}


@dataclass(frozen=True)
class TensorInfo:
    """One tensor; `start` and `end` count bytes from the header's end."""

    dtype: str
    shape: tuple[int, ...]
    start: int
    end: int

    @property
    def size(self) -> int:
        """How many values it holds."""
        return prod(self.shape)


@dataclass(frozen=True)
class Header:
    """All that a safetensors file says about its tensors."""

    tensors: dict[str, TensorInfo]
    metadata: dict[str, str]
    data_start: int
    """Where the tensors' bytes begin in the file."""
    file_bytes: int


class _Flaw(ValueError):
    """Why a header is refused; `parse_header`'s caller names the file."""


def read_header(path: Path) -> Header:
    """The header of the safetensors file at `path`, every entry of it checked.

    Raises:
        ModelError: there is no such file, it cannot be read, it is something else, cut off, or its header is wrong.
    """
    try:
        return _read(path)
    except _Flaw as flaw:
        raise ModelError(f"{path} has a damaged header: {flaw}; {DAMAGED}") from flaw
    except (OSError, ValueError) as error:
        raise ModelError(_why_unreadable(path, error)) from error


def _read(path: Path) -> Header:
    state = path.stat()
    if stat.S_ISDIR(state.st_mode):
        raise ModelError(f"{path} is a folder and not a file: give a .safetensors file in it")
    if not stat.S_ISREG(state.st_mode):
        raise ModelError(f"{path} is no regular file: give a .safetensors file")
    if state.st_size == 0:
        raise ModelError(f"{path} is empty (0 bytes): the download did not begin; download it again")
    with open_regular(path) as file:
        head = file.read(HEAD_BYTES)
        length = _header_length(path, head, state.st_size)
        file.seek(8)
        raw = file.read(length)
    if len(raw) < length:
        raise _Flaw(f"it should be {length:,} bytes long, and {len(raw):,} could be read")
    return parse_header(raw, state.st_size)


def _header_length(path: Path, head: bytes, file_bytes: int) -> int:
    """The length that the first eight bytes tell, when the file can be a safetensors file at all."""
    length = int.from_bytes(head[:8], "little") if len(head) >= 8 else 0
    if head[8:9] == b"{" and length <= MAX_HEADER_BYTES:
        if length > file_bytes - 8:
            raise ModelError(
                f"{path} is cut off: its header alone should be {length:,} bytes, and the file has {file_bytes:,}; "
                "download it again"
            )
        return length
    foreign = foreign_format(path, head)
    if foreign is not None:
        raise ModelError(f"{path} is {foreign.what}: {foreign.mend}")
    if is_text(head):
        raise ModelError(f"{path} is a text file and not a model: give the .safetensors file itself")
    if head[8:9] == b"{":
        raise _Flaw(f"it claims to be {length:,} bytes long, more than the {MAX_HEADER_BYTES:,} that are allowed")
    raise ModelError(
        f"{path} is not a safetensors file: it begins with {head[:9].hex(' ')} and not with a header; "
        "give a .safetensors file, or download this one again"
    )


def parse_header(raw: bytes, file_bytes: int) -> Header:
    """The header in `raw`, whose file has `file_bytes` in all.

    Raises:
        ValueError: it is not what the format allows.
    """
    entries = _json(raw)
    if not isinstance(entries, dict):
        raise _Flaw(f"it is a JSON {type(entries).__name__} and not a table")
    metadata = _metadata(entries.pop("__metadata__", {}))
    overlong = next((name for name in entries if len(name) > MAX_NAME), None)
    if overlong is not None:
        raise _Flaw(
            f"the name {short(overlong)} has {len(overlong):,} letters, more than the {MAX_NAME:,} allowed here"
        )
    tensors = {name: _tensor(short(name), entry) for name, entry in entries.items()}
    data_start = 8 + len(raw)
    _check_layout(tensors, file_bytes - data_start)
    return Header(tensors, metadata, data_start, file_bytes)


def _json(raw: bytes) -> object:
    if raw.startswith(b"\xef\xbb\xbf"):
        raise _Flaw("it begins with a byte order mark")
    try:
        return parse_json(raw)
    except Malformed as flaw:
        raise _Flaw(str(flaw)) from None


def _metadata(found: object) -> dict[str, str]:
    if not isinstance(found, dict):
        raise _Flaw(f"its metadata are a {type(found).__name__} and not a table")
    for key, value in found.items():
        if not isinstance(value, str):
            raise _Flaw(f"the metadata {short(key)} are a {type(value).__name__} and not text")
    return found


def _tensor(name: str, entry: object) -> TensorInfo:
    """The entry, checked; `name` as it is shown."""
    if not isinstance(entry, dict) or set(entry) != {"dtype", "shape", "data_offsets"}:
        raise _Flaw(f"the entry {name} is not a dtype, a shape and two offsets")
    dtype = entry["dtype"]
    if not isinstance(dtype, str) or dtype not in DTYPE_BITS:
        raise _Flaw(f"{name} has the dtype {short(dtype)}, which the format does not have")
    shape, offsets = _lengths(name, entry["shape"]), _lengths(name, entry["data_offsets"])
    if len(offsets) != 2 or offsets[0] > offsets[1]:
        raise _Flaw(f"{name} has the offsets {list(offsets)}, and not a start and an end")
    tensor = TensorInfo(dtype, shape, *offsets)
    needed_bits = _num_values(name, shape) * DTYPE_BITS[dtype]
    if needed_bits != (tensor.end - tensor.start) * 8:
        raise _Flaw(
            f"{name} has {tensor.end - tensor.start:,} bytes, and {dtype} of shape {list(shape)} needs "
            f"{needed_bits / 8:,.1f}".removesuffix(".0")
        )
    return tensor


def _num_values(name: str, shape: tuple[int, ...]) -> int:
    """The product of the lengths; a side of 0 does not excuse the others, whose product readers keep in 64 bits."""
    size = 1
    for length in shape:
        size *= length or 1
        if size > MAX_LENGTH:
            raise _Flaw(f"{name} has the shape {short(list(shape))}, more values than any computer can count")
    return 0 if 0 in shape else size


def _lengths(name: str, found: object) -> tuple[int, ...]:
    if not isinstance(found, list) or len(found) > MAX_DIMENSIONS:
        raise _Flaw(f"a shape or the offsets of {name} are no short list")
    for length in found:
        if type(length) is not int or not 0 <= length <= MAX_LENGTH:
            raise _Flaw(f"a shape or the offsets of {name} hold something other than whole numbers from 0")
    return tuple(found)


def _check_layout(tensors: Mapping[str, TensorInfo], data_bytes: int) -> None:
    """Each byte after the header belongs to one tensor and no more."""
    reached, before = 0, ""
    for name, tensor in sorted(tensors.items(), key=lambda item: (item[1].start, item[1].end)):
        if tensor.start < reached:
            raise _Flaw(f"{short(name)} overlaps {short(before)}")
        if tensor.start > reached:
            raise _Flaw(f"{tensor.start - reached:,} bytes before {short(name)} belong to no tensor")
        reached, before = tensor.end, name
    if reached > data_bytes:
        raise _Flaw(f"the file is cut off: its tensors need {reached:,} bytes, and {data_bytes:,} are there")
    if reached < data_bytes:
        raise _Flaw(f"{data_bytes - reached:,} bytes at the file's end belong to no tensor")


_FLOATS = {"F16": "e", "F32": "f", "F64": "d"}


def read_floats(path: Path, header: Header, name: str, *, limit: int = 4096) -> tuple[float, ...] | None:
    """The values of one small float tensor; None when it is absent, larger than `limit` or of another dtype.

    Raises:
        ModelError: the file cannot be read.
    """
    tensor = header.tensors.get(name)
    if tensor is None or tensor.size > limit or tensor.dtype not in (*_FLOATS, "BF16"):
        return None
    try:
        with open_regular(path) as file:
            file.seek(header.data_start + tensor.start)
            raw = file.read(tensor.end - tensor.start)
    except OSError as error:
        raise ModelError(_why_unreadable(path, error)) from error
    if len(raw) < tensor.end - tensor.start:
        return None
    if tensor.dtype == "BF16":
        raw = b"".join(b"\0\0" + raw[at : at + 2] for at in range(0, len(raw), 2))
    return struct.unpack(f"<{tensor.size}{_FLOATS.get(tensor.dtype, 'f')}", raw)


def _why_unreadable(path: Path, error: Exception) -> str:
    if isinstance(error, FileNotFoundError):
        return f"{path} does not exist: check the path for a typing mistake, or a drive that is not there"
    if isinstance(error, PermissionError):
        return f"{path} may not be read: give yourself the right to read it, or copy it elsewhere"
    if isinstance(error, OSError):
        return f"{path} cannot be read: {error.strerror or error}; check the path and the disk"
    return f"{str(path)!r} is no path that this system can open ({error}): check it for strange characters"
