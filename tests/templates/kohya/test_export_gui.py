from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest

from advisor.errors import ConfigErrors, DatasetError, LoraError, RunError
from advisor.run_folder.write_over import UsersFiles
from advisor.settings.config import setting_paths
from templates.exporters import EXPORTERS
from templates.exporting.exporter import USUAL, Export, ExportOptions
from tests.support.pictures import draw_picture, make_pictures
from tests.support.samples import sample_config


def export(
    place: Path, images: Path, /, *, out: Path | None = None, options: ExportOptions = USUAL, **groups: Any
) -> Export:
    return EXPORTERS["kohya-gui"].write(sample_config(images, **groups), run=place, out=out, options=options)


def tree(folder: Path) -> list[str]:
    return sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file())


def contents(folder: Path) -> dict[str, tuple[bytes, int]]:
    return {str(p): (p.read_bytes(), p.stat().st_mtime_ns) for p in folder.rglob("*") if p.is_file()}


@pytest.mark.parametrize("exporter", EXPORTERS.values(), ids=EXPORTERS)
def test_each_setting_is_either_mapped_or_dropped(exporter: Any) -> None:
    assert exporter.maps | set(exporter.drops) == set(setting_paths())
    assert not exporter.maps & set(exporter.drops)
    assert all(exporter.drops.values())


@pytest.mark.parametrize(("axis", "is_told"), [("input", True), ("output", False)])
def test_it_is_told_that_the_gui_has_no_key_for_a_doras_axis(tmp_path: Path, axis: str, is_told: bool) -> None:
    make_pictures(tmp_path / "pictures", 2)

    notes = export(tmp_path / "run", tmp_path / "pictures", network={"kind": "dora", "dora_axis": axis}).notes

    assert any(note.startswith("network.dora_axis (input)") for note in notes) == is_told


def test_images_are_linked_into_a_folder_named_after_the_trigger(tmp_path: Path) -> None:
    make_pictures(tmp_path / "pictures", 2)
    before = contents(tmp_path / "pictures")

    result = export(tmp_path / "run", tmp_path / "pictures")

    images = tmp_path / "run" / "exports" / "kohya" / "img"
    assert tree(images) == [
        "20_foxgirl/picture-001.png", "20_foxgirl/picture-001.txt",
        "20_foxgirl/picture-002.png", "20_foxgirl/picture-002.txt",
    ]  # fmt: skip
    assert (images / "20_foxgirl" / "picture-001.png").samefile(tmp_path / "pictures" / "picture-001.png")
    assert (images / "20_foxgirl" / "picture-001.txt").read_text("utf-8") == "tok, 1girl, number 1\n"
    assert contents(tmp_path / "pictures") == before
    written = json.loads(result.paths[0].read_text("utf-8"))
    assert result.paths[0] == tmp_path / "run" / "exports" / "kohya-gui.json"
    assert written["train_data_dir"] == str(images)
    assert written["lr_warmup_steps"] == 10
    assert "200 steps" in " ".join(result.notes)


def test_folders_keep_their_repeats_and_names(tmp_path: Path) -> None:
    make_pictures(tmp_path / "p" / "10_fox girl", 1)
    make_pictures(tmp_path / "p" / "close" / "up", 1)
    make_pictures(tmp_path / "p" / "rest", 1)
    folders = [{"path": "10_fox girl", "repeats": 10}, {"path": "close", "repeats": 5}]

    export(tmp_path / "run", tmp_path / "p", dataset={"folders": folders, "repeats": 2})

    folder = tmp_path / "run" / "exports" / "kohya" / "img"
    assert sorted(path.name for path in folder.iterdir()) == ["10_fox girl", "2_foxgirl", "5_foxgirl"]


def test_images_of_one_name_do_not_take_each_others_caption(tmp_path: Path) -> None:
    make_pictures(tmp_path / "p" / "a", 1, captions="of a")
    make_pictures(tmp_path / "p" / "b", 1, captions="of b", extension=".JPG")
    make_pictures(tmp_path / "p" / "c", 1, captions=False, extension=".webp")

    export(tmp_path / "run", tmp_path / "p")

    folder = tmp_path / "run" / "exports" / "kohya" / "img" / "20_foxgirl"
    assert tree(folder) == [
        "picture-001-2.jpg", "picture-001-2.txt", "picture-001-3.webp", "picture-001.png", "picture-001.txt"
    ]  # fmt: skip
    assert (folder / "picture-001-2.txt").read_text("utf-8") == "of b\n"


def test_captions_come_in_the_configured_ending_without_a_mark(tmp_path: Path) -> None:
    make_pictures(tmp_path / "p", 2, caption_extension=".caption")
    (tmp_path / "p" / "picture-001.caption").write_bytes(b"\xef\xbb\xbffox\r\n")
    (tmp_path / "p" / "picture-002.caption").write_bytes(b"")

    export(tmp_path / "run", tmp_path / "p", dataset={"caption_extension": ".caption"})

    folder = tmp_path / "run" / "exports" / "kohya" / "img" / "20_foxgirl"
    assert (folder / "picture-001.caption").read_bytes() == b"fox\n"
    assert (folder / "picture-002.caption").read_bytes() == b"\n"


def test_a_second_export_replaces_what_the_first_made_and_keeps_what_may_have_no_other_copy(tmp_path: Path) -> None:
    paths = make_pictures(tmp_path / "p", 3)
    export(tmp_path / "run", tmp_path / "p")
    images = tmp_path / "run" / "exports" / "kohya" / "img"
    (images / "20_foxgirl" / "mine.txt").write_text("mine")
    paths[0].unlink()

    result = export(tmp_path / "run", tmp_path / "p", dataset={"repeats": 7}, run={"trigger": "wolf"})

    assert tree(images) == [
        "20_foxgirl/mine.txt", "20_foxgirl/picture-001.png.bak", "20_foxgirl/picture-001.txt.bak",
        "7_wolf/picture-002.png", "7_wolf/picture-002.txt", "7_wolf/picture-003.png", "7_wolf/picture-003.txt",
    ]  # fmt: skip
    assert any("not ours" in note for note in result.notes)
    assert paths[1].exists()


def test_a_file_of_the_users_in_the_way_stays(tmp_path: Path) -> None:
    make_pictures(tmp_path / "p", 1)
    folder = tmp_path / "run" / "exports" / "kohya" / "img" / "20_foxgirl"
    folder.mkdir(parents=True)
    (folder / "picture-001.txt").write_text("mine")

    with pytest.raises(UsersFiles, match=r"picture-001\.txt is not as Loracle wrote it"):
        export(tmp_path / "run", tmp_path / "p")

    assert [path.name for path in folder.iterdir()] == ["picture-001.txt"]
    assert (folder / "picture-001.txt").read_text() == "mine"


def test_a_damaged_list_leads_to_no_file_outside(tmp_path: Path) -> None:
    make_pictures(tmp_path / "p", 1)
    home = tmp_path / "run" / "exports" / "kohya"
    home.mkdir(parents=True)
    (tmp_path / "run" / "precious.txt").write_text("")
    (home / "img.made.txt").write_text("../../precious.txt\n../x\n/etc/passwd\nC:/x\n\n")

    with pytest.raises(UsersFiles, match=r"img\.made\.txt"):
        export(tmp_path / "run", tmp_path / "p")
    export(tmp_path / "run", tmp_path / "p", options=ExportOptions(overwrite=True))

    assert (tmp_path / "run" / "precious.txt").exists()
    assert (home / "img.made.txt.bak").read_text().startswith("../../precious.txt")


def test_where_links_cannot_be_images_are_copied(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def no_links(source: str, target: Path) -> None:
        raise OSError(18, "Invalid cross-device link")

    monkeypatch.setattr("templates.exporting.image_links.os.link", no_links)
    (picture,) = make_pictures(tmp_path / "p", 1)

    result = export(tmp_path / "run", tmp_path / "p")

    copy = tmp_path / "run" / "exports" / "kohya" / "img" / "20_foxgirl" / "picture-001.png"
    assert copy.read_bytes() == picture.read_bytes()
    assert not copy.samefile(picture)
    assert any("copied" in note for note in result.notes)


def test_a_full_disk_is_reported(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*given: object) -> None:
        raise OSError(28, "No space left on device", str(given[1]))

    monkeypatch.setattr("templates.exporting.image_links.os.link", full)
    monkeypatch.setattr("templates.exporting.image_links.shutil.copyfileobj", full)
    make_pictures(tmp_path / "p", 1)

    with pytest.raises(RunError, match="No space left on device: free some space"):
        export(tmp_path / "run", tmp_path / "p")


def test_the_json_goes_where_out_says_and_the_links_stay(tmp_path: Path) -> None:
    make_pictures(tmp_path / "p", 1)

    result = export(tmp_path / "run", tmp_path / "p", out=tmp_path / "mine.json")

    assert result.paths[0] == tmp_path / "mine.json"
    assert json.loads((tmp_path / "mine.json").read_text("utf-8"))["output_name"] == "fox"
    assert (tmp_path / "run" / "exports" / "kohya" / "img" / "20_foxgirl").is_dir()
    assert not (tmp_path / "run" / "exports" / "kohya-gui.json").exists()


def test_a_run_among_the_images_does_not_count_its_own_links(tmp_path: Path) -> None:
    make_pictures(tmp_path, 2)

    export(tmp_path / "run", tmp_path)
    export(tmp_path / "run", tmp_path)

    assert len(tree(tmp_path / "run" / "exports" / "kohya" / "img")) == 4


def test_regularization_images_get_folders_too(tmp_path: Path) -> None:
    make_pictures(tmp_path / "p", 1)
    make_pictures(tmp_path / "reg" / "3_girl", 1, captions=False)

    result = export(tmp_path / "run", tmp_path / "p", dataset={"regularization_images": str(tmp_path / "reg")})

    home = tmp_path / "run" / "exports" / "kohya"
    assert tree(home / "reg") == ["3_girl/picture-001.png"]
    assert json.loads(result.paths[0].read_text("utf-8"))["reg_data_dir"] == str(home / "reg")


def test_what_kohya_would_refuse_is_reported_all_at_once_and_nothing_is_written(tmp_path: Path) -> None:
    make_pictures(tmp_path / "p", 1)

    with pytest.raises(ConfigErrors) as raised:
        export(
            tmp_path / "run", tmp_path / "p", schedule={"batch_size": 65}, optimizer={"learning_rate": 2.0}
        )  # fmt: skip

    assert "schedule.batch_size is 65" in str(raised.value)
    assert "optimizer.learning_rate is 2.0" in str(raised.value)
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize(
    ("groups", "path"),
    [
        ({"model": {"family": "flux1", "prediction": "flow"}}, "model.family"),
        ({"network": {"kind": "locon", "conv_rank": 1}}, "network.conv_alpha"),
    ],
)
def test_what_has_no_word_there_is_refused(tmp_path: Path, groups: dict[str, Any], path: str) -> None:
    with pytest.raises(ConfigErrors, match=path):
        export(tmp_path / "run", tmp_path, **groups)


@pytest.mark.parametrize(
    ("groups", "words"),
    [
        ({"memory": {"base_dtype": "int8"}}, "memory.base_dtype"),
        ({"loss": {"ema": True}}, "loss.ema"),
        ({"machine": {"gpu_uuid": "GPU-1"}}, "GPU IDs"),
        ({"dataset": {"masks": True, "mask_source": "files"}}, "mask files"),
        ({"dataset": {"keep_tokens_separator": "|||"}}, "keep_tokens_separator"),
        ({"sampling": {"prompts": ["a"], "sampler": "unipc"}}, "unipc"),
        ({"validation": {"share": 1}}, "validation.share"),
    ],
)
def test_what_does_not_arrive_is_reported(tmp_path: Path, groups: dict[str, Any], words: str) -> None:
    make_pictures(tmp_path / "p", 1)

    assert words in "\n".join(export(tmp_path / "run", tmp_path / "p", **groups).notes)


def test_images_that_are_elsewhere_are_reported_and_the_json_is_written(tmp_path: Path) -> None:
    result = export(tmp_path / "run", tmp_path / "nowhere")

    assert any("not on this machine" in note for note in result.notes)
    assert json.loads(result.paths[0].read_text("utf-8"))["lr_warmup"] == 5


def test_a_folder_without_images_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "p").mkdir()

    with pytest.raises(DatasetError):
        export(tmp_path / "run", tmp_path / "p")


def test_names_in_any_script_arrive(tmp_path: Path) -> None:
    (tmp_path / "Bilder 🦊 ü").mkdir()
    draw_picture(tmp_path / "Bilder 🦊 ü" / "füchsin 1.png")

    result = export(tmp_path / "läufe", tmp_path / "Bilder 🦊 ü", run={"trigger": "füchsin: rot/weiß"})

    folder = tmp_path / "läufe" / "exports" / "kohya" / "img" / "20_füchsin_ rot_weiß"
    assert tree(folder) == ["füchsin 1.png"]
    assert json.loads(result.paths[0].read_text("utf-8"))["train_data_dir"] == str(folder.parent)


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="rights do not bind the administrator")
def test_a_read_only_run_is_reported(tmp_path: Path) -> None:
    make_pictures(tmp_path / "p", 1)
    (tmp_path / "run").mkdir(mode=0o500)

    with pytest.raises(RunError, match="cannot be"):
        export(tmp_path / "run", tmp_path / "p")


def test_an_export_into_a_file_is_reported(tmp_path: Path) -> None:
    make_pictures(tmp_path / "p", 1)
    (tmp_path / "run").write_text("")

    with pytest.raises(LoraError):
        export(tmp_path / "run", tmp_path / "p")
