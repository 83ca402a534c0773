"""What an ONNX file is made of: what goes in and comes out, whose operators it needs, which files hold its weights.

Nothing is computed and no weight is read. The format: github.com/onnx/onnx/blob/main/onnx/onnx.proto.
"""

from __future__ import annotations

import mmap
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath, PureWindowsPath
from typing import Literal

from advisor.errors import ModelError
from advisor.files import is_file, open_regular
from advisor.shown_text import short_text
from advisor.tensor_files.protobuf import BrokenMessage, Field, FieldReader
from advisor.units import GIB

MOST_FILE_BYTES = 2 * GIB
"""Protobuf's own limit for a message; larger models have their weights in other files."""
MOST_WEIGHT_BYTES = 16 * GIB
"""Of all those files."""
MOST_FIELDS = 2_000_000
"""Of the whole file; the largest taggers have some ten thousand."""
MOST_DEPTH = 32
MOST_TEXT_BYTES = 4096
MOST_DIMENSIONS = 16

Message = Literal["model", "graph", "node", "attribute", "tensor", "sparse", "function", "opset"]
PARTS: Mapping[Message, Mapping[int, Message]] = {
    "model": {7: "graph", 8: "opset", 25: "function"},
    "graph": {1: "node", 5: "tensor", 15: "sparse"},
    "node": {5: "attribute"},
    "attribute": {5: "tensor", 6: "graph", 10: "tensor", 11: "graph", 22: "sparse", 23: "sparse"},
    "sparse": {1: "tensor", 2: "tensor"},
    "function": {7: "node", 11: "attribute"},
    "tensor": {},
    "opset": {},
}
"""Messages that lie in a message, by the number of their field."""
OPERATOR, DOMAIN, FUNCTION_DOMAIN = 4, 7, 10
TENSOR_NAME, EXTERNAL_DATA = 8, 13
GRAPH_INPUT, GRAPH_OUTPUT = 11, 12
DTYPES: Mapping[int, str] = {1: "float32", 2: "uint8", 3: "int8", 6: "int32", 7: "int64", 10: "float16", 11: "float64"}

KNOWN_DOMAINS = frozenset(("", "ai.onnx", "ai.onnx.ml", "com.microsoft", "com.microsoft.nchwc"))
"""Operators that onnxruntime has itself; others would need a library of native code."""
REFUSED_OPERATORS = frozenset(("EPContext", "PythonOp", "PythonOpGrad"))
"""They name further files, or functions of Python, to be run."""
MEND = "download it again, or choose another file"


@dataclass(frozen=True)
class OnnxValue:
    """What goes into a model, or comes out of it."""

    name: str
    dtype: str
    """As numpy calls it; `other`: one that no tagger has."""
    shape: tuple[int | None, ...]
    """None: any size."""


@dataclass(frozen=True)
class OnnxOutline:
    """A model without its weights."""

    inputs: tuple[OnnxValue, ...]
    """Without those that are weights."""
    outputs: tuple[OnnxValue, ...]
    weight_files: tuple[Path, ...]
    """Further files that hold its weights; they lie in its folder and are there."""


def read_onnx_outline(path: Path) -> OnnxOutline:
    """The outline of an ONNX file.

    Raises:
        ModelError: it cannot be read, is no ONNX file or a damaged one, needs operators that onnxruntime does not have,
            or weights from files that are not in its folder.
    """
    try:
        with open_regular(path) as file:
            size = os.fstat(file.fileno()).st_size
            if size > MOST_FILE_BYTES:
                raise ModelError(f"{path} has {size:,} bytes, more than an ONNX file can have: {MEND}")
            if size == 0:
                raise ModelError(f"{path} is empty: {MEND}")
            with mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as mapped, memoryview(mapped) as data:
                walk = _Walk(FieldReader(data, MOST_FIELDS))
                walk.read("model", 0, size)
    except BrokenMessage as error:
        raise ModelError(f"{path} is no ONNX file, or a damaged one ({error}): {MEND}") from None
    except OSError as error:
        raise ModelError(f"{path} cannot be read: {error.strerror or error}: name an .onnx file") from None
    return walk.outline(path)


class _Walk:
    """Goes through all messages of a file and keeps what the outline needs."""

    def __init__(self, reader: FieldReader) -> None:
        self._reader = reader
        self._inputs = list[OnnxValue]()
        self._outputs = list[OnnxValue]()
        self._weights = set[str]()
        self._locations = dict[str, None]()
        self._domains, self._own_domains, self._operators = set[str](), set[str](), set[str]()
        self._graphs = 0

    def read(self, kind: Message, start: int, end: int, depth: int = 0) -> None:
        """Read a message and those within it."""
        if depth > MOST_DEPTH:
            raise BrokenMessage("its parts lie too deep in one another")
        self._graphs += kind == "graph"
        parts = PARTS[kind]
        for field in self._reader.fields(start, end):
            if (part := parts.get(field.number)) is not None:
                if field.end == 0:
                    raise BrokenMessage("it has a number where a part belongs")
                self.read(part, field.value, field.end, depth + 1)
            elif kind == "tensor":
                self._tensor_field(field, is_weight=depth == 2)
            elif kind == "node" and field.number in (OPERATOR, DOMAIN):
                found = self._domains if field.number == DOMAIN else self._operators
                found.add(self._text(field))
            elif kind == "function" and field.number == FUNCTION_DOMAIN:
                self._own_domains.add(self._text(field))
            elif kind == "graph" and depth == 1 and field.number in (GRAPH_INPUT, GRAPH_OUTPUT):
                found_values = self._inputs if field.number == GRAPH_INPUT else self._outputs
                found_values.append(self._value(field))

    def outline(self, path: Path) -> OnnxOutline:
        """What was found, checked."""
        inputs = tuple(one for one in self._inputs if one.name not in self._weights)
        if not self._graphs or not inputs or not self._outputs:
            raise ModelError(f"{path} is no ONNX model: nothing goes in, or nothing comes out; {MEND}")
        strange = sorted(self._domains - KNOWN_DOMAINS - self._own_domains)
        if strange:
            raise ModelError(
                f"{path} needs operators of {short_text(strange[0])}, which onnxruntime does not have: "
                "choose another model"
            )
        if refused := sorted(self._operators & REFUSED_OPERATORS):
            raise ModelError(
                f"{path} has the operator {refused[0]}, which runs what is not in it: choose another model"
            )
        return OnnxOutline(inputs, tuple(self._outputs), _weight_files(path, self._locations))

    def _tensor_field(self, field: Field, *, is_weight: bool) -> None:
        if field.number == TENSOR_NAME and is_weight:
            self._weights.add(self._text(field))
        elif field.number == EXTERNAL_DATA:
            texts = {one.number: self._text(one) for one in self._reader.fields(field.value, field.end)}
            if texts.get(1) == "location":
                self._locations[texts.get(2, "")] = None

    def _value(self, field: Field) -> OnnxValue:
        name, dtype, shape = "", "other", list[int | None]()
        for one in self._reader.fields(field.value, field.end):
            if one.number == 1:
                name = self._text(one)
            elif one.number == 2:
                for tensor in self._inner(self._inner((one,), 1), 1, 2):
                    if tensor.number == 1:
                        dtype = DTYPES.get(tensor.value, "other")
                    else:
                        shape += [self._dimension(size) for size in self._inner((tensor,), 1)]
        if len(shape) > MOST_DIMENSIONS:
            raise BrokenMessage(f"a value in it has {len(shape)} dimensions")
        return OnnxValue(name, dtype, tuple(shape))

    def _inner(self, fields: tuple[Field, ...], *numbers: int) -> tuple[Field, ...]:
        """The fields of these numbers within messages."""
        return tuple(
            one for field in fields for one in self._reader.fields(field.value, field.end) if one.number in numbers
        )

    def _dimension(self, field: Field) -> int | None:
        sizes = [one.signed for one in self._reader.fields(field.value, field.end) if one.number == 1 and not one.end]
        return sizes[0] if sizes and sizes[0] > 0 else None

    def _text(self, field: Field) -> str:
        return self._reader.text(field, MOST_TEXT_BYTES)


def _weight_files(path: Path, locations: Mapping[str, None]) -> tuple[Path, ...]:
    """The files with further weights.

    Raises:
        ModelError: one of them does not lie in the model's folder, or is not there, or all are too large.
    """
    found = list[Path]()
    total = 0
    for location in locations:
        if not _stays_inside(location):
            raise ModelError(
                f"{path} takes weights from {short_text(location)}, outside of its own folder: it is not opened; "
                "choose another model"
            )
        file = path.parent / location
        if not is_file(file):
            raise ModelError(
                f"{path} has its weights in {short_text(location)}, which is not beside it: download that too"
            )
        total += file.stat().st_size
        found.append(file)
    if total > MOST_WEIGHT_BYTES:
        raise ModelError(f"{path} has {total:,} bytes of weights, more than any tagger: {MEND}")
    return tuple(found)


def _stays_inside(location: str) -> bool:
    """Whether a path that a file names can only lead into the file's own folder, on any system."""
    parts = (*PurePosixPath(location).parts, *PureWindowsPath(location).parts)
    is_absolute = PurePosixPath(location).is_absolute() or bool(PureWindowsPath(location).anchor)
    return bool(location) and not is_absolute and ".." not in parts and "\0" not in location
