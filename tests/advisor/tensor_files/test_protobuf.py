from __future__ import annotations

from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from advisor.tensor_files.protobuf import BrokenMessage, Field, FieldReader
from benchmarks.demo_tagger.onnx_writer import message, number


def fields(content: bytes, most: int = 1000) -> list[Field]:
    return list(FieldReader(memoryview(content), most).fields(0, len(content)))


def test_numbers_and_bytes_are_found_where_they_are() -> None:
    content = number(1, 300) + message(2, b"abc") + number(3, -1)

    assert fields(content) == [Field(1, 300), Field(2, 5, 8), Field(3, 2**64 - 1)]
    assert fields(content)[2].signed == -1


def test_fixed_numbers_are_passed_over() -> None:
    content = b"\x0d\x00\x00\x80\x3f" + b"\x11" + bytes(8) + number(3, 7)

    assert fields(content) == [Field(3, 7)]


@pytest.mark.parametrize(
    ("content", "why"),
    [
        (b"\x0a\x05abc", "it is cut off"),
        (b"\x08", "it is cut off"),
        (b"\x08" + b"\xff" * 11, "a number in it has no end"),
        (b"\x0d\x00", "it is cut off"),
        (b"\x0b", "it has a field of the unknown kind 3"),
        (b"\x00\x00", "it has a field of the number 0"),
    ],
)
def test_what_is_no_message_is_said_to_be_none(content: bytes, why: str) -> None:
    with pytest.raises(BrokenMessage, match=why):
        fields(content)


def test_a_message_of_endless_parts_is_given_up() -> None:
    with pytest.raises(BrokenMessage, match="more parts than any honest file"):
        fields(number(1, 1) * 11, most=10)


def test_a_text_that_is_none_is_refused() -> None:
    content = message(1, b"\xff\xfe") + message(2, "x" * 20) + number(3, 1)
    reader = FieldReader(memoryview(content), 100)
    broken, long, numeric = reader.fields(0, len(content))

    for field, why in ((broken, "not UTF-8"), (long, "longer than 10 bytes"), (numeric, "no text")):
        with pytest.raises(BrokenMessage, match=why):
            reader.text(field, 10)


@given(st.binary(max_size=200))
def test_whatever_the_bytes_are_they_are_read_or_refused(content: bytes) -> None:
    with suppress(BrokenMessage):
        assert all(field.end <= len(content) for field in fields(content))
