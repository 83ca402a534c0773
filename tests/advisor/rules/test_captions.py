from __future__ import annotations

from typing import Any

import pytest

from tests.support.factories import make_dataset, make_plan_config, make_plan_for

SENTENCE = "a girl with red hair who smiles at the sea on a summer evening."


@pytest.mark.parametrize(
    ("fields", "shuffled", "kept"),
    [
        ({}, False, 0),
        ({"advice": "current"}, True, 1),
        ({"advice": "current", "captions": SENTENCE}, False, 0),
        ({"advice": "current", "captions": None}, False, 0),
        ({"family": "sd2", "advice": "current"}, False, 0),
        ({"family": "sdxl", "advice": "current"}, False, 0),
    ],
)
def test_tags_are_shuffled_behind_the_trigger_in_the_current_profile(
    fields: dict[str, Any], shuffled: bool, kept: int
) -> None:
    dataset = make_plan_config(**fields).dataset

    assert (dataset.shuffle_captions, dataset.keep_tokens) == (shuffled, kept)


def test_the_ending_of_most_captions_is_taken() -> None:
    dataset = make_dataset(caption_extension=".caption")

    assert make_plan_config(dataset=dataset).dataset.caption_extension == ".caption"


@pytest.mark.parametrize(
    ("fields", "lines", "reason"),
    [
        ({}, "joined", "none is lost"),
        ({"captions": "mira\nsmile"}, "joined", "30 captions have several lines: all of them"),
        ({"captions": "mira\nsmile", "settings": {"dataset.wildcards": True}}, "random", "one is drawn each time"),
    ],
)
def test_no_line_of_a_caption_is_lost(fields: dict[str, Any], lines: str, reason: str) -> None:
    plan = make_plan_for(**fields)

    assert plan.config.dataset.caption_lines == lines
    assert reason in plan.by_path["dataset.caption_lines"].reason


@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        (
            {"captions": ("admiral, smile", "mira, smile")},
            "15 captions lack 'mira', dataset.prepend_trigger=true writes it in front",
        ),
        ({}, "no caption lacks 'mira'"),
        ({"subject": "style", "captions": "smile"}, "a style is learned from all captions alike"),
    ],
)
def test_the_trigger_in_front_is_offered_where_captions_lack_it(fields: dict[str, Any], reason: str) -> None:
    decision = make_plan_for(**fields).by_path["dataset.prepend_trigger"]

    assert decision.value is False
    assert reason in decision.reason


@pytest.mark.parametrize(
    ("words", "value", "reason"),
    [
        (75, 75, "no caption has more than 75 tokens"),
        (76, 150, "the longest caption has 76 tokens, so 2 chunks are read: nothing is cut"),
        (151, 225, "so 3 chunks are read: nothing is cut"),
        (300, 225, "so 3 chunks are read, the most there are"),
    ],
)
def test_as_many_chunks_are_read_as_the_longest_caption_needs(words: int, value: int, reason: str) -> None:
    plan = make_plan_for(captions=("mira, smile", "mira " * words))

    assert plan.config.dataset.max_tokens == value
    assert reason in plan.by_path["dataset.max_tokens"].reason


def test_what_is_not_trained_of_a_caption_asks_for_no_room() -> None:
    captions = "mira, smile\n" + "tag " * 90

    assert make_plan_config(captions=captions, settings={"dataset.caption_lines": "first"}).dataset.max_tokens == 75
    assert make_plan_config(captions=captions, settings={"dataset.caption_lines": "joined"}).dataset.max_tokens == 150


def test_of_a_choice_its_longest_word_counts() -> None:
    choice = "{" + "|".join(["red hat"] * 90) + "}"

    assert make_plan_config(captions=f"mira, {choice}", settings={"dataset.wildcards": True}).dataset.max_tokens == 75
