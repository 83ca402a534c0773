"""The data-set doctor's page."""

from __future__ import annotations

import re
from dataclasses import replace

import pytest

from advisor.dataset.buckets import Placement
from advisor.dataset.doctor.finding import Finding
from advisor.dataset.doctor.folder_facts import FolderFacts
from advisor.dataset.placed import PlacedImage
from advisor.dataset.report import DatasetReport, ExcludedImage, Folder, ImageFile, PictureCrop
from templates.native import check_page as module
from templates.native.check_page import check_page, crop_style, shown_pictures, small_side_px

EVIL = '"><script>alert(1)</script>\u202e.png'


def facts(*images: ImageFile) -> FolderFacts:
    return FolderFacts(DatasetReport("/pictures/mia", images, (Folder(".", len(images)),)))


def picture(path: str, width: int = 512, height: int = 512, caption: str | None = "mia, smile") -> ImageFile:
    return ImageFile(path, width, height, 0, caption)


def test_strangers_names_and_captions_are_inert() -> None:
    finding = Finding("blurred", "warning", (EVIL,), f"{EVIL} is blurred", EVIL)
    more = Finding("border", "warning", ("b.png",), "bars", "cut")

    page = check_page(
        facts(picture(EVIL, caption=EVIL), picture("b.png")), [finding, more], {EVIL: "AAAA", "b.png": EVIL}
    )

    assert "<script" not in page
    assert "\u202e" not in page
    assert "default-src 'none'; img-src data:; style-src 'unsafe-inline'" in page
    assert set(re.findall(r'(?:src|href)="(\w+:|#)', page)) == {"#"}
    assert re.findall(r'url\("?([^)"]*)', page) == ["data:image/jpeg;base64,AAAA"]


def test_pictures_stand_by_bucket_with_their_crop_and_what_was_found() -> None:
    finding = Finding("blurred", "warning", ("b.png",), "blurred", "mend")
    waived = Finding("border", "warning", ("a.png",), "bars", "cut", waived=True)
    images = (picture("a.png"), picture("b.png", 600, 460), picture("c.png", 512, 512))

    page = check_page(facts(*images), [finding, waived], {"a.png": "AAAA", "b.png": "BBBB"})

    assert page.index("<h3>512 × 512</h3>") < page.index("<h3>576 × 448</h3>")
    assert '<figure id="picture-1" class="flagged warning">' in page
    assert '<a class="i1" href="#picture-1" title="b.png" aria-label="b.png"></a>' in page
    assert '<span class="chip warning">blurred</span>' in page
    assert 'class="crop" style="left:' in page
    assert "no picture" in page
    assert 'class="finding warning waived"' in page
    assert "only the 1 with findings" in page
    assert '<i style="width:100.0%"></i><span>mia' in page


def test_each_small_copy_is_in_the_page_once() -> None:
    findings = [Finding(code, "warning", ("a.png",), "x", "y") for code in ("blurred", "border", "too_small")]

    page = check_page(facts(picture("a.png")), findings, {"a.png": "QUJD"})

    assert page.count("QUJD") == 1
    assert page.count('href="#picture-0"') == 6


def test_findings_of_one_code_stand_together_and_many_are_folded() -> None:
    typos = [Finding("tag_typo", "warning", ("a.png",), f"typo {index}", "write it") for index in range(8)]

    page = check_page(facts(picture("a.png")), typos, {})

    assert page.count('<section class="finding') == 1
    assert "8 times" in page
    assert "<summary>3 more</summary>" in page
    assert page.count("write it") == 1


def test_tags_tell_what_fuses_and_what_is_misspelt() -> None:
    images = [picture(f"{index}.png", caption=f"mia, hat, glasses, place {index}") for index in range(9)]

    page = check_page(facts(*images, picture("9.png", caption="mia, hat, glases")), [], {})

    assert re.search(r'<li class="fused">.*?<span>hat<em>in nearly all</em>', page)
    assert re.search(r'<li class="typo">.*?<span>glases<em>glasses\?</em>', page)
    assert "<span>mia<em>the trigger</em>" in page


def test_pictures_that_the_user_left_out_are_named_with_the_reason() -> None:
    report = DatasetReport("/pictures/mia", (picture("a.png"),), (Folder(".", 1),))
    report = replace(report, excluded=(ExcludedImage(picture("b.png"), "it is broken"),))

    page = check_page(FolderFacts(report), [], {})

    assert '<span>b.png <span class="faint">it is broken</span></span>' in page


def test_a_clean_set_has_nothing_to_mend() -> None:
    assert '<p class="clean">Nothing to mend.</p>' in check_page(facts(picture("a.png")), [], {})


@pytest.mark.parametrize(
    ("image", "scaled", "expected"),
    [
        (picture("a.png"), (512, 512), ""),
        (picture("a.png", 640, 512), (640, 512), "left:10.00%;top:0.00%;width:80.00%;height:100.00%"),
        (
            replace(picture("a.png", 600, 600), crop=PictureCrop((100, 200, 700, 800), (1000, 1000))),
            (512, 512),
            "left:10.00%;top:20.00%;width:60.00%;height:60.00%",
        ),
    ],
)
def test_the_crop_is_the_middle_of_what_the_user_left(image: ImageFile, scaled: tuple[int, int], expected: str) -> None:
    assert crop_style(PlacedImage(image, Placement((512, 512), scaled))) == expected


def test_of_many_pictures_the_flagged_ones_are_shown_first(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MOST_PICTURES", 2)
    finding = Finding("blurred", "warning", ("3.png",), "blurred", "mend")
    many = facts(*(picture(f"{index}.png") for index in range(5)))

    assert shown_pictures(many, [finding]) == ["0.png", "3.png"]
    assert "3 pictures more, without findings, not shown." in check_page(many, [finding], {})


def test_the_more_pictures_the_smaller_are_their_copies() -> None:
    assert [small_side_px(number) for number in (1, 150, 151, 2000, 9999)] == [256, 256, 176, 104, 104]
