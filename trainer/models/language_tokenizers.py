"""Tokenizers of the language models that flow matching families read captions with; their vocabularies come with this
package (`trainer/assets/tokenizers/README.md`).
"""

from __future__ import annotations

import gzip
from functools import cache
from importlib.resources import files

from tokenizers import Regex, Tokenizer
from tokenizers.decoders import ByteLevel as ByteLevelDecoder
from tokenizers.models import BPE
from tokenizers.normalizers import NFC
from tokenizers.pre_tokenizers import ByteLevel, Sequence, Split

from advisor.dataset.clip_tokens import byte_signs

QWEN_WORDS = (
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
)
"""What Qwen's tokenizer cuts a text into before it merges."""
QWEN_MARKS = (
    "<|endoftext|>", "<|im_start|>", "<|im_end|>", "<|object_ref_start|>", "<|object_ref_end|>", "<|box_start|>",
    "<|box_end|>", "<|quad_start|>", "<|quad_end|>", "<|vision_start|>", "<|vision_end|>", "<|vision_pad|>",
    "<|image_pad|>", "<|video_pad|>", "<tool_call>", "</tool_call>", "<|fim_prefix|>", "<|fim_middle|>",
    "<|fim_suffix|>", "<|fim_pad|>", "<|repo_name|>", "<|file_sep|>", "<tool_response>", "</tool_response>",
    "<think>", "</think>",
)  # fmt: skip
"""Qwen3's marks, numbered after its pieces."""


@cache
def qwen_tokenizer() -> Tokenizer:
    """Qwen2's to Qwen3's, which adds no marks of its own to a text."""
    merges = [(first, second) for first, _, second in (line.partition(" ") for line in _text("qwen_merges.txt"))]
    entries = [*byte_signs().values(), *(first + second for first, second in merges)]
    tokenizer = Tokenizer(BPE(vocab={entry: number for number, entry in enumerate(entries)}, merges=merges))
    tokenizer.normalizer = NFC()
    words = Split(Regex(QWEN_WORDS), behavior="isolated")
    tokenizer.pre_tokenizer = Sequence([words, ByteLevel(add_prefix_space=False, use_regex=False)])
    tokenizer.decoder = ByteLevelDecoder()
    tokenizer.add_special_tokens(list(QWEN_MARKS))
    return tokenizer


@cache
def t5_tokenizer() -> Tokenizer:
    """T5's, which ends every text with a mark."""
    return Tokenizer.from_str("\n".join(_text("t5.json")))


def _text(name: str) -> list[str]:
    packed = files("trainer").joinpath("assets", "tokenizers", f"{name}.gz").read_bytes()
    return gzip.decompress(packed).decode("utf-8").removesuffix("\n").split("\n")
