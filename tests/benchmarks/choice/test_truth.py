"""The truth about an epoch, on drawings for which the right answer is known."""

import random
from pathlib import Path

import pytest
from PIL import Image

from benchmarks.choice.cast import write_cast_member
from benchmarks.choice.truth import PEOPLE_SEED, PROMPTS, SEEDS, Judge
from benchmarks.demo_model.avatar import base_drawing
from benchmarks.demo_model.draw import draw


@pytest.fixture
def people() -> list[Image.Image]:
    """What a perfect base model draws of the prompts without trigger."""
    dice = random.Random(PEOPLE_SEED)
    return [draw(base_drawing(dice)) for _ in range(PROMPTS)] * len(SEEDS)


@pytest.fixture
def judge(tmp_path: Path, people: list[Image.Image]) -> Judge:
    return Judge.of(write_cast_member(tmp_path, "mipo"), people)


@pytest.fixture
def real(tmp_path: Path) -> list[Image.Image]:
    """Real pictures of the prompts with the trigger."""
    held_out = write_cast_member(tmp_path, "mipo").held_out
    return [Image.open(path).convert("RGB") for path in sorted(held_out.glob("*.png"))[:PROMPTS]] * len(SEEDS)


def test_real_pictures_and_unchanged_people_are_worth_all(
    judge: Judge, real: list[Image.Image], people: list[Image.Image]
) -> None:
    truth = judge.truth(3, real, people)

    assert (truth.epoch, truth.leak, truth.obedience) == (3, 0.0, 1.0)
    assert truth.score > 0.98


def test_other_people_instead_of_the_character_are_worth_nothing(judge: Judge, people: list[Image.Image]) -> None:
    assert judge.truth(1, people, people).score < 0.1


def test_a_character_that_comes_uncalled_is_worth_nothing(judge: Judge, real: list[Image.Image]) -> None:
    truth = judge.truth(1, real, real)

    assert truth.obedience < 0.5
    assert truth.score < 0.2


def test_somebody_else_without_the_trigger_is_a_whole_leak(
    judge: Judge, real: list[Image.Image], people: list[Image.Image]
) -> None:
    others = [*people[1:], people[0]]

    assert judge.truth(1, real, others).no_leak == pytest.approx(0.0)
