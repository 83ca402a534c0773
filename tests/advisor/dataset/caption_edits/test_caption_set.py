from __future__ import annotations

from functools import partial

from advisor.dataset.caption_edits.caption_set import CaptionSet
from advisor.dataset.caption_edits.named_edits import adding, putting_first, removing
from advisor.dataset.caption_edits.operations import removed
from advisor.dataset.doctor.folder_facts import FolderFacts
from advisor.dataset.doctor.tag_checks import trigger as trigger_findings
from advisor.dataset.report import Folder
from tests.support.factories import make_dataset


def captions_of(*captions: str | None, **fields: str) -> CaptionSet:
    return CaptionSet(make_dataset(len(captions), captions=captions), **{"trigger": "mira", **fields})  # type: ignore[arg-type]


def after(captions: CaptionSet, *patterns: str) -> list[str]:
    edit = partial(removed, patterns=patterns)
    return [change.after for change in captions.changes(captions.report.image_files, edit)]


def test_tags_are_counted_by_picture_whatever_their_spelling() -> None:
    captions = captions_of("mira, long_hair, hat, hat", "mira, long hair", "mira, Long Hair", "mira, long hair", None)

    assert list(captions.tags.items()) == [("mira", 4), ("long hair", 4), ("hat", 1)]


def test_captions_that_stay_as_they_are_are_no_change() -> None:
    captions = captions_of("mira,hat\n bow ", "mira, smile")

    assert after(captions, "smile") == ["mira"]


def test_lines_that_are_joined_become_one_where_they_are_edited() -> None:
    assert after(captions_of("mira, hat\nsmile\nbow"), "smile") == ["mira, hat, bow"]


def test_each_line_is_edited_where_one_is_drawn() -> None:
    captions = captions_of("mira, hat, smile\nsmile\nmira, bow", lines="random")

    assert after(captions, "smile") == ["mira, hat\nmira, bow"]


def test_lines_that_are_not_trained_are_kept() -> None:
    assert after(captions_of("mira, smile\nsmile, notes", lines="first"), "smile") == ["mira\nsmile, notes"]


def test_a_picture_without_a_caption_gets_what_it_is_trained_on() -> None:
    folders = (Folder("3_mira blue", 2, 3, "mira blue"),)
    captions = CaptionSet(make_dataset(2, captions=[None, ""], folders=folders), trigger="mira")

    changes = adding(["hat"]).changes(captions, captions.report.image_files)

    assert [(change.before, change.after) for change in changes] == [(None, "mira blue, hat"), ("", "hat")]
    assert not removing(["hat"]).changes(captions, captions.report.image_files)


def test_after_the_trigger_is_put_first_the_doctor_finds_it_in_front_everywhere() -> None:
    texts = ("1girl, mira, hat", "1girl, smile", "admiral, hat", "", "A long walk through the rain, with mira and him.")
    captions = captions_of(*texts, *["mira, 1girl, red hair"] * 5)
    before = {finding.code for finding in trigger_findings(FolderFacts(captions.report, trigger="mira"))}

    changes = putting_first("", trigger="mira").changes(captions, captions.report.image_files)
    edited = {change.image.path: change.after for change in changes}
    report = make_dataset(10, captions=[edited.get(one.path, one.caption) for one in captions.report.image_files])

    assert before == {"trigger_inside_word", "trigger_missing", "trigger_not_first"}
    assert not list(trigger_findings(FolderFacts(report, trigger="mira")))


def test_edits_name_pictures_as_the_manifest_does() -> None:
    captions = captions_of("mira, hat", "mira")
    edits = captions.picture_edits(removing(["hat"]).changes(captions, captions.report.image_files))

    assert [(edit.path, edit.caption) for edit in edits] == [("/pictures/00000.png", "mira")]


def test_one_caption_replaces_whatever_stood_there() -> None:
    captions = captions_of("mira, hat\nbow", None, "mira, dress")

    changes = captions.written(captions.report.image_files, " mira, dress ")

    assert [(change.before, change.after) for change in changes] == [
        ("mira, hat\nbow", "mira, dress"),
        (None, "mira, dress"),
    ]
