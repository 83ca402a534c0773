"""The demo's scores on drawn pictures, where the right answer is known."""

import random
import subprocess
import sys

import numpy as np
import pytest
from PIL import Image

from benchmarks.demo_model.avatar import BACKGROUND, CLOTH, HAIR, SKIN, Drawing, base_drawing
from benchmarks.demo_model.characters import character_drawings, helper_drawing
from benchmarks.demo_model.draw import draw
from tests.support.paths import REPOSITORY
from trainer.demo.score import (
    SAME_NAME,
    SCORE_FILE,
    ScoreData,
    identity,
    leak,
    mean_identity,
    near_share,
    obedience,
    obeyed_tags,
    read_score_data,
)


@pytest.fixture(scope="module")
def data() -> ScoreData:
    return read_score_data()


@pytest.fixture(scope="module")
def people() -> list[Drawing]:
    dice = random.Random(99)
    return [base_drawing(dice) for _ in range(100)]


def _captions(drawings: list[Drawing]) -> list[str]:
    return [", ".join(drawing.tags) for drawing in drawings]


def test_the_held_out_character_is_recognised(data: ScoreData) -> None:
    pictures = [Image.open(path) for path in sorted((SCORE_FILE.parent / "held_out").glob("*.png"))]

    assert len(pictures) == 12
    assert mean_identity(pictures, data) >= 0.9


def test_no_picture_of_the_character_scores_below_085(data: ScoreData) -> None:
    assert min(identity(draw(drawing), data) for drawing in character_drawings(60, 5)) >= 0.85


def test_people_of_the_base_model_are_not_the_character(data: ScoreData, people: list[Drawing]) -> None:
    scores = [identity(draw(drawing), data) for drawing in people]

    assert max(scores) <= 0.4
    assert sum(scores) / len(scores) <= 0.05


def test_other_creatures_are_not_the_character(data: ScoreData) -> None:
    dice = random.Random(4)

    assert max(identity(draw(helper_drawing(dice)), data) for _ in range(100)) <= 0.5


def test_a_half_blended_picture_scores_in_between(data: ScoreData, people: list[Drawing]) -> None:
    character = draw(character_drawings(1, 5)[0])
    blended = Image.blend(draw(people[0]), character, 0.85)

    assert identity(draw(people[0]), data) < identity(blended, data) < identity(character, data)


def test_drawn_people_obey_all_of_their_tags(data: ScoreData, people: list[Drawing]) -> None:
    assert obedience([draw(drawing) for drawing in people], _captions(people), data) == 1.0


def test_captions_of_others_are_seldom_obeyed(data: ScoreData, people: list[Drawing]) -> None:
    others = [*people[1:], people[0]]

    assert obedience([draw(drawing) for drawing in people], _captions(others), data) < 0.3


def test_the_characters_backgrounds_are_obeyed(data: ScoreData) -> None:
    drawings = character_drawings(24, 5)

    assert obedience([draw(d) for d in drawings], _captions(drawings), data, noun="background") == 1.0


def test_a_hat_hides_the_hair_and_a_beard_the_skin(data: ScoreData, people: list[Drawing]) -> None:
    caption = "short hair, red hair, tan skin, white hoodie, beard, blue cap, gray background"

    assert list(obeyed_tags(draw(people[0]), caption, data)) == ["white hoodie", "blue cap", "gray background"]


def test_expressions_and_styles_are_not_measured(data: ScoreData, people: list[Drawing]) -> None:
    assert obeyed_tags(draw(people[0]), "zuvi, smile, short hair, glasses", data) == {}


def test_a_picture_of_one_colour_obeys_nothing_but_that(data: ScoreData) -> None:
    flat = Image.new("RGB", (128, 128), BACKGROUND["green"])

    assert obeyed_tags(flat, "red hair, dark skin, green background", data) == {
        "red hair": False,
        "dark skin": False,
        "green background": True,
    }


def test_without_measurable_tags_obedience_is_full(data: ScoreData) -> None:
    assert obedience([Image.new("RGB", (128, 128))], ["zuvi, smile"], data) == 1.0


def test_a_larger_picture_is_measured_like_the_original(data: ScoreData) -> None:
    picture = draw(character_drawings(1, 5)[0])

    assert identity(picture.resize((512, 512)), data) == pytest.approx(identity(picture, data), abs=0.05)


def test_leak_is_the_mean_change_of_a_pixel(data: ScoreData) -> None:
    before, after = (np.full((128, 128, 3), value, np.uint8) for value in (100, 90))

    assert leak([before], [after], data) == 10.0
    assert leak([before], [before], data) == 0.0


def test_near_share_counts_pixels() -> None:
    pixels = np.array([[0, 0, 0], [0, 0, 50], [0, 0, 70], [255, 255, 255]], np.uint8)

    assert near_share(pixels, (0, 0, 0)) == 0.5


@pytest.mark.parametrize("colours", [BACKGROUND, CLOTH, HAIR, SKIN])
def test_named_colours_are_farther_apart_than_the_measure_allows(colours: dict[str, tuple[int, int, int]]) -> None:
    values = [np.array(colour, float) for colour in colours.values()]

    assert min(np.linalg.norm(a - b) for i, a in enumerate(values) for b in values[:i]) > SAME_NAME


def test_the_scores_do_without_torch() -> None:
    code = "import sys, trainer.demo.score; sys.exit('torch' in sys.modules)"

    assert subprocess.run([sys.executable, "-c", code], cwd=REPOSITORY, check=False).returncode == 0
