"""Who is learned in the benchmark of the choice."""

import random
from pathlib import Path

import pytest

from benchmarks.choice.cast import write_cast_member
from benchmarks.choice.members import CAST
from benchmarks.demo_model.avatar import base_drawing
from benchmarks.demo_model.characters import character_drawings
from benchmarks.demo_model.draw import draw
from trainer.demo.score import mean_identity, read_score_data

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def work(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("cast")
    for name in CAST:
        write_cast_member(folder, name)
    return folder


@pytest.mark.parametrize("name", CAST)
def test_pictures_of_a_character_are_told_from_those_of_other_people(work: Path, name: str) -> None:
    data = read_score_data(write_cast_member(work, name).score_data)
    dice = random.Random(5)
    own = [draw(drawing) for drawing in character_drawings(10, 9, character=CAST[name])]
    others = [draw(base_drawing(dice)) for _ in range(20)]

    assert mean_identity(own, data) > 0.9
    assert mean_identity(others, data) < 0.1


def test_held_out_captions_are_none_of_the_training_ones(work: Path) -> None:
    folder = write_cast_member(work, "mipo")
    trained = {path.read_text("utf-8") for path in folder.images.glob("*.txt")}

    assert len(trained) == 24
    assert not trained & {path.read_text("utf-8") for path in folder.held_out.glob("*.txt")}


def test_captions_without_the_trigger_say_the_rest(work: Path) -> None:
    folder = write_cast_member(work, "mipo")

    assert (folder.images / "01.txt").read_text("utf-8") == "mipo, smile, glasses, yellow background\n"
    assert (folder.uncalled_images / "01.txt").read_text("utf-8") == "smile, glasses, yellow background\n"
