"""How many tokens CLIP's tokenizer makes of a caption, counted with its own vocabulary and without torch.

The text encoders of SD1, SD2 and SDXL all read CLIP's tokens. A caption is lower-cased and cut into words, numbers'
digits and runs of signs; in each, pairs are merged in the vocabulary's order until none is left
(github.com/openai/CLIP, simple_tokenizer). The counts are those of `trainer.models.tokenizer`, by test.
"""

from __future__ import annotations

import gzip
import re
import unicodedata
from collections.abc import Iterator
from functools import cache
from heapq import heapify, heappop, heappush
from importlib.resources import files

VOCABULARY = "assets/clip/bpe_simple_vocab_16e6.txt.gz"
"""Byte-pair merges in order, as OpenAI published them: a line with the version, then more lines than CLIP uses."""
NUM_MERGES = 49152 - 256 - 2
"""CLIP's own number of merges: its vocabulary less the bytes and the two marks."""
END_OF_WORD = "</w>"
"""Stands behind the last sign of a word."""

ASCII_PIECE = re.compile(r"<\|startoftext\|>|<\|endoftext\|>|'(?:s|t|re|ve|m|ll|d)|[a-z]+|[0-9]|[^ \t\n\v\f\ra-z0-9]+")
MARK_OR_ENDING = re.compile(r"<\|startoftext\|>|<\|endoftext\|>|'(?:s|t|re|ve|m|ll|d)")
NO_BLANKS = "\x1c\x1d\x1e\x1f"
"""Signs to CLIP's tokenizer, blanks to Python."""
MARKS = ("<|startoftext|>", "<|endoftext|>")

Merge = tuple[str, str]


def num_tokens(text: str) -> int:
    """Tokens of a text, without marks of begin and end."""
    return sum(_tokens_of_piece(piece) for piece in _pieces(text))


def rarity_of_word(word: str) -> int | None:
    """Place of a word in CLIP's vocabulary, the most frequent ones first; None: it is no token of its own."""
    return _places().get(word.lower() + END_OF_WORD)


@cache
def clip_merges() -> tuple[Merge, ...]:
    """The pairs that are merged, the first first."""
    packed = files("advisor").joinpath(*VOCABULARY.split("/")).read_bytes()
    lines = gzip.decompress(packed).decode("utf-8").split("\n")[1 : NUM_MERGES + 1]
    return tuple(_pair(line) for line in lines)


def byte_signs() -> dict[int, str]:
    """A printable sign for each byte, in the order of CLIP's vocabulary; printable ones stand for themselves."""
    printable = [*range(ord("!"), ord("~") + 1), *range(ord("¡"), ord("¬") + 1), *range(ord("®"), ord("ÿ") + 1)]
    signs = {byte: chr(byte) for byte in printable}
    others = (byte for byte in range(256) if byte not in signs)
    return signs | {byte: chr(256 + index) for index, byte in enumerate(others)}


def _pieces(text: str) -> Iterator[str]:
    """Words, digits and runs of signs, in lower case."""
    if text.isascii():
        yield from ASCII_PIECE.findall(text.lower())
        return
    text = "".join(character.lower() for character in unicodedata.normalize("NFC", text))
    place = 0
    while place < len(text):
        found = MARK_OR_ENDING.match(text, place)
        end = found.end() if found else _end_of_run(text, place)
        if _kind(text[place]) != " ":
            yield text[place:end]
        place = end


def _end_of_run(text: str, start: int) -> int:
    """Where the run of characters of one kind ends that begins here; a digit is a run of its own."""
    kind, end = _kind(text[start]), start + 1
    while kind != "N" and end < len(text) and _kind(text[end]) == kind:
        end += 1
    return end


def _kind(character: str) -> str:
    """L of letters, N of digits and other numbers, a blank, or S of all other signs."""
    if character.isspace() and character not in NO_BLANKS:
        return " "
    category = unicodedata.category(character)[0]
    return category if category in "LN" else "S"


@cache
def _tokens_of_piece(piece: str) -> int:
    """Tokens of one word; pairs are merged, the earliest in the vocabulary first, until none is left."""
    if piece in MARKS:
        return 1
    ranks, signs = _ranks(), _signs()
    parts: list[str | None] = [signs[byte] for byte in piece.encode("utf-8", "replace")]
    parts[-1] = f"{parts[-1]}{END_OF_WORD}"
    following = [*range(1, len(parts)), -1]  # of each part the place of the next; merged ones are None
    before = [*range(-1, len(parts) - 1)]

    def waiting(left: int) -> list[tuple[int, int, Merge]]:
        """The pair that begins there as (its rank, its place, its parts), if it is ever merged."""
        right = following[left] if left >= 0 else -1
        if right < 0:
            return []
        pair = parts[left] or "", parts[right] or ""
        return [(ranks[pair], left, pair)] if pair in ranks else []

    heap = [pair for left in range(len(parts)) for pair in waiting(left)]
    heapify(heap)
    number = len(parts)
    while heap:
        _, left, pair = heappop(heap)
        right = following[left]
        if right < 0 or (parts[left], parts[right]) != pair:
            continue  # one of the two was merged with another
        parts[left], parts[right], following[left] = "".join(pair), None, following[right]
        if following[left] >= 0:
            before[following[left]] = left
        following[right] = -1
        number -= 1
        for changed in (*waiting(before[left]), *waiting(left)):
            heappush(heap, changed)
    return number


@cache
def _ranks() -> dict[Merge, int]:
    return {pair: rank for rank, pair in enumerate(clip_merges())}


@cache
def _places() -> dict[str, int]:
    """Of each token that a merge makes, the first such merge."""
    places = dict[str, int]()
    for place, pair in enumerate(clip_merges()):
        places.setdefault("".join(pair), place)
    return places


@cache
def _signs() -> dict[int, str]:
    return byte_signs()


def _pair(line: str) -> Merge:
    first, second = line.split()
    return first, second
