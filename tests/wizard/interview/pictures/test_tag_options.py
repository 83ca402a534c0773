from __future__ import annotations

from typing import Any

import pytest

from advisor.dataset.caption_edits.selection import Selection
from advisor.errors import LoraError
from wizard.interview.pictures.tag_options import TagOptions


def test_without_options_the_usual_shares_hold_and_pictures_without_caption_are_meant() -> None:
    options = TagOptions()
    choice = options.choice("tok")

    assert (choice.threshold, choice.character_threshold, choice.trigger) == (0.35, 0.85, "tok")
    assert (options.mode, options.selection) == ("missing", Selection(without_caption=True))


def test_captions_that_are_there_are_meant_where_that_is_asked_for() -> None:
    assert TagOptions(append=True).selection == TagOptions(replace=True).selection == Selection()
    assert (TagOptions(append=True).mode, TagOptions(replace=True).mode) == ("append", "replace")


def test_only_means_paths_or_names() -> None:
    options = TagOptions(only=("outdoors/*", "b?.png"), append=True)

    assert options.selection == Selection(only=("outdoors/*", "b?.png"))


def test_unwanted_tags_come_apart_at_commas() -> None:
    assert TagOptions(without=("hat, long hair,", "solo")).choice("").without == ("hat", "long hair", "solo")


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ({"threshold": 0.01}, "--threshold is 0.01: give a share from 0.05 to 1"),
        ({"character_threshold": 1.5}, "--character-threshold is 1.5"),
        ({"threshold": float("nan")}, "--threshold is nan"),
        ({"append": True, "replace": True}, "give one of them"),
        ({"device": "cuda"}, "--device is 'cuda': take cpu"),
        ({"batch": 0}, "--batch is 0"),
    ],
)
def test_what_cannot_be_is_refused_with_the_option(given: dict[str, Any], told: str) -> None:
    with pytest.raises(LoraError, match=told):
        TagOptions(**given).choice("")


def test_the_log_has_the_command_that_did_it() -> None:
    options = TagOptions(threshold=0.5, only=("*.png",), without=("hat, cap",), replace=True, underscores=True)

    assert options.command("/my run", "/m.onnx") == (
        'loracle tag "/my run" --model "/m.onnx" --threshold 0.5 --only "*.png" --without "hat, cap" --replace '
        "--keep-underscores"
    )
