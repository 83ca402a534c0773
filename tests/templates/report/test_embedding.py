from __future__ import annotations

import os
from base64 import b64decode
from io import BytesIO
from pathlib import Path

import pytest
from PIL import Image

from advisor.run_folder.layout import RunFolder
from templates.report.embedding import MOST_BYTES, MOST_PAGE_BYTES, Embedded, embedded
from templates.report.page import write_report
from tests.support.report_runs import write_grid, write_trained_run


def noise(side: int = 512) -> Image.Image:
    return Image.frombytes("RGB", (side, side), os.urandom(3 * side * side))


def opened(picture: Embedded) -> Image.Image:
    head, _, content = picture.url.partition(",")
    assert head in ("data:image/webp;base64", "data:image/jpeg;base64")
    return Image.open(BytesIO(b64decode(content))).convert("RGB")


def test_small_pictures_are_kept_to_the_pixel(tmp_path: Path) -> None:
    image = noise(64)
    image.save(tmp_path / "a.png")

    found = embedded([tmp_path / "a.png"])[tmp_path / "a.png"]

    assert (found.width_px, found.height_px) == (64, 64)
    assert opened(found).tobytes() == image.tobytes()


def test_large_pictures_are_shrunk_to_what_a_screen_shows(tmp_path: Path) -> None:
    Image.new("RGB", (2048, 1024), "red").save(tmp_path / "a.png")

    found = embedded([tmp_path / "a.png"])[tmp_path / "a.png"]

    assert opened(found).size == (found.width_px, found.height_px) == (1024, 512)


def test_what_is_transparent_is_white(tmp_path: Path) -> None:
    Image.new("RGBA", (8, 8), (0, 0, 0, 0)).save(tmp_path / "a.png")

    assert opened(embedded([tmp_path / "a.png"])[tmp_path / "a.png"]).getpixel((4, 4)) == (255, 255, 255)


@pytest.mark.parametrize(
    "content", [b"", b"\x89PNG\r\n\x1a\n", b"<svg onload='alert(1)'/>", b"%!PS-Adobe-3.0 EPSF-3.0"]
)
def test_what_is_no_picture_is_left_out_and_the_others_stay(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "bad.png").write_bytes(content)
    noise(8).save(tmp_path / "good.png")
    paths = [tmp_path / "bad.png", tmp_path / "gone.png", tmp_path / "good.png"]

    assert set(embedded(paths)) == {tmp_path / "good.png"}


def test_a_picture_that_would_fill_the_memory_is_left_out(tmp_path: Path) -> None:
    Image.new("1", (5000, 5000)).save(tmp_path / "a.png")

    assert embedded([tmp_path / "a.png"]) == {}


def test_all_pictures_together_stay_below_the_bound(tmp_path: Path) -> None:
    paths = [tmp_path / f"{number}.png" for number in range(12)]
    for path in paths:
        noise(512).save(path)

    found = embedded(paths, 200_000)

    assert len(found) == 12
    assert sum(len(b64decode(one.url.partition(",")[2])) for one in found.values()) <= 200_000


def test_where_even_the_smallest_are_too_many_the_first_stay(tmp_path: Path) -> None:
    paths = [tmp_path / f"{number}.png" for number in range(4)]
    for path in paths:
        noise(256).save(path)

    assert 0 < len(embedded(paths, 12_000)) < 4


def test_a_page_of_400_pictures_of_noise_can_be_sent(tmp_path: Path) -> None:
    """Noise compresses worst."""
    run, file = write_trained_run(tmp_path), BytesIO()
    noise(512).save(file, "PNG", compress_level=0)
    prompts, seeds = tuple(f"prompt {number}" for number in range(5)), tuple(range(8))
    write_grid(run, epochs=9, prompts=prompts, seeds=seeds)
    pictures = list((run / "grid" / "pictures").iterdir())
    for path in pictures:
        path.write_bytes(file.getvalue())

    page = write_report(RunFolder(run))

    assert len(pictures) == 400
    assert MOST_BYTES / 4 < page.stat().st_size < MOST_PAGE_BYTES
    assert page.read_text("utf-8").count("<img") == 240
