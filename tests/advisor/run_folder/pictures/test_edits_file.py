"""`images/edits.jsonl`: what is appended, taken back, and read of damaged files."""

from __future__ import annotations

import json
import time
from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from advisor.dataset.edits import PictureEdit
from advisor.errors import RunError
from advisor.run_folder.layout import RunFolder
from advisor.run_folder.pictures import edits_file
from advisor.run_folder.pictures.edits_file import Change, append_change, edits_of, read_changes, undo_change
from advisor.run_folder.pictures.run_dataset import RunDataset, run_dataset
from advisor.run_folder.pictures.run_files import run_files
from tests.support.effort import at_most
from tests.support.export_strategies import values
from tests.support.pictures import make_pictures
from tests.support.special_files import KINDS, on_posix, special_file

GOOD = '{"number": 1, "edits": [{"path": "/a.png", "caption": "mia"}]}'


@pytest.fixture
def run(tmp_path: Path) -> RunFolder:
    images = tmp_path / "pictures"
    make_pictures(images, 3, captions="mia, smile")
    folder = tmp_path / "run"
    folder.mkdir()
    (folder / "loracle.toml").write_text(
        f'[model]\npath = "m.safetensors"\nfamily = "sd1"\n[dataset]\nimages = {json.dumps(str(images))}\n'
        '[saving]\nname = "mia"\n',
        encoding="utf-8",
    )
    return RunFolder(folder)


def first_path(run: RunFolder) -> str:
    files = run_dataset(run).files
    return files.path_of(files.image_files[0])


def put(run: RunFolder, text: str | bytes) -> None:
    run.edits.parent.mkdir(exist_ok=True)
    run.edits.write_bytes(text if isinstance(text, bytes) else text.encode())


def test_a_change_is_read_again_with_the_file_and_caption_that_it_was_made_for(run: RunFolder) -> None:
    path = first_path(run)
    made = append_change(run, "captions add solo", [PictureEdit(path, caption="mia, smile, solo")])

    assert read_changes(run) == (made,)
    assert (made.number, made.what) == (1, "captions add solo")
    (edit,) = made.edits
    assert (edit.caption, edit.replaced) == ("mia, smile, solo", "mia, smile")
    assert edit.seen is not None
    assert edit.seen.num_bytes == Path(path).stat().st_size


def test_several_edits_are_one_line_and_a_file_is_described_once(run: RunFolder) -> None:
    files = run_dataset(run).files
    paths = [files.path_of(image) for image in files.image_files]
    append_change(run, "all", [PictureEdit(path, caption="x") for path in paths])
    append_change(run, "again", [PictureEdit(path, caption="y") for path in paths])

    first, second = run.edits.read_text().splitlines()
    assert first.count('"content"') == 3
    assert '"content"' not in second
    assert all(edit.seen is not None for edit in edits_of(read_changes(run)).by_path.values())


def test_undo_takes_back_one_change_after_the_other_and_keeps_all_lines(run: RunFolder) -> None:
    path = first_path(run)
    for caption in ("one", "two", "three"):
        append_change(run, caption, [PictureEdit(path, caption=caption)])

    assert [undo_change(run).what, undo_change(run).what] == ["three", "two"]  # type: ignore[union-attr]
    append_change(run, "four", [PictureEdit(path, excluded="four")])
    assert [(one.number, one.what) for one in read_changes(run)] == [(1, "one"), (6, "four")]
    assert edits_of(read_changes(run)).get(path).caption == "one"
    assert undo_change(run).what == "four"  # type: ignore[union-attr]
    assert undo_change(run).what == "one"  # type: ignore[union-attr]
    assert undo_change(run) is None
    assert len(run.edits.read_text().splitlines()) == 8


def test_without_a_file_nothing_is_edited_and_nothing_is_written(run: RunFolder) -> None:
    assert read_changes(run) == ()
    assert undo_change(run) is None
    assert not run.edits.exists()


@pytest.mark.parametrize(
    ("line", "told"),
    [
        ("{", "line 2 (it is not JSON"),
        ("[]", "line 2 (the whole"),
        ('{"number": "many"}', "line 2 (number"),
        ('{"number": -1}', "line 2 (number"),
        ('{"number": 2, "number": 3}', "line 2 (it names 'number' twice"),
        ('{"number": 1}', "line 2 (it has the number 1 after 1"),
        ('{"number": 2, "undoes": 7}', "line 2 (it takes back the change 7"),
        ('{"number": 2, "edits": [{"caption": "x"}]}', "line 2 (edits.0.path"),
        ('{"number": 2, "edits": [{"path": 5}]}', "line 2 (edits.0.path"),
        ('{"number": 2, "edits": [{"path": "a", "caption": ["x"]}]}', "line 2 (edits.0.caption"),
        ('{"number": 2, "edits": [{"path": "a", "caption": "a\\u0000b"}]}', "line 2 (edits.0.caption"),
        ('{"number": 2, "edits": [{"path": "a", "excluded": true}]}', "line 2 (edits.0.excluded"),
        ('{"number": 2, "edits": [{"path": "a", "crop": [9, 0, 3, 5]}]}', "line 2 (edits.0"),
        ('{"number": 2, "edits": [{"path": "a", "crop": [0, 0, 5]}]}', "line 2 (edits.0.crop"),
        ('{"number": 2, "edits": [{"path": "a", "seen": {"content": "../x"}}]}', "line 2 (edits.0.seen"),
        ('{"number": 2, "made_at": 1e99}', "line 2 (made_at"),
        ("[" * 200 + "]" * 200, "line 2 (it is nested too deeply"),
    ],
)
def test_a_damaged_line_is_named_and_nothing_is_lost(run: RunFolder, line: str, told: str) -> None:
    put(run, f"{GOOD}\n{line}\n")
    before = run.edits.read_bytes()
    path = first_path_of_files(run)

    for work in (
        lambda: read_changes(run),
        lambda: undo_change(run),
        lambda: append_change(run, "x", [PictureEdit(path)]),
    ):
        with pytest.raises(RunError, match=r"edits\.jsonl") as error:
            work()
        assert told in str(error.value)
        assert "mend these lines" in str(error.value)
    assert run.edits.read_bytes() == before


def first_path_of_files(run: RunFolder) -> str:
    return (Path(run.read_config().dataset.images) / "picture-001.png").as_posix()


def test_of_many_damaged_lines_some_are_told_and_the_rest_is_counted(run: RunFolder) -> None:
    put(run, "{\n" * 5000)

    with pytest.raises(RunError) as error:
        read_changes(run)
    assert "4,980 more" in str(error.value)
    assert len(str(error.value)) < 2000


def test_a_file_without_its_last_line_end_and_with_blank_lines_is_gone_on_with(run: RunFolder) -> None:
    put(run, f"\n{GOOD}\n\n" + GOOD.replace("1", "2", 1))
    append_change(run, "more", [PictureEdit(first_path(run), caption="x")])

    assert [one.number for one in read_changes(run)] == [1, 2, 3]


def test_a_line_of_a_newer_version_keeps_what_this_one_does_not_know(run: RunFolder) -> None:
    put(run, '{"number": 1, "mood": "good", "edits": [{"path": "/a", "caption": "x", "weight": 2}]}\n')
    append_change(run, "more", [PictureEdit(first_path(run), caption="x")])

    assert '"weight": 2' in run.edits.read_text()
    assert edits_of(read_changes(run)).get("/a").caption == "x"


def test_a_file_that_is_larger_than_any_is_not_read(run: RunFolder) -> None:
    put(run, b"")
    with run.edits.open("r+b") as file:
        file.truncate(edits_file.MOST_EDITS_BYTES + 1)

    with pytest.raises(RunError, match="more than"):
        read_changes(run)


def test_a_file_that_would_grow_too_large_stays_as_it_was(run: RunFolder, monkeypatch: pytest.MonkeyPatch) -> None:
    path = first_path(run)
    append_change(run, "one", [PictureEdit(path, caption="x")])
    before = run.edits.read_bytes()
    monkeypatch.setattr(edits_file, "MOST_EDITS_BYTES", len(before) + 10)

    with pytest.raises(RunError, match="would grow beyond"):
        append_change(run, "two", [PictureEdit(path, caption="y")])
    assert run.edits.read_bytes() == before


@on_posix
@pytest.mark.parametrize("kind", [kind for kind in KINDS if kind not in ("zero", "link to zero")])
def test_a_special_file_in_its_place_is_refused(run: RunFolder, kind: str) -> None:
    run.edits.parent.mkdir()
    with special_file(run.edits, kind), pytest.raises(RunError, match="no regular file"):
        read_changes(run)


@on_posix
def test_a_link_out_of_the_run_is_neither_read_nor_written(run: RunFolder, tmp_path: Path) -> None:
    other, images = tmp_path / "other.jsonl", run.path / "images"
    other.write_text(GOOD + "\n")
    path = first_path(run)
    images.mkdir()
    (images / "edits.jsonl").symlink_to(other)

    for work in (lambda: read_changes(run), lambda: append_change(run, "x", [PictureEdit(path, caption="y")])):
        with pytest.raises(RunError, match="leads out of the run"):
            work()
    assert other.read_text() == GOOD + "\n"
    with pytest.raises(RunError, match="leads out of the run"):
        run.refuse_links_out()


LINE = {
    "number": 1, "made_at": 1.5, "what": "edit", "undoes": None,
    "edits": [{"path": "/a.png", "caption": "mia", "excluded": "no", "crop": [0, 0, 9, 9], "replaced": "x",
               "seen": {"content": "0" * 64, "num_bytes": 3, "modified_ns": 4, "twins": ["/b.png"]}}],
}  # fmt: skip


PLACES: tuple[tuple[str | int, ...], ...] = (
    *((name,) for name in LINE),
    *(("edits", 0, name) for name in ("path", "caption", "excluded", "crop", "replaced", "seen")),
    *(("edits", 0, "crop", index) for index in range(4)),
    *(("edits", 0, "seen", name) for name in ("content", "num_bytes", "modified_ns", "twins")),
)
"""Of each value in a line."""


@settings(max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(content=st.one_of(st.binary(max_size=200), st.data()))
def test_whatever_a_stranger_puts_there_is_read_or_refused_by_name(run: RunFolder, content: object) -> None:
    if isinstance(content, bytes):
        put(run, content)
    else:
        tree = json.loads(json.dumps(LINE))
        place = content.draw(st.sampled_from(PLACES))  # type: ignore[attr-defined]
        holder = tree
        for step in place[:-1]:
            holder = holder[step]
        holder[place[-1]] = content.draw(values)  # type: ignore[attr-defined]
        put(run, json.dumps(tree))

    with suppress(RunError):
        edits = edits_of(read_changes(run))
        files = run_files(run)
        found = RunDataset.of(files, edits).report
        assert found.num_images + len(found.excluded) == files.num_images


def test_millions_of_damaged_lines_are_told_without_reading_them_all(tmp_path: Path) -> None:
    run = RunFolder(tmp_path)
    run.edits.parent.mkdir(parents=True)
    run.edits.write_bytes(b"x\n" * 2_000_000)
    began = time.process_time()

    with pytest.raises(RunError, match="cannot be read in line 1"):
        read_changes(run)

    assert time.process_time() - began < 5


def test_thousands_of_changes_of_renamed_pictures_take_no_longer_than_their_number() -> None:
    changes = [
        Change(number, 0.0, "moved", (PictureEdit(f"/{number}", caption="a"),), ((f"/{number - 1}", f"/to/{number}"),))
        for number in range(1, 20_001)
    ]

    with at_most(10):
        assert len(edits_of(changes).by_path) == 20_000
