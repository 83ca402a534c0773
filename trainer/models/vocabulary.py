"""The vocabulary of a diffusers folder's tokenizer: each piece of text with its number, and which pieces are joined in
which order. Both come from a stranger, so each entry is checked before the tokenizer is built of them.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path

from advisor.checkpoints.diffusers_json import MAX_JSON_BYTES, read_model_json
from advisor.errors import ModelError
from advisor.files import is_file, read_file

START, END = "<|startoftext|>", "<|endoftext|>"
ANEW = "copy the folder anew"
MAX_TOKENS = 1_000_000
"""No text encoder's table has so many rows."""

Vocabulary = dict[str, int]
Merges = list[tuple[str, str]]


def read_vocabulary(folder: Path, vocab_size: int | None) -> tuple[Vocabulary, Merges]:
    """From the two files of older versions or the one file of newer ones.

    Args:
        vocab_size: all numbers are below it; None: below `MAX_TOKENS`.

    Raises:
        ModelError: a file is missing or cannot be read, or an entry is none that a tokenizer can have.
    """
    if is_file(folder / "vocab.json") and is_file(folder / "merges.txt"):
        path = folder / "vocab.json"
        entries: object = _table(path, folder)
        merges: object = list(_lines(folder / "merges.txt"))
        merges_path = folder / "merges.txt"
    else:
        path = merges_path = folder / "tokenizer.json"
        model = _table(path, folder).get("model")
        if not isinstance(model, dict):
            raise ModelError(f"{path}: its model is no table; {ANEW}")
        entries, merges = model.get("vocab"), model.get("merges")
    vocabulary = _vocabulary(path, entries, vocab_size)
    return vocabulary, list(_merges(merges_path, merges, vocabulary))


def _table(path: Path, folder: Path) -> Mapping[str, object]:
    found = read_model_json(path)
    if found is None:
        raise ModelError(f"{folder} holds no tokenizer that can be read: it has no {path.name}; {ANEW}")
    return found.table


def _lines(path: Path) -> Iterator[str]:
    raw = read_file(path, kind="tokenizer's list", most_bytes=MAX_JSON_BYTES, error=ModelError, mend=ANEW)
    try:
        text = raw.decode("utf-8")
    except UnicodeDecodeError as error:
        raise ModelError(f"{path} is not UTF-8 (byte {error.start:,}): {ANEW}") from None
    for line in text.split("\n"):
        if line.strip() and not line.startswith("#version"):
            yield line


def _vocabulary(path: Path, entries: object, vocab_size: int | None) -> Vocabulary:
    most = MAX_TOKENS if vocab_size is None else vocab_size
    if not isinstance(entries, dict):
        raise ModelError(f"{path}: its vocabulary is no table of pieces and their numbers; {ANEW}")
    for place, number in enumerate(entries.values(), 1):
        if isinstance(number, bool) or not isinstance(number, int) or not 0 <= number < most:
            raise ModelError(f"{path}: piece {place:,} has no number from 0 to {most - 1:,}; {ANEW}")
    for mark in (START, END):
        if mark not in entries:
            raise ModelError(f"{path} has no {mark}, with which CLIP's vocabulary marks each caption: {ANEW}")
    return entries


def _merges(path: Path, merges: object, vocabulary: Vocabulary) -> Iterator[tuple[str, str]]:
    """Pairs, each of pieces that the vocabulary has, as is what they make."""
    if not isinstance(merges, list):
        raise ModelError(f"{path}: its merges are no list; {ANEW}")
    for number, merge in enumerate(merges, 1):
        pair = merge.split() if isinstance(merge, str) else merge
        if not isinstance(pair, list) or len(pair) != 2 or not all(isinstance(piece, str) for piece in pair):
            raise ModelError(f"{path}: merge {number:,} is not two pieces of text; {ANEW}")
        first, second = pair
        if any(piece not in vocabulary for piece in (first, second, first + second)):
            raise ModelError(f"{path}: merge {number:,} joins or makes what the vocabulary does not have; {ANEW}")
        yield first, second
