"""Edits of pictures that are offered for findings, and that the findings are gone with them."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from PIL import Image, ImageDraw

from advisor.dataset.doctor.examine import examine
from advisor.dataset.doctor.folder_facts import FolderFacts
from advisor.dataset.doctor.mends import Mend, picture_mends
from advisor.dataset.edits import Edits
from tests.support.hostile_pictures import clean_folder
from tests.support.measured import folder_facts
from tests.support.pictures import scene


@pytest.fixture
def messy(tmp_path: Path) -> FolderFacts:
    """Sixteen clean pictures beside a broken one, copies, bars and a Japanese caption."""
    folder = clean_folder(tmp_path / "pictures", 16)
    (folder / "half.png").write_bytes((folder / "clean-009.png").read_bytes()[:4000])
    (folder / "twin.png").write_bytes((folder / "clean-000.png").read_bytes())
    with Image.open(folder / "clean-001.png") as image:
        image.resize((700, 700)).save(folder / "larger.jpg", quality=90)
    film = Image.new("RGB", (512, 512))
    film.paste(scene(77, (512, 400)), (0, 56))
    film.save(folder / "film.png")
    phone = scene(78, (512, 512))
    pen = ImageDraw.Draw(phone)
    pen.rectangle((0, 0, 512, 44), fill="white")
    pen.text((16, 12), "9:41   Gallery   5G   80%", fill="black", font_size=20)
    phone.save(folder / "phone.png")
    for name, size in (("tall.png", (256, 1024)), ("wide.png", (1024, 256))):
        strip = Image.new("RGB", size, "white")
        strip.paste(scene(80, (200, 200)), (28, 700) if name == "tall.png" else (760, 28))
        strip.save(folder / name)
    scene(79, (512, 512)).save(folder / "japanese.png")
    (folder / "japanese.txt").write_bytes("ミア、黒髪、笑顔".encode("shift_jis"))
    return folder_facts(folder, trigger="mia")


def offered(facts: FolderFacts) -> tuple[Mend, ...]:
    return tuple(mend for mend in picture_mends(facts, examine(facts)) if mend.edits)


def paths(mend: Mend) -> set[str]:
    return {Path(edit.path).name for edit in mend.edits}


def test_what_is_offered(messy: FolderFacts) -> None:
    broken, copies, alike, bars, strips, captions = offered(messy)

    assert (broken.title, paths(broken)) == ("Leave out 1 picture that cannot be decoded (half.png)", {"half.png"})
    assert (copies.title, paths(copies)) == ("Leave out 1 copy (twin.png)", {"twin.png"})
    assert copies.edits[0].excluded == "the same picture as clean-000.png"
    assert alike.title == "Leave out 1 picture that others show as well or larger (clean-001.png)"
    assert alike.edits[0].excluded == "it shows the same as larger.jpg"
    assert bars.title == "Crop the bars off 2 pictures (film.png, phone.png)"
    assert {Path(edit.path).name: edit.crop for edit in bars.edits}["film.png"] == (0, 56, 512, 456)
    assert strips.title == "Crop 2 long pictures to the part where most is drawn (tall.png, wide.png)"
    for edit in strips.edits:
        assert edit.crop is not None
        left, top, right, bottom = edit.crop
        assert sorted((right - left, bottom - top)) == [256, 512]
        # The scene lies whole within it.
        assert (top <= 700 and bottom >= 900) if edit.path.endswith("tall.png") else (left <= 760 and right >= 960)
    assert captions.title == "Read the captions of 1 picture as Shift-JIS (Japanese)"
    assert captions.edits[0].caption == "ミア、黒髪、笑顔"


def test_what_was_mended_is_found_no_more_and_offered_no_more(messy: FolderFacts) -> None:
    mends = offered(messy)
    codes = {"unreadable", "truncated", "duplicate", "near_duplicates", "border", "screenshot", "caption_encoding"}
    codes.add("extreme_ratio")
    assert {finding.code for finding in examine(messy)} & codes == codes - {"unreadable"}

    report = Edits.of(edit for mend in mends for edit in mend.edits).applied(messy.report)
    mended = replace(messy, report=report)

    assert not {finding.code for finding in examine(mended)} & codes
    assert offered(mended) == ()


def test_a_clean_folder_is_offered_nothing(tmp_path: Path) -> None:
    assert offered(folder_facts(clean_folder(tmp_path / "clean", 12))) == ()
