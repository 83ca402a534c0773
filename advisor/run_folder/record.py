"""What the records of a run have in common: frozen, bounded, and read from files of older and newer versions alike."""

from __future__ import annotations

from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Annotated, Any, TypeVar

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, InstanceOf, TypeAdapter, ValidationError

from advisor.errors import RunError
from advisor.files import read_bounded
from advisor.json_text import Malformed, parse_json
from advisor.run_folder.keep import write_own
from advisor.shown_text import short_text

MOST_COUNT = 2**53
"""No steps, epochs or bytes of a run are more; floats, and other programs' numbers, are exact up to it."""
MOST_NUMBER = 1e100
"""No measured figure is larger; squares and sums of such are still finite."""
MOST_PLACES_TOLD = 3
"""Of all that is wrong with a record, so many places are told."""

R = TypeVar("R")


class Record(BaseModel):
    """A part of a file: what older versions did not write has a default, what newer ones add is passed over."""

    model_config = ConfigDict(frozen=True, extra="ignore", populate_by_name=True)


def _finite(value: Any) -> Any:
    return None if isinstance(value, float | int) and not abs(value) <= MOST_NUMBER else value


Number = Annotated[float | None, BeforeValidator(_finite)]
"""JSON has no number that is not finite: NaN and infinity become null, and so do numbers beyond `MOST_NUMBER`."""
Text = InstanceOf[str]
"""Also with halves of characters, as names of files in an old encoding have them; pydantic may refuse these."""
Count = Annotated[int, Field(ge=0, le=MOST_COUNT)]
"""How many or how much, e.g. steps or bytes."""
Difference = Annotated[int, Field(ge=-MOST_COUNT, le=MOST_COUNT)]
"""How many or how much more; below 0: less."""


def read_record(path: Path, kind: type[R], *, most_bytes: int, mend: str) -> R:
    """The record in a JSON file.

    Args:
        kind: a model, or a dataclass that pydantic can validate.
        most_bytes: no honest one is larger.
        mend: the end of the error's sentence, what to do.

    Raises:
        FileNotFoundError: there is no such file.
        RunError: it cannot be read, is no JSON or no such record; the file, and the place in it, are named.
    """
    try:
        return parse_record(read_bounded(path, most_bytes), kind)
    except FileNotFoundError:
        raise
    except OSError as error:
        why = error.strerror or str(error)
    except Malformed as error:
        why = str(error)
    except ValidationError as error:
        why = places_told(error)
    raise RunError(f"{path} cannot be read ({why}): {mend}")


def parse_record(content: bytes, kind: type[R]) -> R:
    """The record that the bytes of a JSON file hold.

    Raises:
        Malformed: they are no JSON.
        ValidationError: they are no such record.
    """
    return TypeAdapter(kind).validate_python(parse_json(content, half_characters=True))


def write_record(path: Path, text: str, kind: Any) -> None:
    """Put the text of a record into a file; one that is there and no such record is the user's and kept beside it.

    Args:
        kind: as for `read_record`.

    Raises:
        RunError: it cannot be written, or what is there cannot be kept.
    """
    write_own(path, text, partial(_is_record, kind))


def _is_record(kind: Any, content: bytes) -> bool:
    """Whether it is one, and names any field of it: where all have defaults, a table of anything could be one."""
    with suppress(Malformed, ValidationError):
        tree = parse_json(content, half_characters=True)
        TypeAdapter(kind).validate_python(tree)
        return any(name in tree for name in getattr(kind, "model_fields", tree))
    return False


def places_told(error: ValidationError) -> str:
    """What is wrong with a record, with its places."""
    found = error.errors(include_url=False)
    told = [
        f"{short_text('.'.join(map(str, one['loc']))) or 'the whole'}: {one['msg']}" for one in found[:MOST_PLACES_TOLD]
    ]
    return "; ".join(told) + (f"; and {len(found) - len(told)} more" if len(found) > len(told) else "")
