"""The truth about an epoch, on drawings for which the right answer is known."""

import json
import random
from pathlib import Path

import pytest
from PIL import Image

from benchmarks.choice.cast import write_cast_member
from benchmarks.choice.members import CAST
from benchmarks.choice.truth import (
    MOST_PICTURES,
    PEOPLE_SEED,
    PICTURES,
    PROMPTS,
    EpochTruth,
    Judge,
    bootstrap,
    calling_prompts,
    people_prompts,
    seeded,
    true_scores,
)
from benchmarks.demo_model.avatar import base_drawing
from benchmarks.demo_model.characters import character_drawing
from benchmarks.demo_model.draw import draw


@pytest.fixture
def people() -> list[Image.Image]:
    """What a perfect base model draws of the prompts without trigger."""
    dice = random.Random(PEOPLE_SEED)
    return [draw(base_drawing(dice)) for _ in range(PICTURES)]


@pytest.fixture
def judge(tmp_path: Path, people: list[Image.Image]) -> Judge:
    return Judge.of(write_cast_member(tmp_path, "mipo"), people)


@pytest.fixture
def real(tmp_path: Path) -> list[Image.Image]:
    """Real pictures of the prompts with the trigger."""
    dice = random.Random(4)
    prompts = (prompt.split(", ") for prompt in calling_prompts(write_cast_member(tmp_path, "mipo")))
    return [
        draw(
            character_drawing(
                expression,
                background.removesuffix(" background"),
                eyewear="".join(eyewear),
                detail="zip",
                dice=dice,
                character=CAST["mipo"],
            )
        )
        for _, expression, *eyewear, background in prompts
    ]


def test_prompts_with_the_trigger_are_none_of_the_training_ones(tmp_path: Path) -> None:
    folder = write_cast_member(tmp_path, "mipo")
    prompts = calling_prompts(folder, MOST_PICTURES)

    assert len(set(prompts)) == PROMPTS
    assert not set(prompts) & {path.read_text("utf-8").strip() for path in folder.images.glob("*.txt")}


def test_real_pictures_and_unchanged_people_are_worth_all(
    judge: Judge, real: list[Image.Image], people: list[Image.Image]
) -> None:
    truth = judge.truth(3, real, people)

    assert (truth.epoch, set(truth.leak), set(truth.backgrounds), set(truth.tags)) == (3, {0.0}, {1.0}, {1.0})
    assert truth.score > 0.98


def test_other_people_instead_of_the_character_are_worth_nothing(judge: Judge, people: list[Image.Image]) -> None:
    assert judge.truth(1, people, people).score < 0.1


def test_a_character_that_comes_uncalled_is_worth_nothing(judge: Judge, real: list[Image.Image]) -> None:
    truth = judge.truth(1, real, real)

    assert sum(truth.tags) / len(truth.tags) < 0.5
    assert truth.score < 0.2


def test_somebody_else_without_the_trigger_is_a_whole_leak(
    judge: Judge, real: list[Image.Image], people: list[Image.Image]
) -> None:
    others = [*people[1:], people[0]]
    leak = judge.truth(1, real, others).leak

    assert sum(leak) / len(leak) == pytest.approx(1.0)


def test_a_truth_is_read_as_it_was_written(judge: Judge, real: list[Image.Image], people: list[Image.Image]) -> None:
    truth = judge.truth(2, real, [*people[1:], people[0]])
    read = EpochTruth.of_document(json.loads(json.dumps(truth.document())))

    assert read.epoch == 2
    assert read.identity == pytest.approx(truth.identity, abs=1e-4)
    assert read.score == pytest.approx(truth.score, abs=1e-3)


def of_identity(epoch: int, *values: float) -> EpochTruth:
    """All else is as it should be; the values are repeated."""
    each = (values * PICTURES)[:PICTURES]
    ones = (1.0,) * len(each)
    return EpochTruth(epoch, each, ones, ones, (0.0,) * len(each))


def test_what_a_prompt_does_to_all_epochs_is_no_error_of_their_difference() -> None:
    """Prompts that are hard for both of two epochs leave their ratio as it is."""
    draws = bootstrap([of_identity(1, 0.2, 0.8), of_identity(2, 0.1, 0.4)])

    assert draws[1].std() > 0.02
    assert draws[2] / draws[1] == pytest.approx(0.5)


def test_equal_pictures_have_no_error() -> None:
    assert bootstrap([of_identity(1, 0.5)])[1].std() == pytest.approx(0.0)


def test_no_two_pictures_have_the_same_seed(tmp_path: Path) -> None:
    """Pictures of one seed err alike at all prompts, and a mean over them does not tell that."""
    prompts = calling_prompts(write_cast_member(tmp_path, "mipo"))

    assert [prompt for prompt, _ in seeded(prompts)] == list(prompts)
    assert len({seed for _, seed in seeded(prompts)}) == PICTURES


def test_a_truth_of_fewer_pictures_is_still_read() -> None:
    """Those of 20 prompts and one seed, which sets were judged by before."""
    ones = (1.0,) * 20
    old = EpochTruth.of_document(EpochTruth(1, (0.5,) * 20, ones, ones, (0.0,) * 20).document())

    assert old.score == pytest.approx(0.5)
    assert bootstrap([old])[1].shape == (400,)


def test_an_epoch_of_fewer_pictures_is_told_by_those_that_the_best_has_too() -> None:
    """The further pictures of the best are worth less, as those of the other would have been."""
    best = of_identity(2, 0.8).with_further(of_identity(2, 0.4))
    scores, draws = true_scores([of_identity(1, 0.4), best]), bootstrap([of_identity(1, 0.4), best])

    assert best.num_pictures == (2 * PICTURES, 2 * PICTURES)
    assert scores == pytest.approx({1: 0.3, 2: 0.6})
    assert draws[1] / draws[2] == pytest.approx(0.5)


def test_a_judge_of_further_pictures_has_their_prompts_and_the_scale_of_the_first(
    tmp_path: Path, judge: Judge, people: list[Image.Image]
) -> None:
    character = write_cast_member(tmp_path, "mipo")
    further = Judge.of(character, people[:3], PICTURES, judge.others_change)

    assert further.people == people_prompts(PICTURES + 3)[PICTURES:]
    assert further.calling == calling_prompts(character, PICTURES + 3)[PICTURES:]
    assert (*judge.calling, *further.calling) == calling_prompts(character, PICTURES + 3)
    assert further.others_change == judge.others_change
    assert seeded(people_prompts(PICTURES + 3), PICTURES)[0][1] == seeded(judge.people)[-1][1] + 1
