from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from advisor.dataset.scan import scan
from advisor.errors import DatasetError
from tests.support.paths import REPOSITORY
from tests.support.pictures import draw_picture, make_pictures
from tests.support.scans import codes, names


def test_a_flat_folder_gives_sizes_captions_and_one_folder(tmp_path: Path) -> None:
    make_pictures(tmp_path, 3, sizes=[(512, 512), (640, 448)], captions=["tok, a", "  tok, b \r\n"])

    report = scan(tmp_path)

    assert report.root == str(tmp_path)
    assert names(report) == ["picture-001.png", "picture-002.png", "picture-003.png"]
    assert [(one.width_px, one.height_px) for one in report.image_files] == [(512, 512), (640, 448), (512, 512)]
    assert [one.caption for one in report.image_files] == ["tok, a", "tok, b", "tok, a"]
    assert [(one.path, one.num_images, one.repeats, one.concept) for one in report.folders] == [(".", 3, None, "")]
    assert (report.caption_extension, report.extensions, report.problems) == (".txt", {".txt": 3}, ())


def test_nothing_in_the_folder_is_changed(tmp_path: Path) -> None:
    make_pictures(tmp_path / "10_tok", 2)
    (tmp_path / "10_tok" / "broken.png").write_bytes(b"")

    def state() -> list[tuple[str, bytes, int]]:
        files = sorted(path for path in tmp_path.rglob("*") if path.is_file())
        return [(str(path), path.read_bytes(), path.stat().st_mtime_ns) for path in files]

    before = state()

    scan(tmp_path)

    assert state() == before


def test_kohyas_folders_give_repeats_and_concept(tmp_path: Path) -> None:
    make_pictures(tmp_path / "10_tok 1girl", 2)
    make_pictures(tmp_path / "3_tok side_view", 1)
    make_pictures(tmp_path / "plain", 1)

    report = scan(tmp_path)

    assert [(one.path, one.num_images, one.repeats, one.concept) for one in report.folders] == [
        ("3_tok side_view", 1, 3, "tok side_view"),
        ("10_tok 1girl", 2, 10, "tok 1girl"),
        ("plain", 1, None, ""),
    ]
    assert [picture.folder for picture in report.image_files] == [0, 1, 1, 2]


def test_a_folder_inside_a_numbered_one_keeps_its_repeats(tmp_path: Path) -> None:
    make_pictures(tmp_path / "7_tok" / "front" / "close", 1)

    assert scan(tmp_path).folders[0].repeats == 7


def test_the_numbered_folder_itself_may_be_given(tmp_path: Path) -> None:
    make_pictures(tmp_path / "12_tok", 2)

    folder = scan(tmp_path / "12_tok").folders[0]

    assert (folder.path, folder.repeats, folder.concept) == (".", 12, "tok")


@pytest.mark.parametrize("name", ["a10_tok", "10tok", "tok_10", "10", "-5_tok", "\u0663_tok"])
def test_other_names_give_no_repeats(tmp_path: Path, name: str) -> None:
    make_pictures(tmp_path / name, 1)

    assert scan(tmp_path).folders[0].repeats is None


def test_a_date_at_the_front_of_a_name_is_no_number_of_repeats(tmp_path: Path) -> None:
    make_pictures(tmp_path / "20230514_holiday", 1)

    report = scan(tmp_path)

    assert report.folders[0].repeats is None
    assert codes(report) == {"20230514_holiday": "strange_repeats"}


def test_a_folder_with_no_repeats_is_left_out_and_told(tmp_path: Path) -> None:
    make_pictures(tmp_path / "0_bad ones", 2)
    make_pictures(tmp_path / "5_good", 1)

    report = scan(tmp_path)

    assert (report.num_images, codes(report)) == (1, {"0_bad ones": "zero_repeats"})


def test_a_kohya_projects_samples_and_regularisation_pictures_are_left_out(tmp_path: Path) -> None:
    make_pictures(tmp_path / "img" / "10_tok", 2)
    make_pictures(tmp_path / "model" / "sample", 3)
    make_pictures(tmp_path / "reg" / "1_girl", 3)

    report = scan(tmp_path)

    assert report.num_images == 2
    assert codes(report) == {"model": "left_out_folder", "reg": "left_out_folder"}


def test_a_run_of_ours_is_no_source_of_pictures(tmp_path: Path) -> None:
    make_pictures(tmp_path, 1)
    make_pictures(tmp_path / "tok" / "samples", 4)
    (tmp_path / "tok" / "loracle.toml").write_text("")

    report = scan(tmp_path)

    assert (report.num_images, codes(report)) == (1, {"tok": "left_out_folder"})


def test_pictures_come_in_natural_order(tmp_path: Path) -> None:
    for name in ("10.png", "2.PNG", "b.png", "A.png", "a1.png"):
        draw_picture(tmp_path / name, (64, 64))
    draw_picture_in = tmp_path / "1_sub"
    draw_picture_in.mkdir()
    draw_picture(draw_picture_in / "0.png", (64, 64))

    assert names(scan(tmp_path)) == ["2.PNG", "10.png", "A.png", "a1.png", "b.png", "1_sub/0.png"]


def test_hidden_files_and_folders_are_passed_over(tmp_path: Path) -> None:
    make_pictures(tmp_path, 1)
    make_pictures(tmp_path / ".thumbs", 2)
    make_pictures(tmp_path / "__MACOSX", 2)
    (tmp_path / "._picture-001.png").write_bytes(b"x")

    report = scan(tmp_path)

    assert (report.num_images, report.problems) == (1, ())


def test_names_with_spaces_umlauts_and_emoji_are_read(tmp_path: Path) -> None:
    folder = tmp_path / "Bilder für 🐈 neu"
    make_pictures(folder / "5_größe x", 1)

    report = scan(folder)

    assert (names(report), report.folders[0].concept) == (["5_größe x/picture-001.png"], "größe x")


@pytest.mark.skipif(os.name == "nt", reason="links need a privilege on Windows")
def test_links_in_a_circle_end(tmp_path: Path) -> None:
    make_pictures(tmp_path / "a", 2)
    (tmp_path / "a" / "again").symlink_to(tmp_path)
    (tmp_path / "b").symlink_to(tmp_path / "a")
    (tmp_path / "self.png").symlink_to("self.png")
    (tmp_path / "gone.png").symlink_to("nowhere.png")

    report = scan(tmp_path)

    assert report.num_images == 2
    assert codes(report) == {"self.png": "unreadable_picture", "gone.png": "unreadable_picture"}


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="this system has no pipes with names")
def test_a_pipe_is_not_waited_for(tmp_path: Path) -> None:
    make_pictures(tmp_path, 1)
    os.mkfifo(tmp_path / "pipe.png")

    assert codes(scan(tmp_path)) == {"pipe.png": "unreadable_picture"}


@pytest.mark.skipif(sys.platform != "linux", reason="only here names may be any bytes")
def test_a_name_that_is_not_utf8_is_told(tmp_path: Path) -> None:
    make_pictures(tmp_path, 1)
    source = (tmp_path / "picture-001.png").read_bytes()
    Path(os.fsdecode(os.fsencode(tmp_path) + b"/caf\xe9.png")).write_bytes(source)

    report = scan(tmp_path)

    assert codes(report) == {"caf\\udce9.png": "name_encoding"}
    json.dumps([problem.path for problem in report.problems]).encode("utf-8")


def test_an_unreadable_subfolder_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    make_pictures(tmp_path, 1)
    make_pictures(tmp_path / "locked", 1)
    scandir = os.scandir

    def refusing(path: Path) -> object:
        if Path(path).name == "locked":
            raise PermissionError(13, "Permission denied")
        return scandir(path)

    monkeypatch.setattr(os, "scandir", refusing)

    assert codes(scan(tmp_path)) == {"locked": "unreadable_folder"}


def test_a_folder_that_does_not_exist_names_a_likely_one(tmp_path: Path) -> None:
    (tmp_path / "pictures").mkdir()

    with pytest.raises(DatasetError, match=r"does not exist: did you mean .*pictures"):
        scan(tmp_path / "picturs")


def test_a_file_is_no_folder(tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match="is a file, not a folder"):
        scan(draw_picture(tmp_path / "a.png"))


def test_an_empty_folder_is_told(tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match=r"is empty \(looked for \.png, .*give the folder"):
        scan(tmp_path)


def test_a_folder_without_pictures_names_what_it_holds(tmp_path: Path) -> None:
    for index in range(12):
        (tmp_path / f"{index}.txt").write_text("x")
    for index in range(3):
        (tmp_path / f"{index}.psd").write_text("x")

    with pytest.raises(DatasetError, match=r"holds 12 \.txt and 3 \.psd files but no pictures .*save the pictures as"):
        scan(tmp_path)


def test_a_folder_whose_pictures_are_all_broken_names_them(tmp_path: Path) -> None:
    for index in range(5):
        (tmp_path / f"{index}.png").write_bytes(b"")

    with pytest.raises(DatasetError, match="none of the pictures") as error:
        scan(tmp_path)

    assert "0.png: the file holds nothing" in str(error.value)
    assert "and 2 more" in str(error.value)


def test_progress_is_told(tmp_path: Path) -> None:
    make_pictures(tmp_path, 2, sizes=[(64, 64)])
    told: list[tuple[int, int]] = []

    scan(tmp_path, tell=lambda done, total: told.append((done, total)))

    assert told == [(2, 2)]


@pytest.mark.slow
def test_five_thousand_pictures_take_little_time_and_memory(tmp_path: Path) -> None:
    out = tmp_path / "figures.json"
    command = [sys.executable, "-m", "benchmarks.scan_many", "--count", "5000", "--out", str(out)]
    subprocess.run(command, cwd=REPOSITORY, check=True, capture_output=True)

    figures = json.loads(out.read_text())

    assert figures["pictures"] == 5000
    assert figures["seconds"] < 10
    assert figures["memory_growth_mb"] < 40
