"""The advisor's counts are those of the tokenizer that training uses."""

from __future__ import annotations

import json
import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from advisor.dataset.clip_tokens import num_tokens
from tests.support.effort import at_most
from tests.support.paths import KOHYA_VECTORS
from trainer.models.tokenizer import clip_tokenizer

CLIP = clip_tokenizer(length=77)
ALPHABET = "aAzZ019 ,.'!?-_()<>|{}&\n\téßÅǅΣσς猫ア한ñ²½Ⅷ🐈\u0301\u00a0"

TEXTS = (
    "", "a photo of a cat", "mia, 1girl, blue_hair, looking at viewer", "don't, they're, I'M, 'sa", "2024: 30x40cm",
    "größe, Straße, ÀÉÎ", "青い目の女の子", "🐈🐈 x", "<|endoftext|> <|startoftext|>", "\u0130stanbul", "a\u00a0b",
    "supercalifragilisticexpialidocious xyzzyplugh", "...!!!???", "a,b;c", "½ cup, x² + Ⅷ", "ΟΔΟΣ",
)  # fmt: skip


@pytest.mark.parametrize(
    "text", [*TEXTS, *(vector["text"] for vector in json.loads(KOHYA_VECTORS.read_text("utf-8"))["tokens"])]
)
def test_a_text_has_as_many_tokens_as_clips_tokenizer_makes(text: str) -> None:
    assert num_tokens(text) == len(CLIP.pieces(text))


@given(st.text(ALPHABET, max_size=60) | st.text(st.characters(max_codepoint=127), max_size=60))
def test_whatever_the_text_the_count_is_the_tokenizers(text: str) -> None:
    assert num_tokens(text) == len(CLIP.pieces(text))


def test_a_word_without_end_takes_no_longer_than_its_length() -> None:
    word = "".join(random.Random(0).choices("abcdefghijklmnopqrstuvwxyz", k=64_000))

    with at_most(10):
        assert num_tokens(word) > 30_000
