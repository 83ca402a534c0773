from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from advisor.errors import ModelError
from tests.support.paths import KOHYA_VECTORS
from tests.support.tiny import tiny_sd1_folder
from trainer.models.tokenizer import Tokenizer, clip_tokenizer, load_tokenizer

VECTORS = json.loads(KOHYA_VECTORS.read_text(encoding="utf-8"))


@pytest.fixture(scope="module")
def clip() -> Tokenizer:
    return clip_tokenizer(length=77)


@pytest.mark.parametrize("vector", VECTORS["tokens"], ids=lambda v: f"{v['max_token_length']}-{v['text'][:12]}")
def test_token_numbers_are_kohyas(clip: Tokenizer, vector: dict[str, Any]) -> None:
    wanted = vector["ids"] if isinstance(vector["ids"][0][0], int) else vector["ids"][0]
    chunks = (vector["max_token_length"] or 75) // 75

    assert clip([vector["text"]], chunks)[0].tolist() == wanted


def test_a_cat(clip: Tokenizer) -> None:
    assert clip(["a photo of a cat"])[0, 0, :7].tolist() == [49406, 320, 1125, 539, 320, 2368, 49407]


def test_captions_become_one_tensor(clip: Tokenizer) -> None:
    assert clip(["a", "b", ""], 3).shape == (3, 3, 77)


def test_a_padding_of_its_own_still_ends_each_caption() -> None:
    """As SD2 has it; sd-scripts puts the end mark so."""
    tokenizer = Tokenizer(_Letters(), start=8, end=9, pad=0, length=5)

    assert tokenizer(["12"], 2)[0].tolist() == [[8, 1, 2, 9, 0], [8, 9, 0, 0, 0]]
    assert tokenizer(["1234567"], 2)[0].tolist() == [[8, 1, 2, 3, 9], [8, 4, 5, 6, 9]]


def test_a_folders_tokenizer_has_its_own_words_and_length(tmp_path: Path) -> None:
    folder = tiny_sd1_folder(tmp_path) / "tokenizer"
    vocabulary = json.loads((folder / "vocab.json").read_text(encoding="utf-8"))

    tokens = load_tokenizer(folder, length=77)(["cat, ab"])[0, 0]

    start, end = vocabulary["<|startoftext|>"], vocabulary["<|endoftext|>"]
    pieces = [vocabulary[piece] for piece in ("cat</w>", ",</w>", "a", "b</w>")]
    assert tokens.tolist() == [start, *pieces, *[end] * 19]


def test_the_one_file_of_newer_folders_is_read_alike(tmp_path: Path) -> None:
    folder = tiny_sd1_folder(tmp_path) / "tokenizer"
    before = load_tokenizer(folder, length=77)
    before.clip.backend_tokenizer.save(str(folder / "tokenizer.json"))
    (folder / "vocab.json").unlink()

    assert load_tokenizer(folder, length=77)(["cat, ab"]).tolist() == before(["cat, ab"]).tolist()


def test_a_folder_without_a_tokenizer_is_named(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="holds no tokenizer that can be read"):
        load_tokenizer(tmp_path, length=77)


class _Letters:
    def __call__(self, caption: str, **_: object) -> dict[str, list[int]]:
        return {"input_ids": [int(letter) for letter in caption]}


def test_a_vocabulary_of_another_size_is_not_clips(tmp_path: Path) -> None:
    assert clip_tokenizer(length=77).has_clip_vocabulary
    assert not load_tokenizer(tiny_sd1_folder(tmp_path) / "tokenizer", length=77).has_clip_vocabulary
