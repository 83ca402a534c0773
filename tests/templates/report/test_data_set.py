from __future__ import annotations

from advisor.run_folder.pictures.manifest import ManifestLine
from advisor.run_folder.plan_outline import Bucket, Images
from templates.report.data_set import MOST_TAGS, data_set_view, tag_counts

PLANNED = Images(
    root="/pictures", num_images=30, num_captioned=28, num_with_trigger=27, captions_are_tags=True,
    buckets=(Bucket(width_px=512, height_px=640, exposures=40), Bucket(width_px=576, height_px=576, exposures=80)),
)  # fmt: skip


def line(caption: str, use: str = "training", repeats: int = 2) -> ManifestLine:
    return ManifestLine(path="a.png", bucket=(512, 512), repeats=repeats, caption=caption, use=use)


def test_a_plan_tells_numbers_captions_and_sizes() -> None:
    view = data_set_view(PLANNED, (), "mira")

    assert view is not None
    assert dict(view.facts) == {
        "pictures": "30", "with a caption": "28 of 30, as tags", "with the trigger": "27", "folder": "/pictures",
    }  # fmt: skip
    assert [(bar.name, bar.number) for bar in view.buckets] == [("576 \u00d7 576", 80), ("512 \u00d7 640", 40)]
    assert view.tags == ()


def test_a_trained_run_tells_its_tags_the_most_used_first() -> None:
    lines = (line("mira, smile"), line("Mira, hat"), line("smile, mira"), line("other", use="regularization"))

    view = data_set_view(PLANNED, lines, "mira")

    assert view is not None
    assert [(tag.name, tag.number, tag.is_trigger) for tag in view.tags] == [
        ("mira", 2, True), ("smile", 2, False), ("Mira", 1, True), ("hat", 1, False),
    ]  # fmt: skip
    assert dict(view.facts)["of the class beside them"] == "1"
    assert [(bar.name, bar.number) for bar in view.buckets] == [("512 \u00d7 512", 6)]


def test_sentences_have_no_tags() -> None:
    images = PLANNED.model_copy(update={"captions_are_tags": False})
    view = data_set_view(images, (line("a girl, who smiles"),), "mira")

    assert view is not None
    assert view.tags == ()


def test_of_many_tags_the_rest_is_counted() -> None:
    view = data_set_view(PLANNED, (line(", ".join(f"t{n}" for n in range(100))),), "")

    assert view is not None
    assert (len(view.tags), view.more_tags) == (MOST_TAGS, 100 - MOST_TAGS)


def test_a_tag_counts_once_a_caption_and_a_sentence_not_at_all() -> None:
    assert tag_counts(["a, a, b\nb, c", "a", "x" * 100]) == {"a": 2, "b": 1, "c": 1}


def test_nothing_known_is_no_view() -> None:
    assert data_set_view(None, (), "mira") is None
