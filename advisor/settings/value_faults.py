"""What is wrong with a value of a setting, in words that say what to give instead."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

KEY_VALUE = r"^[A-Za-z_]\w*=[^\s\x00-\x1f\x7f-\x9f]+$"
"""An argument of an optimizer."""

PROJECT_NAME = r"^[^/\\#?%:\x00-\x1f\x7f-\x9f]*$"
"""What Weights & Biases takes for a project's name."""

_PATTERNS: Mapping[str, str] = {
    KEY_VALUE: "give name=value, without blanks and control characters",
    PROJECT_NAME: "leave out / \\ # ? % : and control characters",
}
"""What to give for a text of such a pattern."""

_WHOLE, _NUMBER, _YES_OR_NO = "give a whole number", "give a number, e.g. 2, 0.5 or 1e-4", "give true or false"

_MENDS: Mapping[str, str] = {
    "int_type": _WHOLE, "int_parsing": _WHOLE, "int_parsing_size": _WHOLE, "int_from_float": _WHOLE,
    "float_type": _NUMBER, "float_parsing": _NUMBER, "finite_number": "give a finite number",
    "bool_type": _YES_OR_NO, "bool_parsing": _YES_OR_NO,
    "greater_than": "give more than {gt}", "greater_than_equal": "give {ge} or more",
    "less_than": "give less than {lt}", "less_than_equal": "give {le} or less",
    "string_type": "give a text", "string_too_short": "it cannot be empty", "tuple_type": "give a list",
    "string_too_long": "give at most {max_length} characters", "string_pattern_mismatch": "{pattern}",
    "literal_error": "give {expected}",
}  # fmt: skip
"""By pydantic's name of the fault; the placeholders are of its context."""


def mend_of(fault: Mapping[str, Any]) -> str:
    """What to give instead.

    Args:
        fault: an entry of a `ValidationError.errors()`; pydantic's own words stand in for a fault unknown here.
    """
    mend = _MENDS.get(fault["type"])
    if mend is None:
        message = str(fault["msg"])
        return message[:1].lower() + message[1:]
    return mend.format_map({name: _shown(name, value) for name, value in fault.get("ctx", {}).items()})


def _shown(name: str, value: object) -> str:
    if name == "pattern":
        return _PATTERNS.get(str(value), str(value))
    if name == "expected":  # choices: texts among them are quoted
        return str(value).replace("'", "")
    return f"{value:,.6g}" if isinstance(value, float) else f"{value:,}" if isinstance(value, int) else str(value)
