from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from advisor.errors import HardwareError
from advisor.run_folder.pictures.tag_request import PictureToTag
from advisor.tagging.prediction_store import PredictionStore
from advisor.tagging.tagger_model import read_tagger
from tests.support.taggers import SIDE_PX, write_tagger
from trainer.runtime.interrupts import Interrupted
from trainer.tagging.session import CPU, OutOfRoom, Tagger
from trainer.tagging.tag_pictures import Tagging


class Colours(Tagger):
    """Tells a picture's mean colours; has memory for so many pictures at once."""

    sizes: list[int]
    room = 100

    def shares(self, pictures: Sequence[Any]) -> Any:
        self.sizes.append(len(pictures))
        if len(pictures) > self.room:
            raise OutOfRoom
        return np.stack([np.asarray(one).mean(axis=(0, 1)) / 255 for one in pictures]).astype(np.float32)


@pytest.fixture
def colours(tmp_path: Path) -> Colours:
    tagger = Colours(read_tagger(write_tagger(tmp_path / "model")), None, CPU)  # type: ignore[arg-type]
    object.__setattr__(tagger, "sizes", [])
    return tagger


@pytest.fixture
def pictures(tmp_path: Path) -> list[PictureToTag]:
    for index in range(7):
        Image.new("RGB", (SIDE_PX, SIDE_PX), (index * 30, 0, 255)).save(tmp_path / f"{index}.png")
    return [PictureToTag(path=str(tmp_path / f"{index}.png")) for index in range(7)]


def tagging(
    folder: Path, load: Callable[[], Tagger], wanted: Sequence[PictureToTag], batch: int = 3, stop_at: int = 99
) -> tuple[list[Any], Tagging, list[int]]:
    steps = list[int]()

    def progress(done: int, total: int) -> None:
        assert total == len(wanted)
        steps.append(done)
        if done >= stop_at:
            raise Interrupted

    with PredictionStore("key", 3, folder) as store:
        work = Tagging(load, store, SIDE_PX, batch, threads=2)
        return work.tags(wanted, progress), work, steps


def test_all_are_tagged_in_their_order_some_at_once(
    tmp_path: Path, colours: Colours, pictures: list[PictureToTag]
) -> None:
    found, work, steps = tagging(tmp_path, lambda: colours, pictures)

    assert [one.path for one in found] == [one.path for one in pictures]
    assert found[6].confidences == {0: 1.0, 2: pytest.approx(180 / 255, abs=1e-4)}
    assert colours.sizes == [3, 3, 1]
    assert (work.num_computed, work.provider, steps[-1]) == (7, CPU, 7)


def test_a_second_time_nothing_is_computed_nor_the_model_loaded(
    tmp_path: Path, colours: Colours, pictures: list[PictureToTag]
) -> None:
    first, _, _ = tagging(tmp_path, lambda: colours, pictures)

    again, work, _ = tagging(tmp_path, pytest.fail, pictures)

    assert again == first
    assert (work.num_computed, work.provider) == (0, "")


def test_after_an_interrupt_only_the_rest_is_computed(
    tmp_path: Path, colours: Colours, pictures: list[PictureToTag]
) -> None:
    with pytest.raises(Interrupted):
        tagging(tmp_path, lambda: colours, pictures, stop_at=3)
    assert colours.sizes == [3]

    found, work, _ = tagging(tmp_path, lambda: colours, pictures)

    assert work.num_computed == 4
    assert all(one.confidences for one in found)


def test_a_picture_with_the_same_bytes_is_known_and_another_part_of_it_is_not(
    tmp_path: Path, colours: Colours, pictures: list[PictureToTag]
) -> None:
    tagging(tmp_path, lambda: colours, pictures[:1])
    copy = tmp_path / "copy.png"
    copy.write_bytes(Path(pictures[0].path).read_bytes())

    _, work, _ = tagging(tmp_path, lambda: colours, [PictureToTag(path=str(copy))])
    assert work.num_computed == 0
    _, work, _ = tagging(tmp_path, lambda: colours, [PictureToTag(path=str(copy), crop=(0, 0, 9, 9))])
    assert work.num_computed == 1


def test_a_broken_picture_is_told_and_the_others_are_tagged(
    tmp_path: Path, colours: Colours, pictures: list[PictureToTag]
) -> None:
    Path(pictures[2].path).write_bytes(b"broken")
    gone = PictureToTag(path=str(tmp_path / "gone.png"))

    found, work, steps = tagging(tmp_path, lambda: colours, [*pictures, gone])

    assert "cannot be read as a picture" in found[2].why_not
    assert "gone.png cannot be read" in found[7].why_not
    assert (work.num_computed, steps[-1]) == (6, 8)


def test_fewer_at_once_are_taken_where_memory_does_not_suffice(
    tmp_path: Path, colours: Colours, pictures: list[PictureToTag]
) -> None:
    object.__setattr__(colours, "room", 1)

    found, _, _ = tagging(tmp_path, lambda: colours, pictures, batch=4)

    assert colours.sizes[:3] == [4, 2, 1]
    assert set(colours.sizes[2:]) == {1}
    assert all(one.confidences for one in found)


def test_where_not_even_one_fits_that_is_said(tmp_path: Path, colours: Colours, pictures: list[PictureToTag]) -> None:
    object.__setattr__(colours, "room", 0)

    with pytest.raises(HardwareError, match="not enough memory to tag a single picture"):
        tagging(tmp_path, lambda: colours, pictures)
