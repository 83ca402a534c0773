from __future__ import annotations

import random
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from advisor.dataset.caption_encoding import DecodedText
from advisor.dataset.doctor import caption_checks, set_checks, tag_checks
from advisor.dataset.doctor.caption_sources import caption_sources
from advisor.dataset.doctor.examine import Waiver, examine
from advisor.dataset.doctor.finding import Finding
from advisor.dataset.doctor.folder_facts import FolderFacts
from advisor.dataset.doctor.tag_checks import is_a_letter_away, is_misspelt
from advisor.dataset.folders import find_files
from advisor.dataset.report import DatasetReport, Folder, ImageFile
from advisor.dataset.scan import scan
from tests.support.effort import at_most
from tests.support.measured import captioned
from tests.support.pictures import make_pictures


def of(facts: FolderFacts, *checks: object) -> dict[str, Finding]:
    return {one.code: one for check in checks for one in check(facts)}  # type: ignore[operator]


@pytest.mark.parametrize(
    ("one", "other", "expected"),
    [
        ("smlie", "smile", True),
        ("smil", "smile", True),
        ("smilee", "smile", True),
        ("smike", "smile", True),
        ("smiles", "smile", False),
        ("smile", "smile", False),
        ("smlei", "smile", False),
        ("grin", "smile", False),
    ],
)
def test_a_letter_away(one: str, other: str, expected: bool) -> None:
    assert is_a_letter_away(one, other) == is_a_letter_away(other, one) == expected


@pytest.mark.parametrize(
    ("tag", "meant"),
    [
        ("glases", "glasses"),
        ("standng", "standing"),
        ("purpel hair", "purple hair"),
        ("tw intails", "twintails"),
        ("gren eyes", "green eyes"),
    ],
)
def test_a_misspelt_tag_is_told_from_another_word(tag: str, meant: str) -> None:
    assert is_misspelt(tag, meant)


@pytest.mark.parametrize(
    ("tag", "meant"),
    [
        ("white skirt", "white shirt"),
        ("2girls", "1girl"),
        ("red eyes", "red eye"),
        ("bed", "red"),
        ("long hair", "lone hair"),
        ("upper body", "upper bodies"),
        ("hat", "cat"),
        ("green eyes", "green eyes"),
        ("lose socks", "loose socks"),
        ("loose", "lose"),
        ("diner", "dinner"),
        ("desert", "dessert"),
        ("braid", "bread"),
    ],
)
def test_another_word_is_no_typo(tag: str, meant: str) -> None:
    assert not is_misspelt(tag, meant)


def test_a_typo_needs_a_frequent_tag_beside_it() -> None:
    often = ["mia, glasses, smile"] * 4
    (found,) = tag_checks.typos(captioned(*often, "mia, glases, smile"))

    assert found.files == ("4.png",)
    assert "'glases' is in 1 caption, 'glasses' in 4: probably a typo" in found.message
    assert list(tag_checks.typos(captioned(*often[:2], "mia, glases, smile"))) == []


def test_a_misspelt_word_is_told_in_each_tag_that_has_it() -> None:
    others = ["mia, pink background", "mia, pnik background", "mia, pnik background", "mia, pnik hat"]

    found = list(tag_checks.misspelt_tags(captioned(*["mia, pink hair"] * 5, *others, "mia, pnik hair")))

    assert {(one.tag, one.meant) for one in found} == {
        ("pnik hair", "pink hair"),
        ("pnik background", "pink background"),
    }


def test_where_the_trigger_stands() -> None:
    facts = captioned("mia, smile", "smile, mia", "damian, smile", "smile, hat", trigger="mia")

    found = of(facts, tag_checks.trigger)

    assert found["trigger_not_first"].files == ("1.png",)
    assert found["trigger_inside_word"].files == ("2.png",)
    assert found["trigger_missing"].files == ("3.png",)


def test_sentences_need_no_trigger_in_front() -> None:
    facts = captioned(*["a photo of mia who stands in the rain and waits for a bus"] * 3, trigger="mia")

    assert of(facts, tag_checks.trigger) == {}


def test_without_a_named_trigger_the_word_in_front_of_most_counts() -> None:
    found = of(captioned(*["mia, smile"] * 4, "hat, smile"), tag_checks.trigger)

    assert found["trigger_missing"].files == ("4.png",)


def test_tags_in_nearly_all_captions_fuse_but_for_the_trigger_and_who_is_there() -> None:
    captions = [f"mia, 1girl, red hair, place {index}" for index in range(10)]

    (found,) = tag_checks.fused(captioned(*captions, trigger="mia"))

    assert "red hair (10)" in found.message
    assert "1girl" not in found.message
    assert "(red hair (10)): it becomes part of 'mia'" in found.message
    assert list(tag_checks.fused(captioned(*captions[:7]))) == []


def test_spellings_of_one_tag() -> None:
    found = of(
        captioned("mia, long_hair", "mia, long hair", "mia, long hair, mia (x)", "mia \\(x\\), hat"), tag_checks.styles
    )

    assert found["tag_style"].files == ("0.png", "2.png")
    assert "'long_hair' and 'long hair'" in found["tag_style"].message


def test_captions_that_are_missing_empty_or_too_long() -> None:
    long = ", ".join(["walking down a street"] * 30)

    found = of(captioned("mia, hat", None, "", long, "a\nb"), *caption_checks.CHECKS)

    assert {code: one.files for code, one in found.items()} == {
        "caption_missing": ("1.png",),
        "caption_empty": ("2.png",),
        "caption_too_long": ("3.png",),
        "caption_lines": ("4.png",),
    }
    assert "3.png: 149" in found["caption_too_long"].message


def test_tokens_are_those_that_are_trained_whatever_the_alphabet() -> None:
    facts = captioned("黒髪の少女が海辺に立っている" * 4, "mia, {" + "a " * 80 + "|b}", trigger="mia")

    assert of(facts, caption_checks.too_long)["caption_too_long"].files == ("0.png", "1.png")
    wild = replace(facts, dataset=facts.dataset.model_copy(update={"max_tokens": 150, "wildcards": True}))
    assert of(wild, caption_checks.too_long) == {}


def test_a_folder_without_captions_is_told_once() -> None:
    found = of(captioned(None, None), *caption_checks.CHECKS)

    assert list(found) == ["no_captions"]


def test_too_few_pictures_and_the_same_framing_in_all() -> None:
    same = captioned(*[f"mia, upper body, place {index}" for index in range(10)])
    various = captioned(*[f"mia, {'upper body' if index % 2 else 'full body'}, place {index}" for index in range(10)])

    assert (
        "10 of the 10 captions that say how it is framed have 'upper body'"
        in of(same, set_checks.little_variety)["little_variety"].message
    )
    assert of(various, *set_checks.CHECKS) == {}
    assert "only 3 pictures" in of(captioned("a", "b", "c"), set_checks.few_pictures)["few_pictures"].message


def test_tags_that_are_meant_to_fuse_are_waived_by_name() -> None:
    facts = captioned(*[f"mia, 1girl, red hair, green eyes, place {index}" for index in range(10)], trigger="mia")

    found = [one for one in examine(facts, [Waiver("tag_fused", "Red_Hair", "it is hers")]) if one.code == "tag_fused"]

    assert [one.waived for one in found] == [False, True]
    assert "1 tag in nearly all of 10 captions (green eyes (10))" in found[0].message
    assert found[1].message == "1 tag meant to fuse with the trigger (red hair)"


def test_escaped_brackets_are_told() -> None:
    found = of(captioned("mia, hat \\(red\\)", "mia, hat"), tag_checks.brackets)

    assert found["tag_brackets"].files == ("0.png",)
    assert "hat \\(red\\)" in found["tag_brackets"].message
    assert list(tag_checks.brackets(captioned("mia, hat (red)"))) == []


def of_folders(*folders: tuple[str, int, int | None]) -> FolderFacts:
    images = tuple(
        ImageFile(f"{path}/{place}.png", 512, 512, index)
        for index, (path, number, _) in enumerate(folders)
        for place in range(number)
    )
    return FolderFacts(DatasetReport("/pictures", images, tuple(Folder(*folder) for folder in folders)))


def test_repeats_that_would_balance_folders_are_told() -> None:
    (found,) = set_checks.repeats_unbalanced(of_folders(("10_mia", 40, 10), ("1_hat", 8, 1)))

    assert found.severity == "warning"
    assert found.message == "10_mia is shown 50 times as often as 1_hat in an epoch (10_mia: 40 x 10, 1_hat: 8 x 1)"
    assert found.hint == "where both shall count alike, these repeats make them equal: 10_mia: 1, 1_hat: 5"


def test_the_same_repeats_of_a_small_and_a_large_folder_may_be_meant() -> None:
    (found,) = set_checks.repeats_unbalanced(of_folders(("2_mia", 60, 2), ("2_hat", 6, 2)))

    assert found.severity == "note"
    assert found.hint.endswith("2_mia: 1, 2_hat: 10")


@pytest.mark.parametrize(
    "folders",
    [
        (("1_mia", 300, 1), ("10_hat", 30, 10)),
        (("2_mia", 30, 2), ("2_hat", 10, 2)),
        (("mia", 300, None), ("hat", 3, None)),
        (("10_mia", 30, 10),),
    ],
)
def test_folders_that_repeats_balance_or_that_name_none_are_left_alone(
    folders: tuple[tuple[str, int, int | None], ...],
) -> None:
    assert list(set_checks.repeats_unbalanced(of_folders(*folders))) == []


def test_captions_of_byte_order_marks_and_other_encodings(tmp_path: Path) -> None:
    make_pictures(tmp_path, 4, captions="mia, smile")
    (tmp_path / "picture-001.txt").write_text("mia, hat", "utf-8-sig")
    (tmp_path / "picture-002.txt").write_bytes("ミア、黒髪".encode("shift_jis"))
    (tmp_path / "picture-003.txt").write_bytes("café".encode("cp1252"))

    found = caption_sources(scan(tmp_path), find_files(tmp_path))

    assert found.marked == ("picture-001.txt",)
    assert dict(found.decoded) == {"picture-002.png": DecodedText("ミア、黒髪", "Shift-JIS (Japanese)")}


@given(st.lists(st.text("abcd", min_size=3, max_size=6), min_size=1, max_size=3), st.data())
def test_every_word_a_letter_away_is_found_among_the_frequent_ones(words: list[str], data: st.DataObject) -> None:
    place = data.draw(st.integers(0, len(words) - 1))
    word = words[place]
    letter = data.draw(st.integers(0, len(word) - 1))
    before, behind = word[:letter], word[letter:]
    ways = (before + behind[1:], f"{before}d{behind}", f"{before}d{behind[1:]}", before + behind[1::-1] + behind[2:])
    changed = data.draw(st.sampled_from(ways))
    tag, meant = " ".join((*words[:place], changed, *words[place + 1 :])), " ".join(words)

    found = tag_checks.typos(captioned(*[f"mira, {meant}"] * 4, f"mira, {tag}"))

    assert bool(list(found)) == (tag != meant and is_misspelt(tag, meant))


def test_thousands_of_frequent_and_rare_tags_are_compared_in_seconds() -> None:
    draw = random.Random(0)

    def tags() -> str:
        return ", ".join("".join(draw.choices("abcdefghijklmnopqrstuvwxyz", k=7)) for _ in range(5_000))

    often, long = tags(), "a" * 60_000
    rare = (f"{tags()}, smlie" for _ in range(2))
    facts = captioned(*[f"{often}, {long}, smile"] * 8, *(tags() for _ in range(6)), *rare, f"{long}a")

    with at_most(60):
        found = list(tag_checks.typos(facts))

    assert "'smlie' is in 2 captions, 'smile' in 8: probably a typo" in [one.message for one in found]
