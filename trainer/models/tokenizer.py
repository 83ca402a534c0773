"""CLIP's tokenizer, from a vocabulary that lies on the disk."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from transformers import CLIPTokenizer

from advisor.checkpoints.diffusers_json import read_model_json
from advisor.dataset.clip_tokens import END_OF_WORD, byte_signs, clip_merges
from advisor.errors import ModelError
from advisor.shown_text import short_text
from trainer.models.vocabulary import ANEW, END, START, Merges, read_vocabulary

SHORTEST = 3
"""Tokens in a chunk: its two marks and something between them."""


@dataclass(frozen=True)
class Tokenizer:
    """Turns captions into token numbers.

    Letters: B captions, K chunks, L tokens in one chunk (start mark, contents, end mark).
    """

    clip: Any
    """transformers' `CLIPTokenizer`."""
    start: int
    end: int
    pad: int
    length: int
    """L: as many as the text encoder has places."""

    def __call__(self, captions: Sequence[str], chunks: int = 1) -> Tensor:
        """Token numbers [B, K, L], int64: cut or filled up to K * (L - 2) tokens, without regard to commas."""
        rows = [self.chunked(self.pieces(caption), chunks) for caption in captions]
        return torch.tensor(rows, dtype=torch.int64).view(len(captions), chunks, self.length)

    @property
    def has_clip_vocabulary(self) -> bool:
        """Whether it has as many tokens as CLIP's own; smaller ones are those of models made for tests and demos."""
        return int(self.clip.vocab_size) == len(clip_merges()) + 2 * len(byte_signs()) + 2

    def pieces(self, caption: str) -> list[int]:
        """The caption's token numbers, however many, without marks."""
        return list(self.clip(caption, add_special_tokens=False, truncation=False, padding=False)["input_ids"])

    def chunked(self, pieces: list[int], chunks: int) -> list[list[int]]:
        """As one long line of start, pieces, end and padding, cut into chunks that each get marks of their own."""
        width = self.length - 2
        pieces = pieces[: chunks * width]
        line = [*pieces, self.end]
        line += [self.pad] * (chunks * width + 1 - len(line))
        return [self._chunk(line[index * width : (index + 1) * width]) for index in range(chunks)]

    def _chunk(self, contents: list[int]) -> list[int]:
        """With its marks; where padding is no end mark (SD2), an empty chunk still has an end mark, as in kohya."""
        last = self.pad if contents[-1] in (self.end, self.pad) else self.end
        first = self.end if contents[0] == self.pad else contents[0]
        return [self.start, first, *contents[1:], last]


@cache
def clip_tokenizer(*, length: int, pad: str = END) -> Tokenizer:
    """CLIP's own tokenizer, from the vocabulary that comes with this package."""
    merges = list(clip_merges())
    signs = list(byte_signs().values())
    entries = [*signs, *(sign + END_OF_WORD for sign in signs), *("".join(merge) for merge in merges), START, END]
    vocabulary = {entry: index for index, entry in enumerate(entries)}
    return _tokenizer(vocabulary, merges, length=length, pad=pad)


def load_tokenizer(folder: Path, *, length: int, pad: str = END, vocab_size: int | None = None) -> Tokenizer:
    """The tokenizer of a diffusers folder's `tokenizer` subfolder.

    Args:
        length: places of the text encoder; a smaller `model_max_length` of the tokenizer stands.
        pad: what the family fills up with, where the folder does not say.
        vocab_size: rows of the text encoder's table, below which all token numbers must be.

    Raises:
        ModelError: a file is missing, no JSON of the right kind, or holds values that no tokenizer has.
    """
    vocabulary, merges = read_vocabulary(folder, vocab_size)
    settings = read_model_json(folder / "tokenizer_config.json")
    if settings is None:
        raise ModelError(f"{folder} holds no tokenizer that can be read: it has no tokenizer_config.json; {ANEW}")
    pad = _text(settings.table.get("pad_token"), pad)
    own_length = settings.table.get("model_max_length", length)
    if isinstance(own_length, bool) or not isinstance(own_length, int | float) or own_length < SHORTEST:
        raise settings.wrong("model_max_length", own_length, f"a number from {SHORTEST}")
    try:
        return _tokenizer(vocabulary, merges, length=int(min(length, own_length)), pad=pad)
    except Exception as error:  # the tokenizer is built by a library that raises plain exceptions
        reason = short_text(str(error))
        raise ModelError(f"{folder} holds no tokenizer that can be read ({reason}): {ANEW}") from error


def _tokenizer(vocabulary: dict[str, int], merges: Merges, *, length: int, pad: str) -> Tokenizer:
    clip = CLIPTokenizer(vocab=vocabulary, merges=merges, pad_token=pad if pad in vocabulary else END)
    return Tokenizer(
        clip, start=vocabulary[START], end=vocabulary[END], pad=vocabulary.get(pad, vocabulary[END]), length=length
    )


def _text(entry: object, default: str) -> str:
    """A special token, which is written as text or as a table with its `content`."""
    if isinstance(entry, dict):
        entry = entry.get("content")
    return entry if isinstance(entry, str) else default
