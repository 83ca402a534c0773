"""ONNX files, written without the package onnx. The format: github.com/onnx/onnx/blob/main/onnx/onnx.proto."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

IR_VERSION, OPSET = 8, 17
VARINT, BYTES, FIXED32 = 0, 2, 5
FLOAT, INT, TENSOR, INTS = 1, 2, 4, 7
"""Kinds of attributes."""
DTYPES = {"float32": 1, "uint8": 2, "int8": 3, "int64": 7, "float16": 10}
EXTERNAL = 1

Array = npt.NDArray[np.generic]
Attribute = int | float | Sequence[int]
Dimension = int | str | None
"""A size, the name of an open one, or an open one without a name."""


@dataclass(frozen=True)
class Value:
    """What goes in or comes out."""

    name: str
    shape: Sequence[Dimension]
    dtype: str = "float32"


def varint(number: int) -> bytes:
    """A number."""
    number %= 2**64
    found = bytearray()
    while number > 0x7F:
        found.append(number & 0x7F | 0x80)
        number >>= 7
    found.append(number)
    return bytes(found)


def number(field: int, value: int) -> bytes:
    """A field that holds a number."""
    return varint(field << 3 | VARINT) + varint(value)


def message(field: int, content: bytes | str) -> bytes:
    """A field that holds bytes, a text or a message."""
    content = content.encode() if isinstance(content, str) else content
    return varint(field << 3 | BYTES) + varint(len(content)) + content


def attribute(name: str, value: Attribute) -> bytes:
    """A node's attribute."""
    if isinstance(value, float):
        body = varint(2 << 3 | FIXED32) + np.float32(value).tobytes() + number(20, FLOAT)
    elif isinstance(value, int):
        body = number(3, value) + number(20, INT)
    else:
        body = b"".join(number(8, one) for one in value) + number(20, INTS)
    return message(5, message(1, name) + body)


def node(
    operator: str, inputs: Iterable[str], outputs: Iterable[str], *, domain: str = "", **attributes: Attribute
) -> bytes:
    """A node of a graph."""
    body = b"".join(message(1, one) for one in inputs) + b"".join(message(2, one) for one in outputs)
    body += message(4, operator) + b"".join(attribute(name, value) for name, value in attributes.items())
    return message(1, body + (message(7, domain) if domain else b""))


def tensor(name: str, array: Array, location: str = "") -> bytes:
    """A weight; with a location its numbers lie in that file."""
    body = b"".join(number(1, size) for size in array.shape) + number(2, DTYPES[str(array.dtype)]) + message(8, name)
    if not location:
        return message(5, body + message(9, np.ascontiguousarray(array).tobytes()))
    return message(5, body + message(13, message(1, "location") + message(2, location)) + number(14, EXTERNAL))


def value(field: int, described: Value) -> bytes:
    """What goes in (field 11) or comes out (12) of a graph."""
    sizes = b"".join(
        message(1, number(1, size) if isinstance(size, int) else message(2, size) if size else b"")
        for size in described.shape
    )
    kind = message(1, number(1, DTYPES[described.dtype]) + message(2, sizes))
    return message(field, message(1, described.name) + message(2, kind))


def model(
    nodes: Iterable[bytes],
    weights: Mapping[str, Array],
    inputs: Iterable[Value],
    outputs: Iterable[Value],
    *,
    locations: Mapping[str, str] | None = None,
    domains: Iterable[str] = (),
) -> bytes:
    """A whole file.

    Args:
        locations: files that hold weights, by the weights' names.
        domains: of operators beside ONNX's own.
    """
    places = locations or {}
    graph = b"".join(nodes) + message(2, "graph")
    graph += b"".join(tensor(name, array, places.get(name, "")) for name, array in weights.items())
    graph += b"".join(value(11, one) for one in inputs) + b"".join(value(12, one) for one in outputs)
    opsets = b"".join(
        message(8, message(1, domain) + number(2, version))
        for domain, version in (("", OPSET), *((d, 1) for d in domains))
    )
    return number(1, IR_VERSION) + message(2, "loracle") + message(7, graph) + opsets
