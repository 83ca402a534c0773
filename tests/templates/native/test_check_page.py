"""The data-set doctor's page."""

from __future__ import annotations

import re

import pytest

from advisor.dataset.buckets import Placement
from advisor.dataset.doctor.finding import Finding
from advisor.dataset.doctor.folder_facts import FolderFacts
from advisor.dataset.report import DatasetReport, Folder, ImageFile
from templates.native import check_page as module
from templates.native.check_page import check_page, crop_style, shown_pictures

EVIL = '"><script>alert(1)</script>\u202e.png'


def facts(*images: ImageFile) -> FolderFacts:
    return FolderFacts(DatasetReport("/pictures/mia", images, (Folder(".", len(images)),)))


def picture(path: str, width: int = 512, height: int = 512, caption: str | None = "mia, smile") -> ImageFile:
    return ImageFile(path, width, height, 0, caption)


def test_strangers_names_and_captions_are_inert() -> None:
    finding = Finding("blurred", "warning", (EVIL,), f"{EVIL} is blurred", EVIL)

    page = check_page(facts(picture(EVIL, caption=EVIL)), [finding], {EVIL: "AAAA"})

    assert "<script" not in page
    assert "\u202e" not in page
    assert "default-src 'none'; img-src data:; style-src 'unsafe-inline'" in page
    assert set(re.findall(r'(?:src|href)="(\w+:|#)', page)) == {"data:", "#"}


def test_pictures_stand_by_bucket_with_their_crop_and_what_was_found() -> None:
    finding = Finding("blurred", "warning", ("b.png",), "blurred", "mend")
    waived = Finding("border", "warning", ("a.png",), "bars", "cut", waived=True)
    images = (picture("a.png"), picture("b.png", 600, 460), picture("c.png", 512, 512))

    page = check_page(facts(*images), [finding, waived], {"a.png": "AAAA", "b.png": "BBBB"})

    assert page.index("512 x 512: 2 pictures") < page.index("576 x 448: 1 picture")
    assert '<figure id="picture-1" class=flagged>' in page
    assert '<a href="#picture-1">b.png</a>' in page
    assert 'class="crop" style="left:' in page
    assert page.count("<img ") == 2
    assert 'class="finding warning waived"' in page
    assert "mia" in page
    assert '<span class="bar" style="width: 100.0%"></span><span>3</span>' in page


def test_a_clean_set_has_nothing_to_mend() -> None:
    assert "<p>Nothing to mend.</p>" in check_page(facts(picture("a.png")), [], {})


@pytest.mark.parametrize(
    ("scaled", "expected"),
    [((512, 512), ""), ((640, 512), "left:10.00%;top:0.00%;width:80.00%;height:100.00%")],
)
def test_the_crop_is_the_middle(scaled: tuple[int, int], expected: str) -> None:
    assert crop_style(Placement((512, 512), scaled)) == expected


def test_of_many_pictures_the_flagged_ones_are_shown_first(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MOST_PICTURES", 2)
    finding = Finding("blurred", "warning", ("3.png",), "blurred", "mend")
    many = facts(*(picture(f"{index}.png") for index in range(5)))

    assert shown_pictures(many, [finding]) == ["0.png", "3.png"]
    assert "3 pictures more, without findings, not shown." in check_page(many, [finding], {})
