"""Rendering templates, with one way of writing a value that JSON, TOML and YAML read alike."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from functools import lru_cache
from textwrap import wrap

from jinja2 import Environment, PackageLoader, StrictUndefined, pass_eval_context
from jinja2.nodes import EvalContext
from markupsafe import Markup

from advisor.errors import LoraError, RunError
from advisor.shown_text import visible

Value = str | bool | int | float | Sequence["Value"]
"""What a template may write as a value."""

COMMENT_COLUMNS = 100
"""Comments are wrapped so that they stay readable beside the settings."""

LARGEST_INT = 2**63 - 1
"""TOML promises 64 bits and no more."""

_SHORT_ESCAPES = {"\b": "\\b", "\t": "\\t", "\n": "\\n", "\f": "\\f", "\r": "\\r", '"': '\\"', "\\": "\\\\"}
_TO_ESCAPE = re.compile('["\\\\\x00-\x1f\x7f-\x9f\u2028\u2029\ufeff\ufffe\uffff]')
"""Quotes and backslashes; what TOML forbids (controls, DEL), what YAML forbids or takes for a line end or a mark."""
_SURROGATE = re.compile("[\ud800-\udfff]")
_NOT_IN_COMMENTS = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\ufeff\ufffe\uffff\ud800-\udfff]")


def render(template: str, **context: object) -> str:
    """The text of TEMPLATE, a path within this package, with `context` in its places.

    A name that is missing is a defect and raises.

    Raises:
        LoraError: a value cannot be written.
    """
    return environment().get_template(template).render(**context)


@lru_cache(maxsize=1)
def environment() -> Environment:
    """Jinja2 over this package's templates; values through `value`, comments through `comment`."""
    made = Environment(
        loader=PackageLoader("templates", ""),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
        autoescape=_is_page,
        finalize=_shown,
    )
    made.filters["value"] = value
    made.filters["comment"] = comment
    return made


def _is_page(template: str | None) -> bool:
    """HTML: every value is escaped in it."""
    return template is not None and template.endswith(".html.j2")


@pass_eval_context
def _shown(context: EvalContext, item: object) -> object:
    """In pages, texts without letters that hide or reorder others; elsewhere, and all else, as it is."""
    if not context.autoescape or not isinstance(item, str):
        return item
    text = visible(str(item))
    return Markup(text) if isinstance(item, Markup) else text


def value(item: object) -> str:
    """`item` written so that JSON, TOML and YAML all read it back equal.

    Raises:
        LoraError: it is no str, bool, int, finite float or list of these, or not representable in all three.
    """
    if isinstance(item, str):
        return _quoted(item)
    if isinstance(item, bool):
        return "true" if item else "false"
    if isinstance(item, int):
        if not -LARGEST_INT - 1 <= item <= LARGEST_INT:
            raise LoraError(
                "a whole number has more than 64 bits, which no configuration format promises: use a smaller one"
            )
        return str(int(item))
    if isinstance(item, float):
        return _number(float(item))
    if isinstance(item, list | tuple):
        return "[" + ", ".join(value(part) for part in item) + "]"
    raise LoraError(f"{item!r} is no text, number, yes/no or list of these: it cannot be written into a configuration")


def comment(text: str, columns: int = COMMENT_COLUMNS) -> str:
    """`text` as lines that begin with `# `; runs of blanks become one, and what no file may hold is replaced."""
    clean = visible(_NOT_IN_COMMENTS.sub("\N{REPLACEMENT CHARACTER}", " ".join(text.split())))
    lines = wrap(clean, columns - 2, break_long_words=False, break_on_hyphens=False)
    return "\n".join(f"# {line}" for line in lines) or "#"


def _quoted(text: str) -> str:
    if found := _SURROGATE.search(text):
        raise RunError(
            f"{text!r} holds {found.group()!r}, which is half a character and cannot be written as UTF-8: "
            "if this is a file name, rename the file"
        )
    return '"' + _TO_ESCAPE.sub(_escape, text) + '"'


def _escape(match: re.Match[str]) -> str:
    character = match.group()
    return _SHORT_ESCAPES.get(character) or f"\\u{ord(character):04x}"


def _number(number: float) -> str:
    """With a point in every case: YAML takes `5e-05` for a text, and TOML takes `1` for a whole number."""
    if not math.isfinite(number):
        raise LoraError(f"{number} is no finite number: JSON has no place for it, and no setting means anything by it")
    mantissa, exponent, power = repr(number).partition("e")
    return (mantissa if "." in mantissa else mantissa + ".0") + exponent + power
