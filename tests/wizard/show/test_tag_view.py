from __future__ import annotations

from advisor.dataset.report import DatasetReport, Folder, ImageFile
from advisor.tagging.choose_tags import ChosenTag
from advisor.tagging.tagged import Tagged, TaggedPicture
from wizard.show.tag_view import document, preview

HAT = ChosenTag("hat", "general", 0.87654)


def found(count: int, before: str | None = None, caption: str = "tok, hat") -> Tagged:
    images = tuple(ImageFile(f"{index}.png", 64, 64, 0, before) for index in range(count))
    report = DatasetReport("/p", images, (Folder(".", count),))
    return Tagged(report, tuple(TaggedPicture(image, (HAT,), caption) for image in images), {})


def test_the_first_captions_are_shown_and_how_many_more_there_are() -> None:
    lines = preview(found(7)).splitlines()

    assert lines[0] == "0.png: tok, hat"
    assert lines[5] == "... and 2 more pictures"
    assert len(lines) == 6


def test_what_a_caption_was_stands_over_what_it_becomes() -> None:
    assert preview(found(1, "a cap\nof red")).splitlines() == ["0.png:", "  - a cap / of red", "  + tok, hat"]


def test_tags_in_nearly_all_pictures_are_told() -> None:
    assert "In nearly all: hat. What belongs to the character" in preview(found(9))


def test_where_nothing_changes_that_is_said() -> None:
    assert preview(found(1, "tok, hat")) == "No caption changes."


def test_the_document_has_each_picture_with_its_tags() -> None:
    assert document(found(1), "/m.onnx", "", 0, None) == {
        "model": "/m.onnx",
        "provider": None,
        "num_computed": 0,
        "pictures": [
            {
                "path": "0.png",
                "before": None,
                "caption": "tok, hat",
                "tags": [{"tag": "hat", "kind": "general", "confidence": 0.8765}],
            }
        ],
        "unreadable": [],
        "in_nearly_all": [],
        "change": None,
    }
