"""What a process that tags pictures is told, and what it answers: files beside its events, each read once."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated, Self

from pydantic import Field, model_validator

from advisor.files import write_atomically
from advisor.run_folder.record import Count, Record, Text, read_record
from advisor.tagging.choose_tags import Confidences
from advisor.tagging.tag_list import MOST_TAGS
from advisor.tagging.tagger_model import MOST_BATCH
from advisor.units import GIB

REQUEST_NAME, ANSWER_NAME, FETCHED_NAME = "request.json", "tags.json", "fetched.json"
MOST_BYTES = GIB
"""Of either; a hundred thousand pictures need a quarter of it."""
MOST_PICTURES = 1_000_000
MEND = "start `loracle tag` again"

Place = Annotated[int, Field(ge=0, lt=MOST_TAGS)]
Share = Annotated[float, Field(ge=0, le=1)]


class PictureToTag(Record):
    """A picture, and what of it is looked at."""

    path: Text
    """Absolute."""
    crop: tuple[Count, Count, Count, Count] | None = None
    """Left, top, right and bottom, in its pixels as it is shown; None: all of it."""


class TagRequest(Record):
    """Pictures to tag."""

    model: Text
    """The tagger's ONNX file, absolute."""
    pictures: tuple[PictureToTag, ...] = Field(max_length=MOST_PICTURES)
    run: Text = ""
    """The run folder whose pictures they are, absolute; empty: there is none yet."""
    device: Text | None = None
    """As `--device` has it."""
    threads: Count = 0
    """To compute with on a processor; 0: half of them."""
    batch: int = Field(0, ge=0, le=MOST_BATCH)
    """Pictures at once; 0: as memory allows."""


class PictureTags(Record):
    """What the tagger told of a picture."""

    path: Text
    places: tuple[Place, ...] = ()
    """Places of tags in the tagger's list."""
    shares: tuple[Share, ...] = ()
    """How sure it is of each of them."""
    why_not: Text = ""
    """Why it told nothing: the picture cannot be read."""

    @model_validator(mode="after")
    def _as_many_shares_as_places(self) -> Self:
        if len(self.places) != len(self.shares):
            raise ValueError("each tag has one share")
        return self

    @classmethod
    def of(cls, path: str, confidences: Confidences) -> Self:
        """A picture's tags."""
        return cls(path=path, places=tuple(confidences), shares=tuple(confidences.values()))

    @property
    def confidences(self) -> Confidences:
        """How sure it is, by the place of the tag."""
        return dict(zip(self.places, self.shares, strict=True))


class TagAnswer(Record):
    """What became of a request."""

    pictures: tuple[PictureTags, ...] = Field(max_length=MOST_PICTURES)
    """In the request's order."""
    provider: Text = ""
    """What computed, in onnxruntime's words; empty: all was known from before."""
    num_computed: Count = 0
    """Pictures that were not known from before."""


def read_tag_request(folder: Path) -> TagRequest:
    """The request in a folder.

    Raises:
        RunError: it is damaged.
        FileNotFoundError: there is none.
    """
    return read_record(folder / REQUEST_NAME, TagRequest, most_bytes=MOST_BYTES, mend=MEND)


def write_tag_request(folder: Path, request: TagRequest) -> None:
    """Put the request into a folder.

    Raises:
        RunError: it cannot be written.
    """
    _write(folder / REQUEST_NAME, request)


def read_tag_answer(folder: Path) -> TagAnswer:
    """The answer in a folder.

    Raises:
        RunError: it is damaged.
        FileNotFoundError: there is none.
    """
    return read_record(folder / ANSWER_NAME, TagAnswer, most_bytes=MOST_BYTES, mend=MEND)


def write_tag_answer(folder: Path, answer: TagAnswer) -> None:
    """Put the answer into a folder.

    Raises:
        RunError: it cannot be written.
    """
    _write(folder / ANSWER_NAME, answer)


class Fetched(Record):
    """A tagger that was fetched."""

    model: Text
    """Its ONNX file, absolute."""


def write_fetched(folder: Path, model: Path) -> None:
    """Put into a folder where the fetched model lies.

    Raises:
        RunError: it cannot be written.
    """
    _write(folder / FETCHED_NAME, Fetched(model=str(model.absolute())))


def read_fetched(folder: Path) -> Path:
    """Where the fetched model lies.

    Raises:
        RunError: the answer is damaged.
        FileNotFoundError: there is none.
    """
    return Path(read_record(folder / FETCHED_NAME, Fetched, most_bytes=MOST_BYTES, mend=MEND).model)


def _write(path: Path, record: Record) -> None:
    """Put a record into a file; halves of characters, as old file names have them, as escapes."""
    write_atomically(path, json.dumps(record.model_dump()) + "\n")
