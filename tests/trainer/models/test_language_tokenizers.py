"""The numbers are those of the tokenizers that sd-scripts ships for Anima (commit 48d368fa)."""

from __future__ import annotations

import pytest

from trainer.models.language_tokenizers import qwen_tokenizer, t5_tokenizer


@pytest.mark.parametrize(
    ("text", "qwen", "t5"),
    [
        (
            "1girl, mira, blue hair",
            [16, 28552, 11, 8652, 64, 11, 6303, 6869],
            [209, 18722, 6, 1870, 9, 6, 1692, 1268, 1],
        ),
        ("", [], [1]),
        (
            "naïve café 毕老师 12",
            [3376, 37572, 586, 51950, 6567, 107, 243, 101049, 220, 16, 17],
            [3, 29, 9, 2, 162, 11949, 3, 2, 586, 1],
        ),
        ("  two  spaces\n\nx\t", [220, 1378, 220, 12621, 271, 87, 197], [192, 4856, 3, 226, 1]),
        ("<|im_end|> x", [151645, 856], [3, 2, 9175, 603, 834, 989, 9175, 3155, 3, 226, 1]),
    ],
)
def test_texts_have_the_published_numbers(text: str, qwen: list[int], t5: list[int]) -> None:
    assert qwen_tokenizer().encode(text).ids == qwen
    assert t5_tokenizer().encode(text).ids == t5


def test_the_vocabularies_are_whole() -> None:
    assert qwen_tokenizer().get_vocab_size() == 151_669
    assert t5_tokenizer().get_vocab_size() == 32_100
