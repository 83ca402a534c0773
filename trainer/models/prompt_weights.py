"""Weights in captions and prompts: (tag:1.3) counts more, [tag] less, as A1111 and kohya's trainer write it.

(tag) is 1.1 times, [tag] one 1.1th, (tag:1.3) 1.3 times; brackets within brackets multiply. A bracket that is meant as
such has a backslash before it. The weights multiply the text states; they are not normalised afterwards, as in
kohya's trainer.

Letters: B captions, K chunks, L tokens in one chunk, T all chunks' tokens joined, D the states' width.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from trainer.models.tokenizer import Tokenizer

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


def weighted_tokens(tokenizer: Tokenizer, captions: Sequence[str], chunks: int = 1) -> tuple[Tensor, Tensor]:
    """Token numbers [B, K, L] and weights [B, T] of captions; marks and padding weigh 1."""
    rows, weights = list[list[list[int]]](), list[list[float]]()
    room = chunks * (tokenizer.length - 2)
    for caption in captions:
        pieces, their_weights = list[int](), list[float]()
        for part in weighted_texts(caption):
            found = tokenizer.pieces(part.text)
            pieces += found
            their_weights += [part.weight] * len(found)
        rows.append(tokenizer.chunked(pieces, chunks))
        padding = [1.0] * (room - len(their_weights))
        weights.append([1.0, *their_weights[:room], *padding, 1.0])
    ids = torch.tensor(rows, dtype=torch.int64).view(len(captions), chunks, tokenizer.length)
    return ids, torch.tensor(weights, dtype=torch.float32).view(len(captions), room + 2)


def weighted_ids(
    tokenizers: Sequence[Tokenizer], captions: Sequence[str], chunks: int = 1
) -> tuple[tuple[Tensor, ...], Tensor]:
    """Token numbers [B, K, L] for each text encoder, and the weights [B, T], which are the same for all of them."""
    each = [weighted_tokens(tokenizer, captions, chunks) for tokenizer in tokenizers]
    return tuple(ids for ids, _ in each), each[0][1]


def num_tokens(tokenizer: Tokenizer, caption: str, *, weighted: bool) -> int:
    """Tokens of a caption without marks; of a weighted one without what its weights are written with."""
    if not weighted:
        return len(tokenizer.pieces(caption))
    return sum(len(tokenizer.pieces(part.text)) for part in weighted_texts(caption))


def weighted_states(states: Tensor, weights: Tensor | None) -> Tensor:
    """States [B, T, D] multiplied by weights [B, T], as kohya's trainer does; None: as they are."""
    return states if weights is None else states * weights.to(states)[..., None]


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
