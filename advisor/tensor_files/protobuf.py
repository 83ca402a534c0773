"""Messages in protobuf's wire format, read field by field without copying: protobuf.dev/programming-guides/encoding.

What the numbers of fields mean is the caller's business; a value of gigabytes costs as much as one of a byte.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

VARINT, FIXED64, BYTES, FIXED32 = 0, 1, 2, 5
FIXED_BYTES = {FIXED64: 8, FIXED32: 4}
MOST_VARINT_BYTES = 10
MOST_FIELD_NUMBER = 2**29 - 1
TWO_TO_64 = 2**64


class BrokenMessage(ValueError):
    """The bytes are no such message; says why, as a sentence that begins with `it`."""


@dataclass(frozen=True, slots=True)
class Field:
    """A field of a message."""

    number: int
    value: int
    """Of a number: itself, as an unsigned one. Of bytes: where they begin."""
    end: int = 0
    """Where the bytes end; 0: it is a number."""

    @property
    def signed(self) -> int:
        """A number of 64 bits that may be below 0."""
        return self.value - TWO_TO_64 if self.value >= TWO_TO_64 // 2 else self.value


class FieldReader:
    """Reads fields out of a buffer, and no more of them than were allowed."""

    def __init__(self, data: memoryview, most_fields: int) -> None:
        """Read from `data`; all calls together give at most `most_fields`."""
        self._data, self._left = data, most_fields

    def fields(self, start: int, end: int) -> Iterator[Field]:
        """The fields of the message between two places of the buffer.

        Raises:
            BrokenMessage: it is none, or has too many fields.
        """
        place = start
        while place < end:
            self._left -= 1
            if self._left < 0:
                raise BrokenMessage("it has more parts than any honest file")
            tag, place = self._varint(place, end)
            number, kind = tag >> 3, tag & 7
            if not 0 < number <= MOST_FIELD_NUMBER:
                raise BrokenMessage(f"it has a field of the number {number}")
            if kind == VARINT:
                value, place = self._varint(place, end)
                yield Field(number, value)
            elif kind == BYTES:
                length, place = self._varint(place, end)
                place += length
                if place > end:
                    raise BrokenMessage("it is cut off")
                yield Field(number, place - length, place)
            elif kind in FIXED_BYTES:
                place += FIXED_BYTES[kind]
                if place > end:
                    raise BrokenMessage("it is cut off")
            else:
                raise BrokenMessage(f"it has a field of the unknown kind {kind}")

    def text(self, field: Field, most_bytes: int) -> str:
        """What a field of bytes says.

        Raises:
            BrokenMessage: it is a number, longer than that, or no UTF-8.
        """
        if field.end == 0 or field.end - field.value > most_bytes:
            raise BrokenMessage(f"a text in it is longer than {most_bytes:,} bytes, or no text")
        try:
            return bytes(self._data[field.value : field.end]).decode("utf-8")
        except UnicodeDecodeError:
            raise BrokenMessage("a text in it is not UTF-8") from None

    def _varint(self, place: int, end: int) -> tuple[int, int]:
        """A number, and where it ends."""
        found = 0
        for index in range(MOST_VARINT_BYTES):
            if place >= end:
                raise BrokenMessage("it is cut off")
            byte = self._data[place]
            place += 1
            found |= (byte & 0x7F) << (7 * index)
            if byte < 0x80:
                return found % TWO_TO_64, place
        raise BrokenMessage("a number in it has no end")
