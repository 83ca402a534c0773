from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from advisor.dataset import DatasetReport
from advisor.errors import DatasetError
from advisor.scan import scan
from tests.pictures import draw_picture, make_pictures

REPOSITORY = Path(__file__).parents[2]


def codes(report: DatasetReport) -> dict[str, str]:
    return {problem.path: problem.code for problem in report.problems}


def names(report: DatasetReport) -> list[str]:
    return [picture.path for picture in report.pictures]


def test_a_flat_folder_gives_sizes_captions_and_one_folder(tmp_path: Path) -> None:
    make_pictures(tmp_path, 3, sizes=[(512, 512), (640, 448)], captions=["tok, a", "  tok, b \r\n"])

    report = scan(tmp_path)

    assert report.root == str(tmp_path)
    assert names(report) == ["picture-001.png", "picture-002.png", "picture-003.png"]
    assert [(one.width_px, one.height_px) for one in report.pictures] == [(512, 512), (640, 448), (512, 512)]
    assert [one.caption for one in report.pictures] == ["tok, a", "tok, b", "tok, a"]
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
    assert [picture.folder for picture in report.pictures] == [0, 1, 1, 2]


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


@pytest.mark.parametrize("extension", [".png", ".jpg", ".JPEG", ".webp", ".bmp", ".avif"])
def test_each_format_is_measured(tmp_path: Path, extension: str) -> None:
    draw_picture(tmp_path / f"a{extension}", (320, 192))

    picture = scan(tmp_path).pictures[0]

    assert (picture.width_px, picture.height_px) == (320, 192)


@pytest.mark.parametrize("options", [{"lossless": True}, {"quality": 40}, {"quality": 40, "icc_profile": b"x" * 128}])
def test_each_kind_of_webp_is_measured(tmp_path: Path, options: dict[str, Any]) -> None:
    mode = "RGBA" if "icc_profile" in options else "RGB"
    Image.new(mode, (321, 193), 90).save(tmp_path / "a.webp", **options)

    picture = scan(tmp_path).pictures[0]

    assert (picture.width_px, picture.height_px) == (321, 193)


@pytest.mark.parametrize("extension", [".png", ".jpg", ".webp", ".avif"])
@pytest.mark.parametrize(("orientation", "size"), [(1, (320, 192)), (3, (320, 192)), (6, (192, 320)), (8, (192, 320))])
def test_a_cameras_orientation_is_taken_into_account(
    tmp_path: Path, extension: str, orientation: int, size: tuple[int, int]
) -> None:
    draw_picture(tmp_path / f"a{extension}", (320, 192), orientation=orientation)

    picture = scan(tmp_path).pictures[0]

    assert (picture.width_px, picture.height_px) == size


def test_a_pngs_orientation_may_stand_after_its_pixels(tmp_path: Path) -> None:
    path = draw_picture(tmp_path / "a.png", (320, 192), orientation=6)
    content = path.read_bytes()
    start = content.index(b"eXIf") - 4
    end = start + 12 + int.from_bytes(content[start : start + 4], "big")
    path.write_bytes(content[:start] + content[end:-12] + content[start:end] + content[-12:])

    picture = scan(tmp_path).pictures[0]

    assert (picture.width_px, picture.height_px) == (192, 320)


def test_pixels_are_not_decoded(tmp_path: Path) -> None:
    path = draw_picture(tmp_path / "a.jpg", (320, 192))
    content = path.read_bytes()
    path.write_bytes(content[: content.index(b"\xff\xda") + 14])

    assert scan(tmp_path).num_images == 1


@pytest.mark.parametrize(
    ("content", "code", "words"),
    [
        (b"", "empty_picture", "0 bytes"),
        (b"hello, I am a text", "unreadable_picture", "no picture"),
        (b"<!DOCTYPE html><html>404", "unreadable_picture", "web page"),
        (b"GIF89a" + bytes(40), "unreadable_picture", "GIF"),
        (b"\0\0\0\x18ftypheic" + bytes(40), "unreadable_picture", "HEIC"),
        (b"\x89PNG\r\n\x1a\n", "unreadable_picture", "broken"),
        (b"\x89PNG\r\n\x1a\n" + b"\xff" * 60, "unreadable_picture", "broken"),
        (b"\xff\xd8\xff\xe1" + bytes(20), "unreadable_picture", "broken"),
        (b"RIFF\x10\0\0\0WEBPVP8 " + bytes(30), "unreadable_picture", "broken"),
        (b"BM" + bytes(60), "unreadable_picture", "broken"),
    ],
)
def test_what_is_no_picture_is_told_and_the_rest_read(tmp_path: Path, content: bytes, code: str, words: str) -> None:
    make_pictures(tmp_path, 1)
    (tmp_path / "bad.png").write_bytes(content)

    report = scan(tmp_path)

    assert report.num_images == 1
    assert [(one.path, one.code) for one in report.problems] == [("bad.png", code)]
    assert words in report.problems[0].message


def test_pictures_that_trainers_do_not_read_are_told(tmp_path: Path) -> None:
    make_pictures(tmp_path, 1)
    (tmp_path / "photo.HEIC").write_bytes(b"x")

    assert codes(scan(tmp_path)) == {"photo.HEIC": "unsupported_picture"}


def test_an_icon_is_left_out(tmp_path: Path) -> None:
    make_pictures(tmp_path, 1)
    draw_picture(tmp_path / "icon.png", (16, 64))

    report = scan(tmp_path)

    assert (report.num_images, codes(report)) == (1, {"icon.png": "too_small"})


def test_a_picture_made_to_fill_the_memory_is_left_out(tmp_path: Path) -> None:
    make_pictures(tmp_path, 1)
    Image.new("1", (14_000, 14_000)).save(tmp_path / "bomb.png")

    report = scan(tmp_path)

    assert (report.num_images, codes(report)) == (1, {"bomb.png": "huge_picture"})


def test_a_large_picture_is_read_without_a_warning(tmp_path: Path) -> None:
    Image.new("1", (10_000, 10_000)).save(tmp_path / "poster.png")

    assert scan(tmp_path).pictures[0].width_px == 10_000


def test_two_pictures_of_one_name_share_a_caption_and_are_told(tmp_path: Path) -> None:
    draw_picture(tmp_path / "a.jpg", (64, 64))
    draw_picture(tmp_path / "a.png", (64, 64))
    (tmp_path / "a.txt").write_text("tok")

    report = scan(tmp_path)

    assert [one.caption for one in report.pictures] == ["tok", "tok"]
    assert codes(report) == {"a.png": "duplicate_name"}


@pytest.mark.parametrize("extension", [".txt", ".caption", ".cap", ".TXT"])
def test_each_kind_of_caption_is_read(tmp_path: Path, extension: str) -> None:
    make_pictures(tmp_path, 2, caption_extension=extension)

    report = scan(tmp_path)

    assert (report.num_captioned, report.caption_extension) == (2, extension.lower())


def test_a_caption_may_begin_with_a_byte_order_mark(tmp_path: Path) -> None:
    make_pictures(tmp_path, 1, captions=False)
    (tmp_path / "picture-001.txt").write_text("größe, 猫, 🐈", encoding="utf-8-sig")

    assert scan(tmp_path).pictures[0].caption == "größe, 猫, 🐈"


@pytest.mark.parametrize(
    ("text", "encoding", "guess"),
    [
        ("blue hair, smile", "utf-16", "UTF-16"),
        ("blue hair, smile", "utf-16-le", "UTF-16"),
        ("größe, weißes Kleid", "cp1252", "Windows-1252"),
        ("青い目の女の子", "shift_jis", "Shift-JIS"),
        ("1girl, 长发, 蓝色眼睛", "gbk", "GBK"),
        ("파란 눈의 소녀 긴 머리", "euc_kr", "EUC-KR"),
        ("девушка, голубые глаза", "cp1251", "Windows-1251"),
    ],
)
def test_another_encoding_is_told_with_a_guess(tmp_path: Path, text: str, encoding: str, guess: str) -> None:
    make_pictures(tmp_path, 1, captions=False)
    (tmp_path / "picture-001.txt").write_bytes(text.encode(encoding))

    report = scan(tmp_path)

    assert report.pictures[0].caption is None
    assert codes(report) == {"picture-001.txt": "caption_encoding"}
    assert guess in report.problems[0].message
    assert "UTF-8" in report.problems[0].message


def test_bytes_that_are_no_text_are_told(tmp_path: Path) -> None:
    make_pictures(tmp_path, 1, captions=False)
    (tmp_path / "picture-001.txt").write_bytes(bytes(range(256)))

    assert codes(scan(tmp_path)) == {"picture-001.txt": "caption_encoding"}


def test_an_empty_caption_is_told_and_counts_as_none(tmp_path: Path) -> None:
    make_pictures(tmp_path, 1, captions=" \n\t ")

    report = scan(tmp_path)

    assert (report.num_captioned, report.pictures[0].caption) == (0, "")
    assert codes(report) == {"picture-001.txt": "empty_caption"}


def test_a_book_beside_a_picture_is_no_caption(tmp_path: Path) -> None:
    make_pictures(tmp_path, 1, captions="x" * 100_000)

    report = scan(tmp_path)

    assert report.pictures[0].caption is None
    assert codes(report) == {"picture-001.txt": "long_caption"}


def test_captions_of_another_ending_than_most_are_read_and_told(tmp_path: Path) -> None:
    make_pictures(tmp_path, 3)
    (tmp_path / "picture-002.txt").rename(tmp_path / "picture-002.caption")

    report = scan(tmp_path)

    assert (report.num_captioned, report.caption_extension) == (3, ".txt")
    assert report.extensions == {".txt": 2, ".caption": 1}
    assert codes(report) == {"picture-002.caption": "mixed_caption_extensions"}


def test_of_two_captions_the_one_with_the_usual_ending_is_read(tmp_path: Path) -> None:
    make_pictures(tmp_path, 2, captions="tags", caption_extension=".caption")
    (tmp_path / "picture-001.txt").write_text("a sentence")

    report = scan(tmp_path)

    assert [one.caption for one in report.pictures] == ["tags", "tags"]
    assert codes(report) == {"picture-001.caption": "mixed_caption_extensions"}


def test_the_ending_that_is_asked_for_goes_first(tmp_path: Path) -> None:
    make_pictures(tmp_path, 2, captions="tags")
    (tmp_path / "picture-001.cap").write_text("a sentence")

    report = scan(tmp_path, caption_extension=".cap")

    assert report.caption_extension == ".cap"
    assert [one.caption for one in report.pictures] == ["a sentence", "tags"]


def test_a_caption_named_after_the_whole_file_name_is_told(tmp_path: Path) -> None:
    make_pictures(tmp_path, 1, captions=False)
    (tmp_path / "picture-001.png.txt").write_text("tok")

    report = scan(tmp_path)

    assert report.pictures[0].caption is None
    assert codes(report) == {"picture-001.png.txt": "caption_name"}


def test_other_texts_are_no_captions(tmp_path: Path) -> None:
    make_pictures(tmp_path, 1)
    (tmp_path / "readme.txt").write_bytes(b"caf\xe9")

    report = scan(tmp_path)

    assert (report.extensions, report.problems) == ({".txt": 1}, ())


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
