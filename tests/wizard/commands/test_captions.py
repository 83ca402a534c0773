"""`loracle captions`: what is shown, edited, tried and taken back; and that nobody's files are written to."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from advisor.dataset.caption_edits.selection import Selection
from advisor.errors import LoraError
from advisor.run_folder.layout import RunFolder
from advisor.run_folder.lock import RunInUse, writing
from advisor.run_folder.pictures.run_dataset import run_dataset
from advisor.settings.config import parse_config
from tests.support.pictures import make_pictures
from tests.support.runs import write_toml
from wizard.commands.captions import CaptionOptions, captions
from wizard.interview.pictures.caption_words import EditOptions

TEXTS = (
    "mira, 1girl, long_hair, smile",
    "1girl, mira, smlie",
    "1girl, hat,, Hat",
    "A girl in the rain, a hat in hand.",
)


@pytest.fixture
def run(tmp_path: Path) -> Path:
    """A run of twelve pictures, of which one has no caption."""
    paths = make_pictures(tmp_path / "pictures", 12, sizes=((64, 64),), captions=TEXTS)
    paths[11].with_suffix(".txt").unlink()
    config = parse_config(
        {
            "model": {"path": str(tmp_path / "base.safetensors"), "family": "sd1"},
            "dataset": {"images": str(tmp_path / "pictures"), "caption_lines": "joined"},
            "run": {"trigger": "mira"},
            "saving": {"name": "mira"},
        }
    )
    write_toml(tmp_path / "run" / "loracle.toml", config)
    return tmp_path / "run"


def edit(run: Path, action: str, *words: str, selection: Selection | None = None, **options: Any) -> None:
    of_edit = {name: options.pop(name) for name in list(options) if name in EditOptions.__dataclass_fields__}
    captions(run, action, words, CaptionOptions(selection or Selection(), EditOptions(**of_edit), **options))


def trained(run: Path) -> dict[str, str | None]:
    return {image.path: image.caption for image in run_dataset(RunFolder(run)).report.image_files}


def stamps(folder: Path) -> dict[str, tuple[int, bytes]]:
    return {str(path): (path.stat().st_mtime_ns, path.read_bytes()) for path in folder.rglob("*") if path.is_file()}


def test_captions_and_tags_are_shown(run: Path, capsys: pytest.CaptureFixture[str]) -> None:
    edit(run, "")

    told = capsys.readouterr()
    assert "captions  11 (tags), 1 without, trained on the trigger alone" in told.out
    assert '"mira" is missing in 5 and not first in 3 of 11' in told.out
    assert "9 1girl" in " ".join(told.out.split())
    assert "first" in told.err


def test_the_document_has_every_tag(run: Path, capsys: pytest.CaptureFixture[str]) -> None:
    edit(run, "", as_json=True)

    found = json.loads(capsys.readouterr().out)
    assert (found["num_images"], found["num_captioned"], found["num_without"]) == (12, 11, 1)
    assert {"tag": "smlie", "num_images": 3} in found["tags"]


def test_an_edit_is_trained_told_and_kept_with_its_words(run: Path, capsys: pytest.CaptureFixture[str]) -> None:
    edit(run, "rename", "smlie", "smile")

    told = capsys.readouterr()
    assert trained(run)["picture-002.png"] == "1girl, mira, smile"
    assert "rename smlie smile: 3 captions of 12 changed." in told.err
    assert "undo" in told.err
    edit(run, "history")
    assert "rename smlie smile (3 pictures)" in capsys.readouterr().out


def test_the_folder_of_pictures_is_only_read(run: Path, tmp_path: Path) -> None:
    before = stamps(tmp_path / "pictures")

    for words in (("first",), ("remove", "smile"), ("add", "bow"), ("blanks",), ("dedupe",), ("undo", "2"), ("",)):
        edit(run, *words)

    assert stamps(tmp_path / "pictures") == before


def test_a_dry_run_shows_and_writes_nothing(run: Path, capsys: pytest.CaptureFixture[str]) -> None:
    before = stamps(run)

    edit(run, "remove", "smile", dry_run=True)

    assert "would be changed; nothing was written" in capsys.readouterr().err
    assert stamps(run) == before


def test_a_dry_run_waits_for_nobody(run: Path) -> None:
    with writing(RunFolder(run), "loracle train", print):
        edit(run, "remove", "smile", dry_run=True)
        with pytest.raises(RunInUse, match="loracle train"):
            edit(run, "remove", "smile")


def test_changes_are_taken_back_one_or_several(run: Path, capsys: pytest.CaptureFixture[str]) -> None:
    before = trained(run)
    edit(run, "remove", "smile")
    once = trained(run)
    edit(run, "first")
    edit(run, "blanks")

    edit(run, "undo", "2")
    assert trained(run) == once
    capsys.readouterr()
    edit(run, "undo", as_json=True)
    assert trained(run) == before
    assert [change["what"] for change in json.loads(capsys.readouterr().out)["undone"]] == ["remove smile"]
    with pytest.raises(LoraError, match="nothing to take back"):
        edit(run, "undo")


def test_more_steps_than_there_are_take_back_nothing(run: Path) -> None:
    edit(run, "remove", "smile")

    for words, message in ((("2",), "only 1 change can be taken back"), (("x",), "how many"), (("0",), "how many")):
        with pytest.raises(LoraError, match=message):
            edit(run, "undo", *words)
    assert "smile" not in str(trained(run)["picture-001.png"])


def test_a_tag_that_is_nowhere_is_an_error_that_names_near_ones(run: Path) -> None:
    with pytest.raises(LoraError, match="no caption has 'smie' as a tag of its own; 'smlie' is in 3, 'smile' is in 3"):
        edit(run, "remove", "smie")
    assert not (run / "images").exists()


def test_a_tag_that_only_others_have_is_told(run: Path) -> None:
    with pytest.raises(LoraError, match="no caption of the chosen pictures has 'smile'; 3 others have"):
        edit(run, "remove", "smile", selection=Selection(only=("picture-002.png",)))


def test_what_is_found_is_removed_and_what_is_not_is_told(run: Path, capsys: pytest.CaptureFixture[str]) -> None:
    edit(run, "remove", "smile", "dragon")

    assert "! no caption has 'dragon'" in capsys.readouterr().err
    assert trained(run)["picture-001.png"] == "mira, 1girl, long_hair"


def test_what_is_so_already_is_no_error_and_no_change(run: Path, capsys: pytest.CaptureFixture[str]) -> None:
    edit(run, "first")
    capsys.readouterr()

    edit(run, "first")

    assert "nothing was changed" in capsys.readouterr().err
    edit(run, "history", as_json=True)
    assert len(json.loads(capsys.readouterr().out)["changes"]) == 1


def test_one_caption_is_written_for_pictures_without(run: Path) -> None:
    edit(run, "set", "mira, red dress", selection=Selection(without_caption=True))

    assert trained(run)["picture-012.png"] == "mira, red dress"
    assert trained(run)["picture-001.png"] == TEXTS[0]


def test_one_caption_for_all_is_not_written_by_mistake(run: Path) -> None:
    with pytest.raises(LoraError, match="name them"):
        edit(run, "set", "mira")
    edit(run, "set", "mira", selection=Selection(only=("*",)))
    assert set(trained(run).values()) == {"mira"}


def test_pruning_takes_what_is_in_nearly_all(run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    make_pictures(
        tmp_path / "pictures", 12, sizes=((64, 64),), captions=["mira, 1girl, red hair, hat", "mira, red_hair"]
    )

    edit(run, "prune")

    assert set(trained(run).values()) == {"mira, 1girl, hat", "mira"}
    assert "becomes part of the trigger" in capsys.readouterr().err
    with pytest.raises(LoraError, match="nothing to prune"):
        edit(run, "prune")
    edit(run, "prune", over=50)
    assert set(trained(run).values()) == {"mira, 1girl", "mira"}


@pytest.mark.parametrize(
    ("words", "options", "message"),
    [
        (("smile",), {}, "captions cannot 'smile'"),
        (("remov", "x"), {}, "did you mean remove"),
        (("rename", "x"), {}, "rename takes two texts"),
        (("first", "a", "b"), {}, "put quotes around"),
        (("dedupe", "a"), {}, "takes no more words"),
        (("remove", "hat"), {"front": True}, "--front belongs to `add`"),
        (("prune", "hat"), {"over": 50}, "give one of them"),
        (("prune",), {"over": 0}, "take a percentage"),
        (("remove", "hat"), {"selection": Selection(having=("hat",), lacking=("hat",))}, "no picture fits"),
    ],
)
def test_what_makes_no_sense_is_told(run: Path, words: tuple[str, ...], options: dict[str, Any], message: str) -> None:
    with pytest.raises(LoraError, match=message):
        edit(run, *words, **options)


def test_a_change_names_the_pictures_that_it_was_for(run: Path, capsys: pytest.CaptureFixture[str]) -> None:
    edit(run, "remove", "long hair", selection=Selection(only=("picture-00*",), having=("smile",)))
    capsys.readouterr()

    edit(run, "history")

    assert 'remove "long hair" --only "picture-00*" --with smile (3 pictures)' in capsys.readouterr().out


def test_captions_that_end_up_empty_are_told(run: Path, capsys: pytest.CaptureFixture[str]) -> None:
    edit(run, "set", "hat", selection=Selection(only=("picture-001.png",)))
    capsys.readouterr()

    edit(run, "remove", "hat", selection=Selection(only=("picture-001.png",)))

    assert "! 1 caption empty then (picture-001.png): write what they show" in capsys.readouterr().err


def test_signs_that_steer_a_terminal_are_shown_as_such(
    run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "pictures" / "picture-001.txt").write_text("mira, \x1b[31mred\x07, hat", "utf-8")

    for action in ("", "list", "tags"):
        edit(run, action)
    edit(run, "remove", "hat")

    told = capsys.readouterr()
    assert "\x1b[31m" not in told.out + told.err
    assert "\x07" not in told.out + told.err


def test_what_was_edited_is_told_of_the_pictures_that_are_meant(run: Path, capsys: pytest.CaptureFixture[str]) -> None:
    edit(run, "set", "mira, bow", selection=Selection(only=("picture-001.png", "picture-002.png")))
    for only, number in (("picture-001.png", 1), ("picture-009.png", 0)):
        capsys.readouterr()
        edit(run, "", selection=Selection(only=(only,)), as_json=True)
        assert json.loads(capsys.readouterr().out)["num_edited"] == number
        edit(run, "", selection=Selection(only=(only,)))
        assert ("edited    1 of them" in capsys.readouterr().out) == bool(number)
        edit(run, "list", selection=Selection(only=(only,)))
        assert ("* edited here" in capsys.readouterr().err) == bool(number)
