"""Tokens and states of weighted captions and prompts: a weight multiplies the text states, which are not normalised
afterwards, as in kohya's trainer.

Letters: B captions, K chunks, L tokens in one chunk, T all chunks' tokens joined, D the states' width.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from advisor.dataset.caption_weights import weighted_texts
from trainer.models.tokenizer import Tokenizer


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
