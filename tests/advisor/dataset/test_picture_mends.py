"""Mends of captions that are offered for findings."""

from __future__ import annotations

from advisor.dataset.caption_edits.caption_set import CaptionSet
from advisor.dataset.doctor.examine import examine
from advisor.dataset.doctor.mends import Mend
from advisor.dataset.picture_mends import mends
from tests.support.measured import captioned


def offered(*captions: str) -> dict[str, Mend]:
    """By title, with the number of captions behind it left out."""
    facts = captioned(*captions, trigger="mira")
    found = mends(facts, examine(facts), CaptionSet(facts.report, "mira"))
    return {one.title.rpartition(" (")[0]: one for one in found}


def test_a_typo_is_mended_in_the_spelling_that_most_captions_have() -> None:
    often = ["mira, 1girl, blue_dress", "mira, smile, blue_dress", "mira, blue_dress"] * 3

    found = offered(*often, "mira, blue dress", "mira, blue_drses, hat")

    typo = found['Write "blue_dress" for "blue_drses"']
    assert [edit.caption for edit in typo.edits] == ["mira, blue_dress, hat"]
    assert typo.what == "rename blue_drses blue_dress"


def test_the_history_has_mends_as_they_are_typed() -> None:
    often = ["mira, 1girl, blue dress", "mira, smile, blue dress", "mira, blue dress"] * 3

    found = offered(*often, "mira, blue drses")

    assert found['Write "blue dress" for "blue drses"'].what == 'rename "blue drses" "blue dress"'
