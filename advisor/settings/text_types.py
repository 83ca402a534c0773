"""The types of settings that are texts: what may stand in each is checked wherever a configuration comes from."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated

from pydantic import AfterValidator, StringConstraints
from pydantic_core import PydanticCustomError

from advisor.settings.file_names import MOST_LETTERS
from advisor.settings.file_names import fault as name_fault
from advisor.settings.texts import line_fault, text_fault
from advisor.settings.value_faults import KEY_VALUE, PROJECT_NAME


def _without(fault: Callable[[str], str | None]) -> AfterValidator:
    """Refuses a text of which `fault` has something to say."""

    def checked(text: str) -> str:
        if (found := fault(text)) is not None:
            raise PydanticCustomError("text", "{fault}", {"fault": found})
        return text

    return AfterValidator(checked)


FileName = Annotated[str, StringConstraints(min_length=1, max_length=MOST_LETTERS), _without(name_fault)]
"""Becomes a file's name, without its ending."""
Line = Annotated[str, _without(line_fault)]
"""Stands in one line with other words, in captions, messages and files."""
Prompt = Annotated[str, _without(text_fault)]
"""What a text encoder reads; it may have several lines."""
KeyValue = Annotated[str, StringConstraints(pattern=KEY_VALUE)]
"""`name=value` without blanks, as kohya's argument lists have it."""
ProjectName = Annotated[str, StringConstraints(pattern=PROJECT_NAME, max_length=128)]
"""Of a project of Weights & Biases, which takes neither slashes nor # ? % : in it."""
