from __future__ import annotations

import json

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from advisor.dataset.caption_weights import weighted_texts
from tests.support.effort import at_most
from tests.support.paths import KOHYA_VECTORS
from trainer.models.prompt_weights import weighted_tokens
from trainer.models.tokenizer import clip_tokenizer

VECTORS = json.loads(KOHYA_VECTORS.read_text(encoding="utf-8"))
TOKENIZER = clip_tokenizer(length=77)


def told(caption: str) -> list[tuple[str, float]]:
    return [(part.text, round(part.weight, 4)) for part in weighted_texts(caption)]


def test_tokens_and_weights_are_kohyas() -> None:
    ids, weights = weighted_tokens(TOKENIZER, ["a (red:1.3) [hat] ((big)) dog"])

    assert ids[0].tolist() == VECTORS["weighted"]["ids"][0]
    torch.testing.assert_close(weights[0], torch.tensor(VECTORS["weighted"]["w"][0][0]), atol=1e-6, rtol=0)


@pytest.mark.parametrize(
    ("caption", "wanted"),
    [
        ("tok, smile", [("tok, smile", 1.0)]),
        ("(tok)", [("tok", 1.1)]),
        ("[tok]", [("tok", 0.9091)]),
        ("a (b (c:2) d:1.5) e", [("a ", 1.0), ("b ", 1.5), ("c", 3.0), (" d", 1.5), (" e", 1.0)]),
        (r"saber \(fate\), smile", [("saber (fate), smile", 1.0)]),
        ("time: 12:30", [("time: 12:30", 1.0)]),
        ("(a", [("a", 1.1)]),
        ("[a", [("a", 0.9091)]),
        ("a) b]", [("a) b]", 1.0)]),
        ("a:1.2) b", [("a:1.2) b", 1.0)]),
        ("(a: .5)", [("a", 0.5)]),
        ("", []),
    ],
)
def test_brackets_weigh_what_is_in_them(caption: str, wanted: list[tuple[str, float]]) -> None:
    assert told(caption) == wanted


@given(st.text(alphabet="ab ,:12.()[]\\", max_size=40))
def test_any_text_has_parts_and_no_letter_is_lost(caption: str) -> None:
    letters = "".join(part.text for part in weighted_texts(caption))

    assert [sign for sign in letters if sign in "ab,"] == [sign for sign in caption if sign in "ab,"]


def test_without_brackets_the_tokens_are_those_of_a_plain_caption() -> None:
    captions = ["tok, 1girl, blue hair " * 20, ""]

    ids, weights = weighted_tokens(TOKENIZER, captions, chunks=2)

    assert torch.equal(ids, TOKENIZER(captions, chunks=2))
    assert weights.shape == (2, 152)
    assert bool((weights == 1).all())


def test_weights_go_on_in_the_second_chunk_and_end_with_the_last() -> None:
    _, weights = weighted_tokens(TOKENIZER, [f"({'cat ' * 100}:1.5)", f"({'cat ' * 200}:1.5)"], chunks=2)

    assert weights[0].tolist() == [1.0] + [1.5] * 100 + [1.0] * 51
    assert weights[1].tolist() == [1.0] + [1.5] * 150 + [1.0]


@pytest.mark.parametrize("endless", ["(a:" + "1" * 10**6, "(a:" + " " * 10**6, "(" * 10**6, ":" * 10**6, "[a" * 10**6])
def test_strange_text_without_end_takes_no_longer_than_its_length(endless: str) -> None:
    with at_most(10):
        assert len(weighted_texts(endless)) <= len(endless)
