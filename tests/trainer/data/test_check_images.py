"""Broken images are all found before anything heavy is loaded."""

from __future__ import annotations

import json
import threading
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from advisor.errors import BrokenImages, RunError
from advisor.run_folder.layout import RunFolder
from advisor.settings.config import TrainingConfig, changed
from advisor.shell import quoted
from tests.support.pictures import make_pictures
from tests.support.runs import events_of, make_config, run_training, same, weights
from trainer.data import check_images, image_files
from trainer.data.check_images import CheckedImage
from trainer.runtime.events import Events
from trainer.runtime.interrupts import Interrupt, Interrupted
from trainer.training import prepare as preparing
from trainer.training.prepare import Options, prepare


def cut(path: Path) -> None:
    """Leave the header and half of the data: the size can be read, the image cannot."""
    content = path.read_bytes()
    path.write_bytes(content[: len(content) // 2])


def pictures(config: TrainingConfig) -> list[Path]:
    return sorted(Path(config.dataset.images).glob("*.png"))


@pytest.fixture
def no_base_model(monkeypatch: pytest.MonkeyPatch) -> None:
    def loaded(*_: object, **__: object) -> None:
        raise AssertionError("the base model was loaded")

    monkeypatch.setattr(preparing, "load_base_model", loaded)


def begin(run: Path, config: TrainingConfig, *, interrupt: Interrupt | None = None, **options: Any) -> None:
    with Events(run) as events:
        prepare(run, config, Options(threads=1, **options), events=events, interrupt=interrupt or Interrupt())


@pytest.mark.usefixtures("no_base_model")
def test_all_broken_pictures_are_named_at_once_before_the_base_model_is_loaded(tmp_path: Path) -> None:
    config = make_config(tmp_path, pictures=8)
    for path in pictures(config)[:5]:
        cut(path)

    with pytest.raises(BrokenImages) as caught:
        begin(tmp_path / "run", config)

    first, *lines, last = str(caught.value).splitlines()
    assert first == "5 pictures cannot be used:"
    assert [line.partition(" cannot be read as a picture (")[0].strip() for line in lines] == [
        str(path) for path in pictures(config)[:5]
    ]
    assert last == f"Or leave them out: `loracle train {quoted(str(tmp_path / 'run'))} --skip-broken`"
    assert [event["name"] for event in events_of(tmp_path / "run", "phase")] == ["check_images"]


@pytest.mark.usefixtures("no_base_model")
def test_broken_class_pictures_and_masks_are_among_them(tmp_path: Path) -> None:
    make_pictures(tmp_path / "class", 3)
    config = make_config(
        tmp_path,
        dataset__regularization_images=str(tmp_path / "class"),
        dataset__masks=True,
        dataset__mask_source="files",
    )
    of_class, (one, other, *_) = sorted((tmp_path / "class").glob("*.png")), pictures(config)
    cut(of_class[1])
    Image.new("L", (160, 128), 255).save(one.with_name(f"{one.stem}-masklabel.png"))
    cut(one.with_name(f"{one.stem}-masklabel.png"))
    Image.new("L", (10, 300), 255).save(other.with_name(f"{other.stem}-masklabel.png"))

    with pytest.raises(BrokenImages) as caught:
        begin(tmp_path / "run", config)

    text = str(caught.value)
    assert text.startswith("3 pictures cannot be used:")
    assert f"{one.stem}-masklabel.png cannot be read" in text
    assert f"{other.stem}-masklabel.png is a mask of 10 x 300 pixels" in text
    assert str(of_class[1]) in text


def test_those_that_are_left_out_stay_so_and_resuming_has_the_same_set(tmp_path: Path) -> None:
    config = make_config(tmp_path, pictures=7, schedule__name="constant")
    broken = pictures(config)[2]
    cut(broken)
    run_training(tmp_path / "run", config, skip_broken=True)
    run_training(tmp_path / "run", changed(config, "schedule.epochs", 3), resume=True)
    manifest = (tmp_path / "run/images/manifest.jsonl").read_text(encoding="utf-8").splitlines()
    broken.unlink()
    broken.with_suffix(".txt").unlink(missing_ok=True)
    run_training(tmp_path / "without", make_config(tmp_path, schedule__epochs=3, schedule__name="constant"))

    assert len(manifest) == 6
    assert same(weights(tmp_path / "run"), weights(tmp_path / "without"))
    (left_out,) = RunFolder(tmp_path / "run").read_left_out().images
    assert left_out.path == str(broken)
    assert "cannot be read as a picture" in left_out.why
    first = next(one for one in events_of(tmp_path / "run", "warning") if one["code"] == "left_out")
    assert first["message"].startswith(f"1 broken picture left out ({broken.name}); `loracle pictures ")


def test_a_damaged_record_of_what_is_left_out_is_named(tmp_path: Path) -> None:
    config = make_config(tmp_path)
    (tmp_path / "run/images").mkdir(parents=True)
    (tmp_path / "run/images/left_out.json").write_text('{"images": 3}', encoding="utf-8")

    with pytest.raises(RunError, match=r"left_out\.json cannot be read .* delete it"):
        begin(tmp_path / "run", config)


@pytest.mark.usefixtures("no_base_model")
def test_what_was_decoded_is_not_decoded_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    config = make_config(tmp_path)
    decoded = list[Path]()

    def upright(path: Path) -> Image.Image:
        decoded.append(path)
        return image_files.upright(path)

    monkeypatch.setattr(check_images, "upright", upright)
    for _ in range(2):
        with pytest.raises(AssertionError, match="the base model was loaded"):
            begin(tmp_path / "run", config)
    once = len(decoded)
    Image.new("RGB", (160, 128), "red").save(pictures(config)[0])
    with pytest.raises(AssertionError, match="the base model was loaded"):
        begin(tmp_path / "run", config)

    assert once == len(pictures(config))
    assert decoded[once:] == pictures(config)[:1]


@pytest.mark.usefixtures("no_base_model")
def test_ctrl_c_ends_the_check(tmp_path: Path) -> None:
    interrupt = Interrupt()
    interrupt.ask()

    with pytest.raises(Interrupted):
        begin(tmp_path / "run", make_config(tmp_path), interrupt=interrupt)
    assert [json.dumps(event["name"]) for event in events_of(tmp_path / "run", "phase")] == ['"check_images"']


def test_with_masks_pictures_that_were_decoded_are_not_decoded_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    make_pictures(tmp_path / "pictures", 2, sizes=((64, 48),))
    paths = sorted((tmp_path / "pictures").glob("*.png"))
    for shade, path in enumerate(paths):
        Image.new("L", (64, 48), shade).save(tmp_path / f"{path.stem}-mask.png")
    plain = [CheckedImage(path, (64, 48)) for path in paths]
    masked = [replace(image, mask=tmp_path / f"{image.path.stem}-mask.png") for image in plain]
    decoded = list[str]()
    monkeypatch.setattr(check_images, "upright", lambda path: decoded.append(path.name))
    monkeypatch.setattr(check_images, "grey_mask", lambda path, _: decoded.append(path.name))

    for images in (plain, masked, masked, plain):
        assert not check_images.check_images(images, tmp_path / "run", threads=1, progress=lambda *_: None).broken

    assert decoded == [path.name for path in paths] + [image.mask.name for image in masked if image.mask]


def test_of_many_pictures_one_for_each_thread_is_held_at_a_time(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    make_pictures(tmp_path / "pictures", 12, sizes=((400, 300),))
    images = [CheckedImage(path, (400, 300)) for path in sorted((tmp_path / "pictures").glob("*.png"))]
    held, most, lock = 0, 0, threading.Lock()

    class Held:
        def __init__(self) -> None:
            nonlocal held, most
            with lock:
                held += 1
                most = max(most, held)

        def __del__(self) -> None:
            nonlocal held
            with lock:
                held -= 1

    monkeypatch.setattr(check_images, "upright", lambda _: Held())

    check_images.check_images(images, tmp_path / "run", threads=2, progress=lambda *_: None)

    assert 1 <= most <= 2
    assert held == 0
