from __future__ import annotations

from pathlib import Path

import pytest

from advisor.dataset.scan import scan
from tests.support.pictures import make_pictures
from tests.support.scans import codes


@pytest.mark.parametrize("extension", [".txt", ".caption", ".cap", ".TXT"])
def test_each_kind_of_caption_is_read(tmp_path: Path, extension: str) -> None:
    make_pictures(tmp_path, 2, caption_extension=extension)

    report = scan(tmp_path)

    assert (report.num_captioned, report.caption_extension) == (2, extension.lower())


def test_a_caption_may_begin_with_a_byte_order_mark(tmp_path: Path) -> None:
    make_pictures(tmp_path, 1, captions=False)
    (tmp_path / "picture-001.txt").write_text("größe, 猫, 🐈", encoding="utf-8-sig")

    assert scan(tmp_path).image_files[0].caption == "größe, 猫, 🐈"


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

    assert report.image_files[0].caption is None
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

    assert (report.num_captioned, report.image_files[0].caption) == (0, "")
    assert codes(report) == {"picture-001.txt": "empty_caption"}


def test_a_book_beside_a_picture_is_no_caption(tmp_path: Path) -> None:
    make_pictures(tmp_path, 1, captions="x" * 100_000)

    report = scan(tmp_path)

    assert report.image_files[0].caption is None
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

    assert [one.caption for one in report.image_files] == ["tags", "tags"]
    assert codes(report) == {"picture-001.caption": "mixed_caption_extensions"}


def test_the_ending_that_is_asked_for_goes_first(tmp_path: Path) -> None:
    make_pictures(tmp_path, 2, captions="tags")
    (tmp_path / "picture-001.cap").write_text("a sentence")

    report = scan(tmp_path, caption_extension=".cap")

    assert report.caption_extension == ".cap"
    assert [one.caption for one in report.image_files] == ["a sentence", "tags"]


def test_a_caption_named_after_the_whole_file_name_is_told(tmp_path: Path) -> None:
    make_pictures(tmp_path, 1, captions=False)
    (tmp_path / "picture-001.png.txt").write_text("tok")

    report = scan(tmp_path)

    assert report.image_files[0].caption is None
    assert codes(report) == {"picture-001.png.txt": "caption_name"}


def test_other_texts_are_no_captions(tmp_path: Path) -> None:
    make_pictures(tmp_path, 1)
    (tmp_path / "readme.txt").write_bytes(b"caf\xe9")

    report = scan(tmp_path)

    assert (report.extensions, report.problems) == ({".txt": 1}, ())


def test_a_caption_that_is_a_link_to_what_may_be_a_secret_is_told_and_not_read(tmp_path: Path) -> None:
    make_pictures(tmp_path / "set", 1, captions=False)
    secret = tmp_path / "key.txt"
    secret.write_text("hunter2")
    (tmp_path / "set" / "picture-001.txt").symlink_to(secret)

    report = scan(tmp_path / "set")

    assert report.image_files[0].caption is None
    assert codes(report) == {"picture-001.txt": "unreadable_caption"}
    assert f"it is a link to {secret}" in report.problems[0].message


@pytest.mark.parametrize("links_picture", [True, False])
def test_a_caption_that_is_a_link_to_its_pictures_folder_is_read(tmp_path: Path, links_picture: bool) -> None:
    library, folder = tmp_path / "library", tmp_path / "set"
    (picture,) = make_pictures(library if links_picture else folder, 1, captions=False)
    folder.mkdir(exist_ok=True)
    words = picture.with_name("picture-001.txt" if links_picture else "words.txt")
    words.write_text("mia, smile")
    (folder / "picture-001.txt").symlink_to(words)
    if links_picture:
        (folder / "picture-001.png").symlink_to(picture)

    report = scan(folder)

    assert report.image_files[0].caption == "mia, smile"
    assert not report.problems


@pytest.mark.parametrize("name", [".netrc", "key.txt", "face.txt.bak"])
def test_a_secret_that_lies_beside_a_linked_picture_is_not_read(tmp_path: Path, name: str) -> None:
    (avatar,) = make_pictures(tmp_path / "home", 1, captions=False)
    (tmp_path / "set").mkdir()
    (tmp_path / "home" / name).write_text("hunter2")
    (tmp_path / "set" / "face.png").symlink_to(avatar)
    (tmp_path / "set" / "face.txt").symlink_to(tmp_path / "home" / name)

    report = scan(tmp_path / "set")

    assert report.image_files[0].caption is None
    assert codes(report) == {"face.txt": "unreadable_caption"}
