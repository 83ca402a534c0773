"""Which images the validation loss is measured on."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from PIL import ImageOps

from advisor.errors import ConfigError
from advisor.run_folder.layout import RunFolder
from advisor.settings.config import TrainingConfig, parse_config
from tests.support.pictures import SIZES, draw_picture, make_pictures, scene
from tests.support.runs import events_of
from tests.support.states import write_state_manifest
from trainer.data import held_out
from trainer.data.held_out import by_contents, by_groups, held_out_images
from trainer.data.image_files import content_digest
from trainer.data.load import gather_images
from trainer.runtime.events import Events

SINGLES = [[f"{index:03}"] for index in range(10)]


def validating(share: float = 0.2, *, seed: int = 42, **dataset: object) -> TrainingConfig:
    return parse_config(
        {
            "model": {"path": "/m", "family": "sd1"},
            "dataset": {"images": "/pictures", **dataset},
            "saving": {"name": "tok"},
            "validation": {"share": share},
            "run": {"trigger": "tok", "seed": seed},
        }
    )


def quietly(phase: str) -> Callable[[int, int], None]:
    return lambda done, total: None


def names_held_out(paths: list[Path], config: TrainingConfig, run: Path) -> list[str]:
    with Events(run) as events:
        return sorted(path.name for path in held_out_images(paths, config, run, events, progress=quietly))


def with_a_state(run: Path) -> Path:
    write_state_manifest(RunFolder(run).state_of_step(4), step=4, epoch=1)
    return run


def test_without_copies_the_same_images_are_held_out_as_by_contents_alone() -> None:
    contents = {Path(content): content for (content,) in SINGLES}

    for share in (0.01, 0.1, 0.34, 0.5, 0.99):
        assert by_groups(SINGLES, share, seed=7) == by_contents(contents, share, seed=7)


def test_the_seed_decides_and_the_order_does_not() -> None:
    assert by_groups(SINGLES, 0.3, seed=42) == by_groups(SINGLES[::-1], 0.3, seed=42)
    assert by_groups(SINGLES, 0.3, seed=42) != by_groups(SINGLES, 0.3, seed=1)


def test_a_group_is_held_out_as_a_whole_and_only_where_it_fits() -> None:
    burst = [f"burst-{index}" for index in range(5)]

    for seed in range(20):
        out = by_groups([burst, *SINGLES], 0.2, seed=seed)
        assert len(out) == 3
        assert not out & set(burst)


def test_where_no_group_fits_the_smallest_is_held_out() -> None:
    groups = [["a"] * 3, ["b"] * 2, ["c"] * 5]

    assert by_groups(groups, 0.1, seed=1) == {"b"}


def test_one_image_at_least_is_held_out_and_one_is_trained() -> None:
    assert len(by_groups(SINGLES[:5], 0.01, seed=3)) == 1
    assert len(by_groups(SINGLES[:5], 0.99, seed=3)) == 4
    with pytest.raises(ConfigError, match=r"validation\.share is 0\.5: all pictures show the same, and one is needed"):
        by_groups([["a", "a"]], 0.5, seed=3)


def test_copies_of_an_image_fall_on_one_side_whatever_was_done_to_them(tmp_path: Path) -> None:
    for index in range(4):
        image = scene(index)
        image.save(tmp_path / f"{index}.png")
        image.save(tmp_path / f"{index}-again.jpg", quality=60)
        image.resize((image.width // 2, image.height // 2)).save(tmp_path / f"{index}-small.png")
        ImageOps.mirror(image).save(tmp_path / f"{index}-mirrored.png")
        image.crop((20, 0, image.width, image.height - 30)).save(tmp_path / f"{index}-cropped.png")
    found = names_held_out(sorted(tmp_path.glob("*.*")), validating(0.25), tmp_path / "run")

    (chosen,) = {name[0] for name in found}
    kinds = ("-again.jpg", "-cropped.png", "-mirrored.png", "-small.png", ".png")
    assert found == [f"{chosen}{kind}" for kind in kinds]


def test_the_images_of_the_class_are_never_held_out(tmp_path: Path) -> None:
    make_pictures(tmp_path / "girl", 4)
    make_pictures(tmp_path / "class", 8, sizes=((256, 256),))
    (tmp_path / "run").mkdir()
    config = validating(0.9, images=str(tmp_path / "girl"), regularization_images=str(tmp_path / "class"))

    with Events(tmp_path / "run") as events:
        found = gather_images(config, tmp_path / "run", events, progress=quietly)

    assert {item.path.parent.name for item in found.measured} == {"girl"}
    assert [event["name"] for event in events_of(tmp_path / "run", "phase")] == ["check_images", "compare_images"]


def test_a_run_goes_on_with_the_split_that_it_has(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    paths, run = make_pictures(tmp_path / "pictures", 6), tmp_path / "run"
    first = names_held_out(paths, validating(0.34), run)
    with_a_state(run)
    monkeypatch.setattr(held_out, "matches", lambda prints: pytest.fail("compared anew"))

    assert names_held_out(paths, validating(0.34), run) == first
    without_one = [path for path in paths if path.name not in first][1:]
    assert (
        names_held_out([*without_one, *(path for path in paths if path.name in first)], validating(0.34), run) == first
    )


def test_a_split_that_the_user_changed_is_kept_beside_one_that_is_drawn_anew(tmp_path: Path) -> None:
    paths, run = make_pictures(tmp_path / "pictures", 6), tmp_path / "run"
    names_held_out(paths, validating(0.34), run)
    split = RunFolder(run).held_out
    names_held_out(paths, validating(0.34), run)
    assert [path.name for path in split.parent.iterdir()] == [split.name]
    split.write_text(mine := split.read_text("utf-8").replace("{", '{"note": "the two with the hat",', 1), "utf-8")
    names_held_out(paths, validating(0.5), run)

    assert split.with_name(f"{split.name}.bak").read_text("utf-8") == mine


def test_a_run_that_an_earlier_version_began_keeps_its_split(tmp_path: Path) -> None:
    paths = make_pictures(tmp_path / "pictures", 6)
    for index, path in enumerate(paths):
        path.with_suffix(".jpg").write_bytes(path.read_bytes())
        draw_picture(path.with_suffix(".bmp"), SIZES[index % len(SIZES)], seed=index)
    paths = sorted(path for path in (tmp_path / "pictures").iterdir() if path.suffix != ".txt")
    begun = with_a_state(tmp_path / "begun")
    contents = {path: content_digest(path) for path in paths}

    before = names_held_out(paths, validating(0.2), begun)

    assert before == sorted(path.name for path in paths if contents[path] in by_contents(contents, 0.2, seed=42))
    assert names_held_out(paths, validating(0.2), begun) == before
    assert names_held_out(paths, validating(0.2), tmp_path / "anew") != before


@pytest.mark.parametrize(
    ("seed", "share", "expected"),
    [(1, 0.1, "3"), (1, 0.5, "13"), (2, 0.1, "5"), (2, 0.5, "1345"), (3, 0.3, "14"), (4, 0.9, "2345"), (42, 0.5, "34")],
)
def test_contents_alone_hold_out_what_they_did_before_the_record(seed: int, share: float, expected: str) -> None:
    names = {"a": "1", "b": "2", "b-copy": "2", "c": "3", "c-copy": "3", "c-third": "3", "d": "4", "e": "5"}

    found = by_contents({Path(name): content for name, content in names.items()}, share, seed=seed)

    assert found == set(expected)  # as version 0.1.0 had it


def test_a_training_that_begins_anew_makes_a_new_split(tmp_path: Path) -> None:
    paths, run = make_pictures(tmp_path / "pictures", 9), tmp_path / "run"
    names_held_out(paths[:4], validating(0.25), run)

    assert names_held_out(paths, validating(0.25), run) == names_held_out(paths, validating(0.25), tmp_path / "other")


@pytest.mark.parametrize(
    "record", ["", "{", '{"seed": 1}', '{"seed": 42, "share": 0.34, "held_out": [], "trained": []}']
)
def test_a_record_that_is_damaged_or_of_other_images_is_made_anew(record: str, tmp_path: Path) -> None:
    paths, run = make_pictures(tmp_path / "pictures", 6), tmp_path / "run"
    first = names_held_out(paths, validating(0.34), run)
    (run / "images" / "held_out.json").write_text(record, encoding="utf-8")

    assert names_held_out(paths, validating(0.34), run) == first
    assert len(json.loads((run / "images" / "held_out.json").read_text(encoding="utf-8"))["held_out"]) == 2


def test_many_images_held_out_for_being_alike_are_told(tmp_path: Path) -> None:
    for name, number in (("a", 11), ("b", 6)):
        for index in range(number):
            scene(number).resize((384 - 8 * index, 320 - 8 * index)).save(tmp_path / f"{name}{index}.png")
    paths = sorted(tmp_path.glob("*.png"))

    found = names_held_out(paths, validating(0.05), tmp_path / "run")

    assert found == [f"b{index}.png" for index in range(6)]
    (warning,) = events_of(tmp_path / "run", "warning")
    assert (warning["code"], warning["message"].startswith("6 of 17 pictures are held out instead of 1, since")) == (
        "many_held_out",
        True,
    )
