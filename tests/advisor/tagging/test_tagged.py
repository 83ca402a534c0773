from __future__ import annotations

import pytest

from advisor.dataset.caption_edits.caption_set import CaptionSet
from advisor.dataset.edits import PictureEdit
from advisor.dataset.report import DatasetReport, Folder, ImageFile
from advisor.tagging.choose_tags import TagChoice, TagChooser
from advisor.tagging.tag_list import Tag
from advisor.tagging.tagged import Mode, Tagged, tagged

CHOOSER = TagChooser((Tag("hat", "general"), Tag("cap", "general")), TagChoice(trigger="tok"))
TOLD = {"/p/a.png": {0: 0.9, 1: 0.4}, "/p/b.png": {0: 0.9}, "/p/c.png": {0: 0.01}}


def report() -> DatasetReport:
    captions = {"a.png": None, "b.png": "tok, cap", "c.png": "", "d.png": None}
    images = tuple(ImageFile(path, 64, 64, 0, caption) for path, caption in captions.items())
    return DatasetReport("/p", images, (Folder(".", 4),))


def result(mode: Mode) -> Tagged:
    captions = CaptionSet(report(), "tok")
    return tagged(captions, captions.report.image_files, TOLD, CHOOSER, mode, unreadable={"/p/d.png": "broken"})


def test_tags_come_behind_a_caption_or_in_its_place() -> None:
    assert [one.caption for one in result("append").pictures] == ["tok, hat, cap", "tok, cap, hat", ""]
    assert [one.caption for one in result("replace").pictures] == ["tok, hat, cap", "tok, hat", ""]


def test_only_changed_captions_become_edits_by_the_paths_of_the_manifest() -> None:
    assert result("replace").edits == (
        PictureEdit("/p/a.png", caption="tok, hat, cap"),
        PictureEdit("/p/b.png", caption="tok, hat"),
    )


def test_pictures_of_which_nothing_is_known_are_told_apart_from_broken_ones() -> None:
    found = result("append")

    assert [one.image.path for one in found.without_tags] == ["c.png"]
    assert found.unreadable == {"d.png": "broken"}


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("cap, Tok", "Tok, cap, hat"),
        ("tok, a HAT.", "tok, a HAT., hat, cap"),
        ("tok, hat\ncap", "tok, hat\ncap"),
        (
            "A girl with a large umbrella stands in rain.",
            "tok, A girl with a large umbrella stands in rain. hat, cap",
        ),
    ],
)
def test_only_what_a_caption_lacks_is_added_behind_it(before: str, after: str) -> None:
    image = ImageFile("a.png", 64, 64, 0, before)
    captions = CaptionSet(DatasetReport("/p", (image,), (Folder(".", 1),)), "tok")

    (found,) = tagged(captions, [image], TOLD, CHOOSER, "append", unreadable={}).pictures

    assert found.caption == after
