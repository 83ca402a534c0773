"""Which images a training takes off the disk."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from advisor.settings.config import parse_config
from tests.support.pictures import make_pictures
from tests.support.runs import events_of
from trainer.data.load import gather_images
from trainer.data.training_set import TrainingSet
from trainer.runtime.events import Events


def gathered(home: Path, **dataset: Any) -> TrainingSet:
    config = parse_config(
        {
            "model": {"path": "/m", "family": "sd1"},
            "dataset": {"images": str(home), **dataset},
            "saving": {"name": "mira"},
            "run": {"trigger": "mira"},
        }
    )
    (home / "run").mkdir()
    with Events(home / "run") as events:
        return gather_images(config, home / "run", events, progress=lambda _: lambda *_: None)


def test_only_named_folders_are_trained_with_their_repeats_and_captions(tmp_path: Path) -> None:
    make_pictures(tmp_path / "girl", 3, captions=False)
    make_pictures(tmp_path / "girl" / "sketches", 4)
    make_pictures(tmp_path / "class", 15)

    found = gathered(
        tmp_path,
        only_folders=True,
        folders=[{"path": "girl", "repeats": 7, "subfolders": False, "caption": "mira girl"}],
    )

    assert [(item.folder, item.repeats, item.caption) for item in found.items] == [("girl", 7, "mira girl")] * 3


def test_pictures_that_the_plan_knew_and_that_are_gone_are_told(tmp_path: Path) -> None:
    make_pictures(tmp_path / "images", 3)
    run = tmp_path / "run"
    run.mkdir()
    plan = {"dataset": {"root": str(tmp_path / "images"), "images": ["picture-001.png", "b.png", "c.png"]}}
    (run / "plan.json").write_text(json.dumps(plan), "utf-8")
    config = parse_config(
        {
            "model": {"path": "/m", "family": "sd1"},
            "dataset": {"images": str(tmp_path / "images")},
            "saving": {"name": "mira"},
        }
    )

    with Events(run) as events:
        gather_images(config, run, events, progress=lambda _: lambda *_: None)

    told = {event["code"]: event["message"] for event in events_of(run, "warning")}
    assert "2 pictures of the plan gone since (b.png, c.png)" in told["pictures_gone"]


def test_a_renamed_picture_is_not_told_as_gone_however_often_it_is_trained(tmp_path: Path) -> None:
    images, run = tmp_path / "images", tmp_path / "run"
    make_pictures(images, 3)
    run.mkdir()
    names = ["picture-001.png", "picture-002.png", "picture-003.png"]
    (run / "plan.json").write_text(json.dumps({"dataset": {"root": str(images), "images": names}}), "utf-8")
    config = parse_config(
        {"model": {"path": "/m", "family": "sd1"}, "dataset": {"images": str(images)}, "saving": {"name": "mira"}}
    )
    told = list[str]()
    for before, after in (("a", "a"), ("picture-002", "b"), ("b", "c"), ("d", "d")):
        for path in images.glob(f"{before}.*"):
            path.rename(path.with_stem(after))
        with Events(run) as events:
            gather_images(config, run, events, progress=lambda _: lambda *_: None)
        told = [event["code"] for event in events_of(run, "warning")]

    assert "pictures_gone" not in told
    lines = [json.loads(line) for line in (run / "images/manifest.jsonl").read_text("utf-8").splitlines()]
    known = {Path(line["path"]).name: Path(line["planned_path"]).name for line in lines if "planned_path" in line}
    assert known == {"c.png": "picture-002.png"}


def test_class_pictures_come_from_the_folders_named_for_them(tmp_path: Path) -> None:
    make_pictures(tmp_path / "girl", 1)
    make_pictures(tmp_path / "class" / "woman", 2, captions=False)
    make_pictures(tmp_path / "class" / "other", 5)

    found = gathered(
        tmp_path,
        only_folders=True,
        folders=[{"path": "girl", "repeats": 4}],
        regularization_images=str(tmp_path / "class"),
        regularization_folders=[{"path": "woman", "repeats": 2, "caption": "a woman"}],
    )

    regular = found.used_for("regularization")
    assert [(item.folder, item.repeats, item.caption) for item in regular] == [("woman", 2, "a woman")] * 2
