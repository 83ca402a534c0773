"""A CLIP tokenizer of few entries: the base model's words whole, all other words as letters."""

import json
import string
from collections import Counter
from itertools import pairwise
from pathlib import Path

from benchmarks.demo_model.avatar import (
    BACKGROUND,
    CLOTH,
    EXPRESSIONS,
    EYEWEAR,
    GARMENTS,
    HAIR,
    HAIR_STYLES,
    HATS,
    SKIN,
)

BEGIN, END = "<|startoftext|>", "<|endoftext|>"
MAX_LENGTH = 40
WORD_END = "</w>"
EXTRA_WORDS = ("hair", "skin", "background", "beard", "crown")


def words() -> list[str]:
    """Every word that tags are made of, in order of the alphabet; letters left alone between signs are no words."""
    phrases = (*HAIR, *HAIR_STYLES, *SKIN, *GARMENTS, *CLOTH, *EXPRESSIONS, *EYEWEAR, *HATS, *BACKGROUND, *EXTRA_WORDS)
    parts = {part for phrase in phrases for part in phrase.replace("-", " ").split()}
    return sorted(part for part in parts if len(part) > 1)


def merges(vocabulary: list[str]) -> list[tuple[str, str]]:
    """Byte-pair merges, most frequent pair first, until each word is one piece (Sennrich et al. 2016)."""
    pieces = [[*word[:-1], word[-1] + WORD_END] for word in vocabulary]
    found: list[tuple[str, str]] = []
    while any(len(word) > 1 for word in pieces):
        pairs = Counter(pair for word in pieces for pair in pairwise(word))
        best = min(pairs, key=lambda pair: (-pairs[pair], pair))
        found.append(best)
        pieces = [_joined(word, best) for word in pieces]
    return found


def _joined(word: list[str], pair: tuple[str, str]) -> list[str]:
    joined: list[str] = []
    index = 0
    while index < len(word):
        if tuple(word[index : index + 2]) == pair:
            joined.append(word[index] + word[index + 1])
            index += 2
        else:
            joined.append(word[index])
            index += 1
    return joined


def write_tokenizer(folder: Path) -> int:
    """Writes the files which transformers' CLIPTokenizer reads; returns the number of entries."""
    folder.mkdir(parents=True, exist_ok=True)
    pairs = merges(words())
    signs = string.ascii_lowercase + string.digits + ",.-_'()!?:+&/"
    entries = [*signs, *(sign + WORD_END for sign in signs), *("".join(pair) for pair in pairs), BEGIN, END]
    vocabulary = {entry: index for index, entry in enumerate(dict.fromkeys(entries))}
    (folder / "vocab.json").write_text(json.dumps(vocabulary, ensure_ascii=False) + "\n", encoding="utf-8")
    lines = ["#version: 0.2", *(" ".join(pair) for pair in pairs)]
    (folder / "merges.txt").write_text("\n".join(lines) + "\n", encoding="utf-8")
    special = {"bos_token": BEGIN, "eos_token": END, "unk_token": END, "pad_token": END}
    (folder / "special_tokens_map.json").write_text(json.dumps(special, indent=2) + "\n", encoding="utf-8")
    config = {"tokenizer_class": "CLIPTokenizer", "model_max_length": MAX_LENGTH, "do_lower_case": True, **special}
    (folder / "tokenizer_config.json").write_text(json.dumps(config, indent=2) + "\n", encoding="utf-8")
    return len(vocabulary)
