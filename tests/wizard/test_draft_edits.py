"""Edits of a conversation, until there is a run; and how they come into one."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from advisor.dataset.edits import PictureEdit
from advisor.dataset.report import DatasetReport
from advisor.errors import RunError
from advisor.run_folder.layout import RunFolder
from advisor.run_folder.pictures.edits_file import append_change, read_changes
from tests.support.factories import make_dataset
from wizard.draft_edits import DraftEdits

FILES = make_dataset(3, captions=["mira", "mira, hat", None])


def caption(number: int, text: str, files: DatasetReport = FILES) -> PictureEdit:
    return PictureEdit(files.path_of(files.image_files[number]), caption=text)


def whats(run: RunFolder) -> list[str]:
    return [change.what for change in read_changes(run)]


@pytest.fixture
def draft(tmp_path: Path) -> DraftEdits:
    return DraftEdits(tmp_path / "data")


@pytest.fixture
def run(tmp_path: Path) -> RunFolder:
    return RunFolder(tmp_path / "run")


def test_changes_outlive_the_conversation(draft: DraftEdits, tmp_path: Path) -> None:
    draft.add("first", [caption(0, "mira, bow")], FILES)
    draft.add("second", [caption(1, "mira")], FILES)
    draft.undo()

    assert [change.what for change in DraftEdits(tmp_path / "data").changes()] == ["first"]


def test_nothing_is_left_of_deleted_ones(draft: DraftEdits, tmp_path: Path) -> None:
    draft.add("first", [caption(0, "mira, bow")], FILES)

    draft.delete()

    assert draft.changes() == ()
    assert not list((tmp_path / "data").iterdir())
    draft.delete()


def test_the_end_of_one_conversation_leaves_what_another_has_decided(draft: DraftEdits, tmp_path: Path) -> None:
    other = DraftEdits(tmp_path / "data")
    draft.add("first", [caption(0, "mira, bow")], FILES)
    other.add("second", [caption(1, "mira")], FILES)

    draft.delete()

    assert [change.what for change in DraftEdits(tmp_path / "data").changes()] == ["first", "second"]


def test_a_run_gets_them_once(draft: DraftEdits, run: RunFolder) -> None:
    draft.add("first", [caption(0, "mira, bow")], FILES)
    draft.put_into(run, lambda: FILES)
    draft.add("second", [caption(1, "mira")], FILES)

    draft.put_into(run, lambda: FILES)

    assert whats(run) == ["first", "second"]
    assert read_changes(run)[1].edits[0].replaced == "mira, hat"


def test_what_is_taken_back_after_saving_is_taken_back_in_the_run(draft: DraftEdits, run: RunFolder) -> None:
    draft.add("first", [caption(0, "mira, bow")], FILES)
    draft.add("second", [caption(1, "mira")], FILES)
    draft.put_into(run, lambda: FILES)
    draft.undo()
    draft.add("third", [caption(1, "mira, red hat")], FILES)

    draft.put_into(run, lambda: FILES)

    assert whats(run) == ["first", "third"]


def test_what_others_wrote_into_the_run_stays(draft: DraftEdits, run: RunFolder) -> None:
    append_change(run, "by a command", [caption(2, "mira, rain")], files=FILES)
    draft.add("first", [caption(0, "mira, bow")], FILES)
    draft.put_into(run, lambda: FILES)
    draft.undo()

    draft.put_into(run, lambda: FILES)

    assert whats(run) == ["by a command"]


def test_changes_of_other_pictures_do_not_come_along(draft: DraftEdits, run: RunFolder) -> None:
    others = make_dataset(1, root="/elsewhere", captions=["x"])
    draft.add("elsewhere", [caption(0, "y", others)], others)

    draft.put_into(run, lambda: FILES)

    assert not run.path.exists()


def test_a_damaged_file_is_told(draft: DraftEdits, tmp_path: Path) -> None:
    draft.add("first", [caption(0, "mira, bow")], FILES)
    (tmp_path / "data" / "interview" / "images" / "edits.jsonl").write_text("{broken\n")

    with pytest.raises(RunError, match="line 1"):
        DraftEdits(tmp_path / "data").changes()


def test_what_is_decided_again_is_decided_again_in_the_run(draft: DraftEdits, run: RunFolder) -> None:
    draft.add("set x", [caption(0, "x")], FILES)
    draft.put_into(run, lambda: FILES)
    draft.add("set y", [caption(0, "y")], FILES)
    draft.add("set x", [caption(0, "x")], FILES)

    draft.put_into(run, lambda: FILES)
    draft.put_into(run, lambda: FILES)

    assert whats(run) == ["set x", "set y", "set x"]


def test_what_a_run_says_for_longer_is_no_copy_of_what_is_decided_now(draft: DraftEdits, run: RunFolder) -> None:
    for text in ("x", "y"):
        append_change(run, f"set {text}", [caption(0, text)], files=FILES)
    time.sleep(0.01)
    draft.add("set x", [caption(0, "x")], FILES)

    draft.put_into(run, lambda: FILES)

    assert whats(run) == ["set x", "set y", "set x"]


def test_another_conversation_that_goes_on_writes_nothing_twice(
    draft: DraftEdits, run: RunFolder, tmp_path: Path
) -> None:
    for text in ("x", "y", "x"):
        draft.add(f"set {text}", [caption(0, text)], FILES)
    draft.put_into(run, lambda: FILES)

    DraftEdits(tmp_path / "data").put_into(run, lambda: FILES)

    assert whats(run) == ["set x", "set y", "set x"]


def test_without_changes_no_pictures_are_read(draft: DraftEdits, run: RunFolder) -> None:
    def never() -> DatasetReport:
        raise AssertionError

    draft.put_into(run, never)


def written(folder: Path, *texts: str) -> DatasetReport:
    """Files of these contents as pictures."""
    folder.mkdir()
    report = make_dataset(len(texts), captions=["mira"], root=str(folder))
    for image, text in zip(report.image_files, texts, strict=True):
        (folder / image.path).write_text(text, "utf-8")
    return report


def test_changes_follow_pictures_whose_folder_was_renamed_meanwhile(
    draft: DraftEdits, tmp_path: Path, run: RunFolder, capsys: pytest.CaptureFixture[str]
) -> None:
    files = written(tmp_path / "pictures", "one", "two")
    draft.add("first", [caption(0, "mira, bow", files)], files)
    draft.add("second", [caption(1, "mira, hat", files)], files)
    (tmp_path / "pictures").rename(tmp_path / "old")
    renamed = written(tmp_path / "mia", "one")

    assert [image.caption for image in draft.dataset(renamed).report.image_files] == ["mira, bow"]
    draft.put_into(run, lambda: renamed)

    (change,) = read_changes(run)
    assert [(edit.path, edit.caption) for edit in change.edits] == [
        ((tmp_path / "mia/00000.png").as_posix(), "mira, bow")
    ]
    assert "1 picture that you edited (00001.png)" in " ".join(capsys.readouterr().err.split())


def test_what_was_taken_back_and_stands_under_later_changes_is_told(
    draft: DraftEdits, run: RunFolder, capsys: pytest.CaptureFixture[str]
) -> None:
    draft.add("first", [caption(0, "mira, bow")], FILES)
    draft.put_into(run, lambda: FILES)
    append_change(run, "from elsewhere", [caption(1, "mira, blue")], files=FILES)
    draft.undo()

    draft.put_into(run, lambda: FILES)

    assert whats(run) == ["first", "from elsewhere"]
    told = " ".join(capsys.readouterr().err.split())
    assert "! first: you took it back here, but" in told
    assert "captions" in told
