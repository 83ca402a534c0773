from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from advisor.dataset.captions import CaptionReader, has_word, lines_of
from advisor.settings.config import CaptionLines, blank_config, parse_config
from advisor.settings.earlier import completed
from tests.support.factories import make_plan_config

TAG_LINES = "mia\n1girl\n\nblue hair,\nsmile\r\n"


@pytest.mark.parametrize(
    ("lines", "captions"),
    [
        ("first", ("mia",)),
        ("joined", ("mia, 1girl, blue hair, smile",)),
        ("random", ("mia", "1girl", "blue hair,", "smile")),
    ],
)
def test_the_setting_says_which_lines_of_a_caption_are_trained(lines: CaptionLines, captions: tuple[str, ...]) -> None:
    assert CaptionReader(lines).captions(TAG_LINES) == captions


def test_sentences_are_joined_without_another_comma() -> None:
    assert CaptionReader("joined").read("A girl sits by the sea.\nHer hair is blue.") == (
        "A girl sits by the sea. Her hair is blue."
    )


@given(st.text(), st.sampled_from(["first", "joined", "random"]), st.text(max_size=5))
def test_there_is_always_a_caption_and_none_of_several_lines(text: str, lines: CaptionLines, trigger: str) -> None:
    captions = CaptionReader(lines, trigger.strip()).captions(text)

    assert captions
    assert not any("\n" in caption for caption in captions if "\n" not in trigger)


@pytest.mark.parametrize(
    ("text", "trained"),
    [
        ("1girl, smile", "mia, 1girl, smile"),
        ("1girl, Mia, smile", "1girl, Mia, smile"),
        ("damian, smile", "mia, damian, smile"),
        ("", "mia"),
    ],
)
def test_the_trigger_is_put_in_front_of_captions_that_lack_it(text: str, trained: str) -> None:
    assert CaptionReader("joined", "mia").read(text) == trained


def test_the_trigger_is_put_in_front_of_each_line_that_may_be_drawn() -> None:
    assert CaptionReader("random", "mia").captions("smile\nmia at sea") == ("mia, smile", "mia at sea")


def test_nothing_is_put_in_front_unless_the_configuration_says_so() -> None:
    usual = CaptionReader.of(make_plan_config(trigger="mia"))
    wanted = CaptionReader.of(make_plan_config(trigger="mia", settings={"dataset.prepend_trigger": True}))

    assert (usual.prepended, wanted.prepended) == ("", "mia")


@pytest.mark.parametrize(
    ("text", "word", "found"),
    [
        ("mia, smile", "mia", True),
        ("a photo of MIA.", "mia", True),
        ("damian, smile", "mia", False),
        ("miami beach, mia", "mia", True),
        ("mia_kirishima", "mia", True),
        ("mia2", "mia", True),
        ("a girl called mia kirishima", "mia kirishima", True),
        ("ミアが海辺で笑う", "ミア", True),
        ("die größe", "GRÖSSE", True),
        ("über", "ber", False),
        ("smile", "", False),
        ("", "mia", False),
    ],
)
def test_a_trigger_is_a_word_and_no_part_of_one(text: str, word: str, found: bool) -> None:
    assert has_word(text, word) is found


@given(st.text(), st.text(min_size=1).filter(str.strip))
def test_a_word_between_blanks_is_found(text: str, word: str) -> None:
    assert has_word(f"{text} {word} {text}", word)


def test_blank_lines_are_no_captions() -> None:
    assert lines_of(" \n a \n\n b\n") == ("a", "b")


@pytest.mark.parametrize(
    ("dataset", "lines"),
    [
        ({}, "first"),
        ({"wildcards": True}, "random"),
        ({"wildcards": True, "caption_lines": "first"}, "first"),
    ],
)
def test_a_configuration_from_before_the_setting_trains_as_it_did(dataset: dict[str, object], lines: str) -> None:
    tree = blank_config().model_dump(exclude={"dataset"}) | {"dataset": {"images": "/p", **dataset}}

    assert parse_config(completed(tree)).dataset.caption_lines == lines
