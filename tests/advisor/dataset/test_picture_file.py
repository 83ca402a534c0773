from __future__ import annotations

import ast
import io
import struct
import zlib
from pathlib import Path

import pytest
from PIL import Image, UnidentifiedImageError

import advisor
from advisor.dataset.doctor.measure import measure
from advisor.dataset.image_size import UnusablePicture, picture_head
from advisor.dataset.picture_file import FORMATS, TooManyPixels, opened_picture
from advisor.dataset.picture_limits import UnsafePicture
from advisor.files import UnfitFile
from tests.support.special_files import KINDS, on_posix, special_file

HOUSE = Path(advisor.__file__).parent.parent
EPS = b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 64 64\n%%EndComments\nshowpage\n%%EOF\n"


def png_chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">L", len(data)) + kind + data + struct.pack(">L", zlib.crc32(kind + data))


def chunks_of(content: bytes, kind: bytes) -> list[bytes]:
    """The data of the chunks of a kind in a PNG."""
    found, at = [], 8
    while at < len(content):
        length = int.from_bytes(content[at : at + 4], "big")
        if content[at + 4 : at + 8] == kind:
            found.append(content[at + 8 : at + 8 + length])
        at += length + 12
    return found


def png_of(width: int, height: int) -> bytes:
    """A PNG that only claims its size."""

    head = struct.pack(">2L5B", width, height, 8, 2, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n"
        + png_chunk(b"IHDR", head)
        + png_chunk(b"IDAT", zlib.compress(b""))
        + png_chunk(b"IEND", b"")
    )


@pytest.mark.parametrize("form", FORMATS)
def test_each_format_that_is_taken_is_opened_whatever_the_name(tmp_path: Path, form: str) -> None:
    Image.new("RGB", (40, 50)).save(tmp_path / "a.x", form)

    with opened_picture(tmp_path / "a.x") as image:
        assert (image.size, image.format) == ((40, 50), form)


@pytest.mark.parametrize("form", ["GIF", "TIFF", "PPM", "ICO", "TGA", "PDF", "PSD", "EPS"])
def test_no_other_format_is_opened_under_a_name_of_ours(
    tmp_path: Path, form: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An EPS under the name of a mask started Ghostscript."""
    monkeypatch.setattr("PIL.EpsImagePlugin.Ghostscript", lambda *_, **__: pytest.fail("Ghostscript was started"))
    made = io.BytesIO(EPS if form in ("EPS", "PSD") else b"")
    if not made.getvalue():
        Image.new("RGB", (64, 64)).save(made, form)
    (tmp_path / "a.png").write_bytes(made.getvalue())

    with (
        pytest.raises(UnidentifiedImageError, match="none of PNG, JPEG, WebP, BMP and AVIF"),
        opened_picture(tmp_path / "a.png"),
    ):
        pytest.fail("it was opened")
    with pytest.raises(UnusablePicture):
        picture_head(tmp_path / "a.png")


def webp_of(width: int, height: int) -> bytes:
    sides = (width - 1).to_bytes(3, "little") + (height - 1).to_bytes(3, "little")
    return b"RIFF\x16\0\0\0WEBPVP8X\x0a\0\0\0\0\0\0\0" + sides


@pytest.mark.parametrize("content", [png_of(20_000, 10_000), png_of(2**31 - 1, 2**31 - 1)])
def test_a_picture_of_too_many_pixels_is_not_opened(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "a.png").write_bytes(content)

    with pytest.raises(TooManyPixels, match="shrink it below 178 megapixels"), opened_picture(tmp_path / "a.png"):
        pytest.fail("it was opened")


@pytest.mark.parametrize("content", [png_of(20_000, 10_000), webp_of(2**24, 2**24)])
def test_its_size_is_a_problem_and_no_size(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "a.png").write_bytes(content)

    with pytest.raises(UnusablePicture, match="too large to be opened safely") as error:
        picture_head(tmp_path / "a.png")
    assert error.value.code == "huge_picture"


def test_a_file_of_more_bytes_than_any_picture_is_not_read(tmp_path: Path) -> None:
    with (tmp_path / "a.webp").open("wb") as file:
        file.write(webp_of(64, 64))
        file.truncate(2**40)

    assert_refused(tmp_path / "a.webp", "more than 805,306,368 bytes")


def test_neither_is_one_that_pillow_would_read_whole_for_its_size_alone(tmp_path: Path) -> None:
    flags = b"\x08\0\0\0"
    size = (63).to_bytes(3, "little")
    with (tmp_path / "a.webp").open("wb") as file:
        file.write(b"RIFF" + struct.pack("<L", 2**32 - 2) + b"WEBPVP8X" + struct.pack("<L", 10) + flags + 2 * size)
        file.truncate(2**40)

    assert_refused(tmp_path / "a.webp", "more than 805,306,368 bytes")


def assert_refused(path: Path, why: str) -> None:
    """Whoever looks at it, and whoever decodes it, is told why."""
    with pytest.raises(UnusablePicture, match=why) as error:
        picture_head(path)
    assert error.value.code == "huge_picture"
    with pytest.raises(UnsafePicture, match=why), opened_picture(path):
        pytest.fail("it was opened")
    assert why in measure(path).why


@pytest.mark.parametrize("name", [b"prVt", b"tEXt"])
def test_a_png_of_endless_chunks_is_refused(tmp_path: Path, name: bytes) -> None:
    content, chunk = png_of(64, 64), b"\0\0\0\0" + name + struct.pack(">L", zlib.crc32(name))
    (tmp_path / "a.png").write_bytes(content[:33] + 10_001 * chunk + content[33:])

    assert_refused(tmp_path / "a.png", "10,000 chunks without pixels")


def test_so_is_one_whose_chunks_stand_behind_its_pixels_once_it_is_decoded(tmp_path: Path) -> None:
    content, chunk = png_of(64, 64), b"\0\0\0\0prVt" + struct.pack(">L", zlib.crc32(b"prVt"))
    (tmp_path / "a.png").write_bytes(content[:-12] + 10_001 * chunk + content[-12:])

    with pytest.raises(UnsafePicture, match="10,000 chunks"), opened_picture(tmp_path / "a.png"):
        pytest.fail("it was opened")
    assert picture_head(tmp_path / "a.png").width_px == 64


def test_a_png_in_many_pieces_is_opened(tmp_path: Path) -> None:
    noise = Image.effect_noise((800, 800), 90)
    noise.save(tmp_path / "a.png", compress_level=0)
    whole = (tmp_path / "a.png").read_bytes()
    data = b"".join(chunks_of(whole, b"IDAT"))
    pieces = b"".join(png_chunk(b"IDAT", data[at : at + 50]) for at in range(0, len(data), 50))
    (tmp_path / "a.png").write_bytes(whole[:33] + pieces + whole[-12:])

    with opened_picture(tmp_path / "a.png") as image:
        assert image.tobytes() == noise.tobytes()


def progressive(scans: int) -> bytes:
    """A JPEG with so many empty scans more than it needs."""
    file = io.BytesIO()
    Image.new("RGB", (64, 64)).save(file, "JPEG", progressive=True)
    content = file.getvalue()
    last = content[content.rindex(b"\xff\xda") : -2]
    return content[:-2] + scans * last + b"\xff\xd9"


def test_a_progressive_jpeg_of_endless_scans_is_refused(tmp_path: Path) -> None:
    (tmp_path / "a.jpg").write_bytes(progressive(200))

    with pytest.raises(UnsafePicture, match="more than 200 scans"), opened_picture(tmp_path / "a.jpg"):
        pytest.fail("it was opened")
    assert "more than 200 scans" in measure(tmp_path / "a.jpg").why


def test_one_of_as_many_as_encoders_make_is_decoded_after_they_were_counted(tmp_path: Path) -> None:
    (tmp_path / "a.jpg").write_bytes(progressive(20))

    with opened_picture(tmp_path / "a.jpg") as image:
        assert image.getpixel((0, 0)) == (0, 0, 0)


@on_posix
@pytest.mark.parametrize("kind", KINDS)
def test_only_regular_files_are_opened(tmp_path: Path, kind: str) -> None:
    with special_file(tmp_path / "a.png", kind) as path:
        with pytest.raises(UnfitFile, match="no regular file"), opened_picture(path):
            pytest.fail("it was opened")
        with pytest.raises(UnusablePicture, match="no regular file"):
            picture_head(path)


def test_pillow_opens_pictures_in_one_place_only() -> None:
    """Left to itself it opens whatever a file's content is."""
    places = list[str]()
    for path in sorted(
        one for floor in ("advisor", "trainer", "templates", "wizard") for one in (HOUSE / floor).rglob("*.py")
    ):
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if isinstance(node, ast.Attribute) and node.attr == "open" and isinstance(node.value, ast.Name):
                places += [path.relative_to(HOUSE).as_posix()] * (node.value.id in ("Image", "ImageFile", "PIL"))
    assert places == ["advisor/dataset/picture_file.py"]
