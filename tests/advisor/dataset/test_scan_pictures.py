from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from advisor.dataset.scan import scan
from advisor.dataset.transparency import TransparencyCheck
from tests.support.pictures import draw_picture, make_pictures
from tests.support.scans import codes


@pytest.mark.parametrize("extension", [".png", ".jpg", ".JPEG", ".webp", ".bmp", ".avif"])
def test_each_format_is_measured(tmp_path: Path, extension: str) -> None:
    draw_picture(tmp_path / f"a{extension}", (320, 192))

    picture = scan(tmp_path).image_files[0]

    assert (picture.width_px, picture.height_px) == (320, 192)


@pytest.mark.parametrize("options", [{"lossless": True}, {"quality": 40}, {"quality": 40, "icc_profile": b"x" * 128}])
def test_each_kind_of_webp_is_measured(tmp_path: Path, options: dict[str, Any]) -> None:
    mode = "RGBA" if "icc_profile" in options else "RGB"
    Image.new(mode, (321, 193), 90).save(tmp_path / "a.webp", **options)

    picture = scan(tmp_path).image_files[0]

    assert (picture.width_px, picture.height_px) == (321, 193)


@pytest.mark.parametrize("extension", [".png", ".jpg", ".webp", ".avif"])
@pytest.mark.parametrize(("orientation", "size"), [(1, (320, 192)), (3, (320, 192)), (6, (192, 320)), (8, (192, 320))])
def test_a_cameras_orientation_is_taken_into_account(
    tmp_path: Path, extension: str, orientation: int, size: tuple[int, int]
) -> None:
    draw_picture(tmp_path / f"a{extension}", (320, 192), orientation=orientation)

    picture = scan(tmp_path).image_files[0]

    assert (picture.width_px, picture.height_px) == size


def test_a_pngs_orientation_may_stand_after_its_pixels(tmp_path: Path) -> None:
    path = draw_picture(tmp_path / "a.png", (320, 192), orientation=6)
    content = path.read_bytes()
    start = content.index(b"eXIf") - 4
    end = start + 12 + int.from_bytes(content[start : start + 4], "big")
    path.write_bytes(content[:start] + content[end:-12] + content[start:end] + content[-12:])

    picture = scan(tmp_path).image_files[0]

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

    assert scan(tmp_path).image_files[0].width_px == 10_000


def test_two_pictures_of_one_name_share_a_caption_and_are_told(tmp_path: Path) -> None:
    draw_picture(tmp_path / "a.jpg", (64, 64))
    draw_picture(tmp_path / "a.png", (64, 64))
    (tmp_path / "a.txt").write_text("tok")

    report = scan(tmp_path)

    assert [one.caption for one in report.image_files] == ["tok", "tok"]
    assert codes(report) == {"a.png": "duplicate_name"}


def see_through(size: tuple[int, int], corner: int) -> Image.Image:
    """A picture with an alpha channel, opaque but for its first pixel."""
    picture = Image.new("RGBA", size, (90, 90, 90, 255))
    picture.putpixel((0, 0), (0, 0, 0, corner))
    return picture


@pytest.mark.parametrize("name", ["a.png", "a.webp", "a.avif"])
@pytest.mark.parametrize("corner", [0, 255])
def test_a_picture_is_transparent_where_it_is_and_not_because_it_could_be(
    tmp_path: Path, name: str, corner: int
) -> None:
    options = {} if name == "a.png" else {"lossless": True} if name == "a.webp" else {"quality": 100}
    see_through((64, 64), corner).save(tmp_path / name, **options)

    assert scan(tmp_path).image_files[0].transparent is (corner == 0)


def test_a_palette_may_be_transparent(tmp_path: Path) -> None:
    Image.new("P", (64, 64), 0).save(tmp_path / "a.png", transparency=0)

    assert scan(tmp_path).image_files[0].transparent


def test_only_so_many_pixels_are_looked_through(tmp_path: Path) -> None:
    see_through((64, 64), 0).save(tmp_path / "a.png")
    check = TransparencyCheck(left=64 * 64)

    assert check.look(tmp_path / "a.png", 64 * 64)
    assert not check.look(tmp_path / "a.png", 64 * 64)


@pytest.mark.parametrize("name", ["a.png", "a.webp"])
def test_several_frames_are_told(tmp_path: Path, name: str) -> None:
    frames = [Image.new("RGB", (64, 64), shade) for shade in ("red", "blue")]
    frames[0].save(tmp_path / name, save_all=True, append_images=frames[1:])
    frames[0].save(tmp_path / f"still-{name}")

    found = {image.path: image.animated for image in scan(tmp_path).image_files}

    assert found == {name: True, f"still-{name}": False}
