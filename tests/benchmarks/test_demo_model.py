"""The drawing code, the captions and the tokenizer of the demo model's maker."""

import random
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("transformers")

from transformers import CLIPTokenizer

from benchmarks.demo_model.avatar import base_drawing
from benchmarks.demo_model.characters import TRIGGER, helper_drawing
from benchmarks.demo_model.data import caption, character_sets, draw_all, load
from benchmarks.demo_model.draw import draw
from benchmarks.demo_model.score_data import score_data, write_score_data
from benchmarks.demo_model.tokenizer import MAX_LENGTH, words, write_tokenizer
from trainer.demo.score import SCORE_FILE, read_score_data


@pytest.fixture
def tokenizer(tmp_path: Path) -> CLIPTokenizer:
    write_tokenizer(tmp_path)
    return CLIPTokenizer.from_pretrained(tmp_path, local_files_only=True)


def test_the_same_seed_draws_the_same_pixels() -> None:
    first, second = (draw(base_drawing(random.Random(7))) for _ in range(2))

    assert np.array_equal(np.asarray(first), np.asarray(second))


def test_another_seed_draws_someone_else() -> None:
    first, second = (draw(base_drawing(random.Random(seed))) for seed in (7, 8))

    assert not np.array_equal(np.asarray(first), np.asarray(second))


def test_a_drawing_is_128_px_wide_and_high() -> None:
    assert draw(helper_drawing(random.Random(1))).size == (128, 128)


def test_caps_never_sit_on_buns() -> None:
    dice = random.Random(0)
    tags = [set(base_drawing(dice).tags) for _ in range(2000)]

    assert not any("bun hair" in one and any(tag.endswith((" cap", " beanie")) for tag in one) for one in tags)


def test_nobody_winks_behind_sunglasses() -> None:
    dice = random.Random(0)
    tags = [set(base_drawing(dice).tags) for _ in range(2000)]

    assert not any({"wink", "sunglasses"} <= one for one in tags)


def test_the_character_has_24_pictures_and_12_held_out_none_in_both() -> None:
    training, held_out = character_sets(1)

    assert (len({d.tags for d in training}), len({d.tags for d in held_out})) == (24, 12)
    assert not {d.tags for d in training} & {d.tags for d in held_out}


def test_every_caption_of_the_character_begins_with_the_trigger() -> None:
    training, held_out = character_sets(1)

    assert {drawing.tags[0] for drawing in (*training, *held_out)} == {"zuvi"}


def test_the_base_model_never_reads_the_trigger() -> None:
    assert TRIGGER not in words()


def test_the_character_appears_with_each_background_three_times() -> None:
    training, _ = character_sets(1)

    assert all(sum(drawing.tags[-1] == tag for drawing in training) == 3 for tag in {d.tags[-1] for d in training})


def test_captions_are_whole_in_about_half_of_all_cases() -> None:
    dice = random.Random(0)
    captions = [caption(["smile", "beard", "red background"], dice) for _ in range(2000)]

    assert 0.45 < captions.count("smile, beard, red background") / 2000 < 0.6
    assert 0.07 < captions.count("") / 2000 < 0.13


def test_words_of_the_base_are_single_tokens(tokenizer: CLIPTokenizer) -> None:
    assert tokenizer.tokenize("striped shirt, blonde hair") == [
        "striped</w>", "shirt</w>", ",</w>", "blonde</w>", "hair</w>",
    ]  # fmt: skip


def test_an_unknown_word_becomes_letters(tokenizer: CLIPTokenizer) -> None:
    assert tokenizer.tokenize("zuvi") == ["z", "u", "v", "i</w>"]


def test_a_caption_is_cut_at_40_tokens(tokenizer: CLIPTokenizer) -> None:
    assert len(tokenizer("hair " * 99, truncation=True).input_ids) == MAX_LENGTH == 40


def test_drawn_pictures_read_back_with_their_tags(tmp_path: Path) -> None:
    draw_all(tmp_path, base=1, helpers=1, seed=3, chunk=2)

    pictures = load(tmp_path)

    assert pictures.base.shape == (2, 128, 128, 3)
    assert [len(tags) >= 6 for tags in pictures.tags] == [True, True]


def test_the_committed_score_file_is_what_the_maker_writes(tmp_path: Path) -> None:
    training, _ = character_sets(1)
    write_score_data(tmp_path / "score.json", score_data(training))

    assert read_score_data(tmp_path / "score.json") == read_score_data(SCORE_FILE)


def test_the_committed_pictures_are_what_the_maker_draws() -> None:
    from PIL import Image

    training, _ = character_sets(1)
    with Image.open(SCORE_FILE.parent / "character" / "01.png") as picture:
        committed = np.asarray(picture.convert("RGB")).astype(int)

    assert np.abs(committed - np.asarray(draw(training[0]))).max() <= 4
