from __future__ import annotations

import pytest

from templates.vocabulary import Vocabulary, Word

SAMPLERS = Vocabulary(
    (Word("ddim", "DDIM"), Word("euler", "Euler", ("k_euler",)), Word("unipc", "DDIM", is_near=True)),
    lacks=("heun",),
    read_only={"plms": "plms"},
    near={"Euler Karras": "euler"},
    near_by_part=(("dd", "ddim"),),
)
KINDS = Vocabulary((Word("lora", "LORA"), Word("dora", "LORA", decided_by="decompose")), otherwise="lora")


def test_the_first_spelling_is_written_and_all_are_read() -> None:
    assert SAMPLERS.theirs("euler") == "Euler"
    assert {SAMPLERS.ours(word) for word in ("Euler", "EULER", "k_euler")} == {"euler"}
    assert SAMPLERS.ours("PLMS") == "plms"


def test_a_near_word_is_written_and_read_as_the_value_that_it_is_near_to() -> None:
    assert SAMPLERS.theirs("unipc") == "DDIM"
    assert SAMPLERS.ours("DDIM") == "ddim"
    assert SAMPLERS.written == ("ddim", "euler", "unipc")


def test_a_shared_word_is_read_as_the_value_that_needs_no_other_key() -> None:
    assert KINDS.theirs("dora") == "LORA"
    assert KINDS.ours("lora") == "lora"


def test_an_unknown_word_has_a_nearest_value() -> None:
    assert SAMPLERS.ours("euler karras") is None
    assert SAMPLERS.nearest("euler karras") == "euler"
    assert SAMPLERS.nearest("my ddpm") == "ddim"
    assert SAMPLERS.nearest("x") is None
    assert KINDS.nearest("x") == "lora"


def test_case_counts_where_it_matters() -> None:
    exact = Vocabulary((Word("sd1", "SD_15"),), case_matters=True)

    assert exact.ours("SD_15") == "sd1"
    assert exact.ours("sd_15") is None


def test_a_part_of_a_vocabulary_has_no_other_words() -> None:
    some = SAMPLERS.only(["euler"])

    assert some.written == ("euler",)
    assert some.ours("ddim") is None
    with pytest.raises(KeyError):
        some.theirs("ddim")
