"""What is said and asked where pictures changed since the plan or the last training."""

from __future__ import annotations

from pathlib import Path

import pytest

from advisor.dataset.edits import PictureEdit
from advisor.errors import LoraError
from advisor.run_folder.layout import RunFolder
from advisor.run_folder.pictures.changes_since import ChangesSince
from advisor.run_folder.pictures.edits_file import append_change
from tests.support.fake_trainer import run_folder
from tests.support.scripted import ScriptedAsk, default
from tests.support.states import write_state_manifest
from wizard.interview.pictures.changed_pictures import ask_to_use, changes_text, edited_text

CHANGES = ChangesSince(
    appeared=("/p/new.png",), vanished=("/p/a.png", "/p/b.png"), renamed=(("/p/c.png", "/p/d.png"),),
    pictures=("/p/e.png",), captions=("/p/e.png", "/p/masks/f.png"), root="/p",
)  # fmt: skip


@pytest.fixture
def run(tmp_path: Path) -> RunFolder:
    return RunFolder(run_folder(tmp_path))


def test_every_kind_of_change_is_named(run: RunFolder) -> None:
    assert changes_text(CHANGES, run) == (
        "Since the plan was made: 1 new picture (new.png); 2 pictures gone (a.png, b.png); 1 picture renamed (d.png); "
        "1 picture changed (e.png); 2 caption files changed, of e.png, masks/f.png"
    )


def test_a_caption_file_that_an_edit_beats_is_told_as_such(run: RunFolder) -> None:
    images = Path(run.read_config().dataset.images)
    path = next(images.glob("*.png")).as_posix()
    append_change(run, "edit", [PictureEdit(path, caption="tok, smile")])

    text = changes_text(ChangesSince(captions=(path, "/p/other.png")), run)
    assert text.endswith("(1 of them edited in this run: the edit is used)")


def test_after_a_no_nothing_is_trained_and_yes_is_proposed(run: RunFolder) -> None:
    ask = ScriptedAsk(default)
    ask_to_use(CHANGES, run, ask)

    assert ask.asked[0].text.endswith("Train with them as they are now?")
    with pytest.raises(LoraError, match="Nothing was trained"):
        ask_to_use(CHANGES, run, ScriptedAsk("no"))


def test_a_training_that_began_goes_on_and_keeps_what_it_learned(run: RunFolder) -> None:
    write_state_manifest(run.state_of_step(4), step=4, epoch=1)

    assert changes_text(CHANGES, run).startswith("Since the training began: ")
    assert edited_text(["/p/a.png"], run) == (
        "Since the training began you edited 1 picture (a.png): the training goes on with them as they are now; what "
        "it learned before stays"
    )
