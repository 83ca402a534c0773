"""Edits laid over what a folder holds."""

from __future__ import annotations

from dataclasses import replace

import pytest

from advisor.dataset.edits import Edits, PictureEdit
from advisor.dataset.report import DatasetReport, Folder, ImageFile, Problem

REPORT = DatasetReport(
    root="/pictures",
    image_files=(
        ImageFile("a.png", 800, 600, 0, "mia, smile"),
        ImageFile("b.png", 640, 640, 0),
        ImageFile("far/c.png", 100, 50, 1, ""),
    ),
    folders=(Folder(".", 2), Folder("far", 1, 3)),
)
A, B, C = "/pictures/a.png", "/pictures/b.png", "/pictures/far/c.png"


def test_no_edits_leave_the_report_as_it_is() -> None:
    assert Edits().applied(REPORT) is REPORT


def test_a_caption_of_the_edits_stands_in_place_of_the_files() -> None:
    found = Edits.of([PictureEdit(A, caption=""), PictureEdit(B, caption="mia, from behind")]).applied(REPORT)

    assert [image.caption for image in found.image_files] == ["", "mia, from behind", ""]


def test_excluded_pictures_are_left_out_and_told_with_the_reason() -> None:
    found = Edits.of([PictureEdit(C, excluded="too small")]).applied(REPORT)

    assert [image.path for image in found.image_files] == ["a.png", "b.png"]
    assert [(one.image.path, one.reason) for one in found.excluded] == [("far/c.png", "too small")]
    assert [folder.num_images for folder in found.folders] == [2, 0]
    assert found.num_images == 2


@pytest.mark.parametrize(
    ("edit", "codes"),
    [
        (PictureEdit(A, caption="mira, smile"), ["caption_encoding", "unreadable_picture"]),
        (PictureEdit(A, excluded="a copy"), ["caption_encoding", "unreadable_picture"]),
        (PictureEdit(C, caption="mira"), ["caption_encoding", "caption_encoding", "unreadable_picture"]),
    ],
)
def test_a_caption_file_that_is_no_good_is_no_problem_where_it_is_not_read(edit: PictureEdit, codes: list[str]) -> None:
    problems = [
        Problem("a.txt", "caption_encoding", "no UTF-8"), Problem("b.png.txt", "caption_encoding", "no UTF-8"),
        Problem("notpic.png", "unreadable_picture", "no picture"),
    ]  # fmt: skip
    report = replace(REPORT, problems=tuple(problems))

    assert [problem.code for problem in Edits.of([edit]).applied(report).problems] == codes


def test_an_empty_reason_takes_an_excluded_picture_in_again() -> None:
    edits = Edits.of([PictureEdit(C, excluded="too small"), PictureEdit(C, excluded="")])

    assert edits.applied(REPORT).num_images == 3
    assert not edits.applied(REPORT).excluded


def test_a_crop_gives_the_picture_the_crops_size() -> None:
    found = Edits.of([PictureEdit(A, crop=(100, 0, 700, 600))]).applied(REPORT).image_files[0]

    assert (found.width_px, found.height_px) == (600, 600)
    assert found.crop is not None
    assert (found.crop.box, found.crop.whole) == ((100, 0, 700, 600), (800, 600))


def test_a_crop_of_the_whole_picture_is_none() -> None:
    edits = Edits.of([PictureEdit(A, crop=(100, 0, 700, 600)), PictureEdit(A, crop=(0, 0, 800, 600))])

    assert edits.applied(REPORT).image_files[0] == REPORT.image_files[0]


def test_a_crop_that_reaches_out_of_its_picture_or_is_a_sliver_is_not_used_and_told() -> None:
    for box in ((0, 0, 801, 600), (-1, 0, 700, 600), (0, 0, 31, 600), (0, 0, 600, 31), (700, 0, 100, 600)):
        found = Edits.of([PictureEdit(A, crop=box)]).applied(REPORT)

        assert found.image_files == REPORT.image_files
        assert [(one.path, one.code) for one in found.problems] == [("a.png", "crop_outside")]
        assert "800 x 600" in found.problems[0].message


def test_later_edits_of_a_picture_change_what_they_decide_and_nothing_else() -> None:
    edits = Edits.of(
        [
            PictureEdit(A, caption="one", replaced="from file", crop=(0, 0, 100, 100)),
            PictureEdit(B, excluded="no"),
            PictureEdit(A, excluded="blurred"),
            PictureEdit(A, caption="two", replaced="file then"),
        ]
    )

    assert edits.get(A) == PictureEdit(A, "two", "blurred", (0, 0, 100, 100), "file then")
    assert list(edits.by_path) == [B, A]


def test_the_pictures_of_a_named_folder_elsewhere_are_edited_by_their_own_paths() -> None:
    report = DatasetReport("/pictures", (ImageFile("/elsewhere/d.png", 64, 64, 0),), (Folder("/elsewhere", 1),))

    assert report.path_of(report.image_files[0]) == "/elsewhere/d.png"
    assert Edits.of([PictureEdit("/elsewhere/d.png", caption="x")]).applied(report).image_files[0].caption == "x"


def test_of_two_pictures_that_get_one_name_the_later_edit_counts() -> None:
    first, second = PictureEdit("/a", caption="one", excluded="blurred"), PictureEdit("/b", caption="two")

    for edits, moves in (((first, second), [("/a", "/c"), ("/b", "/c")]), ((first, second), [("/a", "/b")])):
        (left,) = Edits.of(edits).moved(moves).by_path.values()
        assert (left.caption, left.excluded) == ("two", "blurred")


def test_pictures_change_names_all_at_once() -> None:
    edits = Edits.of([PictureEdit("/a", caption="a"), PictureEdit("/b", caption="b")])

    edits = edits.moved([("/a", "/b"), ("/b", "/a")])

    assert [(edit.path, edit.caption) for edit in edits.by_path.values()] == [("/b", "a"), ("/a", "b")]
