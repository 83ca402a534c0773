"""Editing captions in the conversation, by scripted answers."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from advisor.dataset.caption_edits.caption_set import CaptionSet
from advisor.dataset.edits import PictureEdit
from tests.support.factories import make_dataset
from tests.support.scripted import ScriptedAsk, default
from wizard.draft_edits import DraftEdits
from wizard.interview.ask import BACK_OPTION
from wizard.interview.pictures.caption_talk import DONE, CaptionTalk
from wizard.interview.pictures.picture_work import PictureWork
from wizard.interview.questions import BACK, Ask

TEXTS = ("mira, 1girl, hat", "1girl, mira, smlie", "1girl, hat", None)


def make_work(tmp_path: Path, captions: Sequence[str | None] = TEXTS, **fields: Any) -> PictureWork:
    files = make_dataset(len(captions), captions=captions)
    return PictureWork(files, DraftEdits(tmp_path), **({"trigger": "mira"} | fields))


def after(work: PictureWork, *answers: Any) -> tuple[list[str | None], ScriptedAsk]:
    """The captions after a talk, and its questions."""
    ask = ScriptedAsk(*answers, DONE)
    CaptionTalk(work, ask).run()
    assert ask.is_done
    return [image.caption for image in work.report().image_files], ask


def test_the_trigger_is_put_in_front_by_one_key(tmp_path: Path) -> None:
    found, ask = after(make_work(tmp_path), "first")

    assert found == ["mira, 1girl, hat", "mira, 1girl, smlie", "mira, 1girl, hat", None]
    assert 'Put "mira" in front of all (2 captions to change)' in [option.title for option in ask.asked[0].options]
    assert "first" not in [option.value for option in ask.asked[1].options]


def test_a_tag_is_removed_after_a_look_at_what_changes(tmp_path: Path) -> None:
    found, ask = after(make_work(tmp_path), "remove", "hat", default)

    assert found[0] == "mira, 1girl"
    assert [candidate.name for candidate in ask.asked[1].candidates] == ["1girl", "mira", "hat", "smlie"]
    assert ask.asked[2].text == "Change 2 captions so?"


def test_nothing_changes_after_a_no_or_a_way_back(tmp_path: Path) -> None:
    work = make_work(tmp_path)

    for answers in (("remove", "hat", "no"), ("remove", BACK), ("rename", "hat", BACK), ("add", ""), ("replace", BACK)):
        assert after(work, *answers)[0] == list(TEXTS)
    assert work.draft.changes() == ()


def test_a_tag_that_is_nowhere_is_told_and_the_menu_stays(tmp_path: Path) -> None:
    found, ask = after(make_work(tmp_path), "rename", "smile", "laugh")

    assert found == list(TEXTS)
    assert "no caption has 'smile' as a tag of its own; 'smlie' is in 1" in ask.heard


def test_a_tag_is_renamed_from_what_it_was(tmp_path: Path) -> None:
    found, ask = after(make_work(tmp_path), "rename", "smlie", "smile", "yes")

    assert ask.asked[2].default == "smlie"
    assert found[1] == "1girl, mira, smile"


def test_pruned_tags_are_proposed_and_can_be_chosen(tmp_path: Path) -> None:
    work = make_work(tmp_path, ["mira, red hair, hat", "mira, red hair, hat, rain"] * 5)

    found, ask = after(work, "prune", "hat", "yes")

    assert ask.asked[1].default == "red hair, hat"
    assert found[1] == "mira, red hair, rain"


def test_a_text_is_taken_out_by_an_empty_line(tmp_path: Path) -> None:
    assert after(make_work(tmp_path), "replace", "1girl", "", "yes")[0][2] == "hat"


def test_one_caption_is_written_for_pictures_without(tmp_path: Path) -> None:
    assert after(make_work(tmp_path), "one", "red dress")[0] == [*TEXTS[:3], "mira, red dress"]
    assert after(make_work(tmp_path / "b"), "one", "Mira in the rain")[0][3] == "Mira in the rain"


def test_a_picture_is_found_shown_and_edited_then_the_next(tmp_path: Path) -> None:
    found, ask = after(make_work(tmp_path), "picture", "00001.png", "mira, :<", "00003.png", "mira, rain", "")

    assert found == [TEXTS[0], "mira, :<", TEXTS[2], "mira, rain"]
    assert ask.asked[2].default == "1girl, mira, smlie"
    assert "/pictures/00001.png" in ask.asked[2].intro
    assert "1024 x 1024" in ask.asked[2].intro


def test_an_empty_line_or_the_same_changes_no_picture(tmp_path: Path) -> None:
    work = make_work(tmp_path)

    after(work, "picture", "00001.png", "", "00001.png", default, "nowhere.png", BACK)

    assert work.draft.changes() == ()


def test_lines_of_which_one_is_drawn_are_edited_as_such(tmp_path: Path) -> None:
    found, ask = after(make_work(tmp_path, ["a\nb"], lines="random"), "picture", "00000.png", "a\\nc", "")

    assert ask.asked[2].default == "a\\nb"
    assert found == ["a\nc"]


def test_the_last_change_is_taken_back(tmp_path: Path) -> None:
    found, ask = after(make_work(tmp_path), "first", "remove", "hat", "yes", "undo")

    assert found[0] == "mira, 1girl, hat"
    assert "Take back: remove hat (2 captions)" in [option.title for option in ask.asked[-2].options]


def test_captions_that_were_edited_are_counted_and_the_trigger_that_training_puts_in_front_is_told(
    tmp_path: Path,
) -> None:
    work = make_work(tmp_path, is_prepended=True)
    after(work, "replace", "1girl", "", "yes")

    _, ask = after(work)

    assert "edited    3 of them here" in ask.heard
    assert "it is put in front when training" in ask.heard


def test_a_model_writes_captions_where_there_is_one(tmp_path: Path) -> None:
    def tag(ask: Ask, captions: CaptionSet) -> tuple[PictureEdit, ...]:
        report = captions.report
        return (PictureEdit(report.path_of(report.image_files[3]), caption=f"{captions.trigger}, rain"),)

    assert after(make_work(tmp_path, tag=tag), "tag")[0][3] == "mira, rain"
    assert "tag" not in [option.value for option in after(make_work(tmp_path / "b"))[1].asked[0].options]


def test_the_menu_can_be_left_by_going_back_and_says_whether_anything_changed(tmp_path: Path) -> None:
    work = make_work(tmp_path)

    assert not CaptionTalk(work, ScriptedAsk(BACK_OPTION.value)).run()
    assert CaptionTalk(work, ScriptedAsk("first", DONE)).run()


@pytest.mark.parametrize("captions", [[None, None], ["A long walk through the rain.", "A girl who sits in the grass."]])
def test_sentences_and_nothing_at_all_are_shown(tmp_path: Path, captions: list[str | None]) -> None:
    _, ask = after(make_work(tmp_path, captions))

    assert "prune" not in [option.value for option in ask.asked[0].options]
