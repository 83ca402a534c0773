from __future__ import annotations

from advisor.tagging.choose_tags import ChosenTag, TagChoice, TagChooser, carried_by_trigger
from advisor.tagging.tag_list import Tag, TagKind

LIST: tuple[tuple[str, TagKind], ...] = (
    ("general", "rating"), ("explicit", "rating"), ("long_hair", "general"), ("1girl", "general"), ("^_^", "general"),
    ("solo", "general"), ("miku_(x)", "character"), ("someone", "other"), ("hat", "general"),
)  # fmt: skip
TAGS = tuple(Tag(name, kind) for name, kind in LIST)
TOLD = {0: 0.9, 1: 0.08, 2: 0.5, 3: 0.6, 4: 0.7, 5: 0.55, 6: 0.86, 7: 0.99, 8: 0.34}


def caption(choice: TagChoice | None = None, told: dict[int, float] | None = None) -> str:
    chooser = TagChooser(TAGS, choice or TagChoice())
    return chooser.caption(chooser.chosen(TOLD if told is None else told))


def test_how_many_come_first_then_the_surest_and_ratings_stay_out() -> None:
    assert caption() == "1girl, solo, miku (x), ^_^, long hair"


def test_the_trigger_stands_in_front_and_not_twice() -> None:
    assert caption(TagChoice(trigger="zuvi")) == "zuvi, 1girl, solo, miku (x), ^_^, long hair"
    assert caption(TagChoice(trigger="Miku (x)")) == "Miku (x), 1girl, solo, ^_^, long hair"


def test_thresholds_hold_for_general_tags_and_for_names_apart() -> None:
    assert caption(TagChoice(threshold=0.34)).endswith("long hair, hat")
    assert caption(TagChoice(threshold=0.56)) == "1girl, miku (x), ^_^"
    assert caption(TagChoice(threshold=0.56, character_threshold=0.9)) == "1girl, ^_^"


def test_unwanted_tags_are_left_out_in_any_spelling() -> None:
    assert caption(TagChoice(without=("Long hair", "1GIRL", r"miku_\(x\)"))) == "solo, ^_^"


def test_the_likeliest_rating_stands_last_where_it_is_wanted() -> None:
    assert caption(TagChoice(ratings=True, threshold=0.9)) == "miku (x), general"
    assert caption(TagChoice(ratings=True, threshold=0.9, without=("general",))) == "miku (x)"


def test_a_picture_of_which_nothing_is_sure_has_the_trigger_alone() -> None:
    assert caption(TagChoice(trigger="zuvi"), {2: 0.1}) == "zuvi"
    assert caption(told={}) == ""


def test_equally_sure_tags_keep_the_order_of_the_list() -> None:
    assert caption(told={8: 0.5, 2: 0.5}) == "long hair, hat"


def test_what_is_in_nearly_all_pictures_the_trigger_could_stand_for() -> None:
    pictures = [[ChosenTag(text, "general", 1.0) for text in ("solo", "long hair", f"hat {n}")] for n in range(9)]
    pictures[0] = [ChosenTag("solo", "general", 1.0)]

    assert carried_by_trigger(pictures) == ("long hair",)
    assert carried_by_trigger(pictures[:7]) == ()
