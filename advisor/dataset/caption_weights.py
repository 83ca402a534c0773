"""Weights in captions and prompts: (tag:1.3) counts more, [tag] less, as A1111 and kohya's trainer write it.

(tag) is 1.1 times, [tag] one 1.1th, (tag:1.3) 1.3 times; brackets within brackets multiply. A bracket that is meant as
such has a backslash before it.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

STEP = 1.1
"""What one pair of brackets multiplies or divides by."""

SIGN = re.compile(r"\\([()\[\]\\])|:\s*+([+-]?(?:\d++\.?\d*+|\.\d++))\s*+\)|([()\[\]])|([^\\()\[\]:]++|[\\:])")
"""A bracket with a backslash, a weight with its closing bracket, a bracket, or other text."""

MOST_LETTERS = 4000
"""Of a caption that are looked at: text encoders read 225 tokens, which with weights have half of that."""


@dataclass
class WeightedText:
    """A piece of a caption that has one weight."""

    text: str
    weight: float = 1.0


def weighted_texts(caption: str) -> list[WeightedText]:
    """The caption's pieces with their weights; brackets that are never closed count up to the end."""
    parts, rounds, squares = list[WeightedText](), list[int](), list[int]()
    for match in SIGN.finditer(caption[:MOST_LETTERS]):
        escaped, weight, bracket, text = match.groups()
        if weight is not None and rounds:
            _multiply(parts, rounds.pop(), float(weight))
        elif bracket == "(":
            rounds.append(len(parts))
        elif bracket == "[":
            squares.append(len(parts))
        elif bracket == ")" and rounds:
            _multiply(parts, rounds.pop(), STEP)
        elif bracket == "]" and squares:
            _multiply(parts, squares.pop(), 1 / STEP)
        else:
            parts.append(WeightedText(escaped or text or match[0]))
    for start in rounds:
        _multiply(parts, start, STEP)
    for start in squares:
        _multiply(parts, start, 1 / STEP)
    return _joined(parts)


def _multiply(parts: Sequence[WeightedText], start: int, factor: float) -> None:
    for part in parts[start:]:
        part.weight *= factor


def _joined(parts: Sequence[WeightedText]) -> list[WeightedText]:
    """Neighbours of one weight as one piece, so that words are not cut apart."""
    joined = list[WeightedText]()
    for part in parts:
        if joined and joined[-1].weight == part.weight:
            joined[-1].text += part.text
        else:
            joined.append(part)
    return joined
