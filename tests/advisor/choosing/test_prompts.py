from __future__ import annotations

from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from advisor.choosing.prompts import CaptionSet, ProposedPrompt, prompts_for, proposed_prompts
from advisor.dataset.caption_weights import weighted_texts
from advisor.dataset.captions import has_word
from advisor.dataset.clip_tokens import num_tokens
from advisor.settings.config import TrainingConfig, blank_config, with_values
from advisor.settings.texts import line_fault
from tests.support.factories import make_dataset

TAGGED = (
    "mira, 1girl, solo, red hair, smile, outdoors",
    "mira, 1girl, solo, red hair, open mouth, outdoors, kimono",
    "mira, 1girl, solo, red hair, smile, indoors, beach",
)
SENTENCES = (
    "photo of ohwx woman walking in a park",
    "photo of ohwx woman sitting in a park",
    "close portrait of ohwx woman",
)


def proposed(captions: Any = TAGGED, num_images: int = 3, **settings: Any) -> tuple[ProposedPrompt, ...]:
    return proposed_prompts(make_dataset(num_images, captions=captions), config(**settings))


def config(**settings: Any) -> TrainingConfig:
    values = {"run.trigger": "mira"} | {name.replace("__", "."): value for name, value in settings.items()}
    return with_values(blank_config(family="sd1"), values)


def by_kind(prompts: tuple[ProposedPrompt, ...]) -> dict[str, str]:
    return {prompt.kind: prompt.text for prompt in prompts}


def test_tags_give_a_caption_the_trigger_a_new_setting_and_a_prompt_without_the_character() -> None:
    assert by_kind(proposed()) == {
        "caption": "mira, 1girl, solo, red hair, smile, outdoors",
        "trigger": "mira, 1girl, solo",
        "new_setting": "mira, 1girl, solo, raincoat, snow",
        "without": "1girl, solo, smile, outdoors",
    }


def test_sentences_give_sentences() -> None:
    assert by_kind(proposed(SENTENCES, run__trigger="ohwx")) == {
        "caption": "photo of ohwx woman walking in a park",
        "trigger": "ohwx woman",
        "new_setting": "ohwx woman wearing a raincoat on a beach",
        "without": "a woman wearing a raincoat on a beach",
    }


def test_a_class_that_does_not_follow_the_trigger_is_told_with_an_article() -> None:
    captions = ("mira is a girl who sits on a bench", "a girl named mira runs along the road")

    assert by_kind(proposed(captions))["trigger"] == "mira, a girl"


def test_without_captions_the_base_model_says_whether_tags_are_asked_for() -> None:
    tags = [prompt.text for prompt in proposed(None, model__lineage="anylora")]
    words = [prompt.text for prompt in proposed(None)]

    assert tags == ["mira", "mira, raincoat, beach", "mira, kimono, snow", "solo, raincoat, beach"]
    assert words == [
        "mira",
        "mira wearing a raincoat on a beach",
        "mira wearing a kimono in the snow",
        "a person wearing a raincoat on a beach",
    ]


def test_a_style_is_asked_for_what_its_pictures_do_not_show() -> None:
    captions = ("inky, 1girl, cat, sitting", "inky, 1girl, street", "inky, 1boy, street")
    found = proposed(captions, run__trigger="inky", run__subject="style")

    assert by_kind(found) == {
        "caption": "inky, 1girl, street",
        "trigger": "inky, 1girl",
        "new_setting": "inky, scenery, mountain, river",
        "without": "scenery, mountain, river",
    }


def test_a_caption_that_lacks_the_trigger_gets_it_in_front() -> None:
    captions = ("1girl, red hair, smile", "1girl, red hair, frown")

    assert by_kind(proposed(captions))["caption"] == "mira, 1girl, red hair, smile"


def test_where_every_tag_is_the_characters_the_prompt_without_it_has_a_new_setting() -> None:
    assert by_kind(proposed("mira, 1girl, red hair"))["without"] == "1girl, raincoat, beach"


def test_brackets_in_captions_are_no_emphasis_in_prompts() -> None:
    found = proposed("mira \\(idol\\), 1girl, smile (happy), [sic]", run__trigger="mira (idol)")

    assert by_kind(found)["caption"] == r"mira \(idol\), 1girl, smile \(happy\), \[sic\]"
    assert by_kind(found)["trigger"] == r"mira \(idol\), 1girl"
    assert all(part.weight == 1 for prompt in found for part in weighted_texts(prompt.text))


def test_emphasis_that_is_trained_as_such_is_left_out() -> None:
    found = proposed("mira, (smile:1.2), [[hat]], {red|blue} dress", dataset__weighted_captions=True,
                     dataset__wildcards=True)  # fmt: skip

    assert by_kind(found)["caption"] == "mira, smile, hat, red dress"


def test_a_strangers_caption_is_one_line_that_steers_no_terminal() -> None:
    found = proposed("mira, 1girl, a\x1b[31mb\u202ec, d\te")

    assert by_kind(found)["caption"] == r"mira, 1girl, a \[31mb c, d e"


def test_a_long_caption_is_cut_between_tags_to_what_the_text_encoder_reads() -> None:
    caption = ", ".join(["1girl", *(f"thing number {number}" for number in range(60)), "mira"])
    text = by_kind(proposed(caption))["caption"]

    assert text.startswith("mira, 1girl, thing number 0, ")
    assert num_tokens(text) <= 75


def test_captions_of_one_of_several_lines_give_one_of_them() -> None:
    found = proposed("mira, 1girl, smile\nmira, 1girl, frown", dataset__caption_lines="random")

    assert by_kind(found)["caption"] == "mira, 1girl, smile"


def test_a_large_set_is_read_in_part() -> None:
    assert len(CaptionSet.of(make_dataset(9001), config()).captions) == 1801


def test_a_lora_without_a_known_trigger_has_prompts_too() -> None:
    found = prompts_for(CaptionSet(("1girl, hat, smile", "1girl, hat, frown"), "", are_tags=True))

    assert by_kind(found)["trigger"] == "1girl"
    assert by_kind(found)["new_setting"] == "1girl, raincoat, beach"


@pytest.mark.parametrize("subject", ["character", "style"])
@example(captions=[None], trigger=r"\\(")
@given(
    captions=st.lists(st.text(max_size=300) | st.none(), min_size=1, max_size=5),
    trigger=st.text(min_size=1, max_size=20).filter(lambda text: line_fault(text) is None),
)
def test_any_captions_give_different_prompts_of_one_line(subject: str, captions: list[Any], trigger: str) -> None:
    found = proposed(captions, len(captions), run__subject=subject, run__trigger=trigger)
    texts = [prompt.text for prompt in found]

    assert 2 <= len(set(texts)) == len(texts) <= 4
    assert all(text.isprintable() and text.strip() and num_tokens(text) <= 160 for text in texts)
    assert all(part.weight == 1 for text in texts for part in weighted_texts(text))


@given(captions=st.lists(st.text("ab ,(mira", max_size=60), min_size=1, max_size=6))
def test_the_trigger_stands_in_all_but_the_last_kind(captions: list[str]) -> None:
    for prompt in proposed(captions, len(captions), run__trigger="zorb"):
        assert has_word(prompt.text, "zorb") == (prompt.kind != "without")
