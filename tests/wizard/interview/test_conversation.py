"""Interviews at the same moment: each has answers and edits of its own."""

from __future__ import annotations

from contextlib import ExitStack
from pathlib import Path

import pytest

from advisor.dataset.edits import PictureEdit
from advisor.errors import LoraError
from advisor.run_folder import os_lock
from tests.support.factories import make_dataset
from wizard.interview.conversation import MOST_AT_ONCE, Conversation, own_conversation
from wizard.user_data import SavedAnswers

FILES = make_dataset(2, captions=["mira", "mira, hat"])


def decide(one: Conversation, what: str) -> None:
    one.draft.add(what, [PictureEdit(FILES.path_of(FILES.image_files[0]), caption=what)], FILES)


def whats(one: Conversation) -> list[str]:
    return [change.what for change in one.draft.changes()]


def test_an_undo_takes_back_what_this_conversation_decided_and_nothing_of_anothers(tmp_path: Path) -> None:
    with own_conversation(tmp_path) as one, own_conversation(tmp_path) as other:
        decide(one, "mine")
        decide(other, "theirs")

        taken = one.draft.undo()

        assert taken is not None
        assert taken.what == "mine"
        assert one.draft.undo() is None
        assert whats(other) == ["theirs"]


def test_answers_of_one_conversation_are_not_replaced_by_those_of_another(tmp_path: Path) -> None:
    with own_conversation(tmp_path) as one, own_conversation(tmp_path) as other:
        one.session.save(SavedAnswers({"name": "mira"}))
        other.session.save(SavedAnswers({"name": "tok"}))

        assert one.session.load().answers == {"name": "mira"}


def test_a_conversation_that_was_broken_off_is_gone_on_with_before_a_new_one(tmp_path: Path) -> None:
    with own_conversation(tmp_path), own_conversation(tmp_path) as other:
        other.session.save(SavedAnswers({"name": "tok"}))
        decide(other, "theirs")

    with own_conversation(tmp_path) as again, own_conversation(tmp_path) as new:
        assert again.session.load().answers == {"name": "tok"}
        assert whats(again) == ["theirs"]
        assert not new.session.load()
        assert whats(new) == []


def test_what_an_earlier_version_kept_is_gone_on_with(tmp_path: Path) -> None:
    (tmp_path / "session.json").write_text('{"answers": {"name": "mira"}, "settings": {}}')

    with own_conversation(tmp_path) as one:
        assert one.session.load().answers == {"name": "mira"}


def test_nothing_is_left_of_a_conversation_that_kept_nothing(tmp_path: Path) -> None:
    with own_conversation(tmp_path):
        pass

    assert not list(tmp_path.iterdir())


def test_without_locks_or_a_folder_a_conversation_begins_all_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").write_text("no folder")
    with own_conversation(tmp_path / "file") as one:
        assert not one.session.load()

    def none(_: int) -> None:
        raise os_lock.NoLocks

    monkeypatch.setattr(os_lock, "_lock", none)
    with own_conversation(tmp_path / "data") as one:
        assert not one.session.load()


def test_too_many_conversations_are_refused(tmp_path: Path) -> None:
    with ExitStack() as stack:
        for _ in range(MOST_AT_ONCE):
            stack.enter_context(own_conversation(tmp_path))

        with pytest.raises(LoraError, match="20 interviews are open"):
            stack.enter_context(own_conversation(tmp_path))
