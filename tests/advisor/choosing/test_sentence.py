import pytest

from advisor.choosing.cells import Verdict
from advisor.choosing.pick import Pick
from advisor.choosing.sentence import Findings, reason
from advisor.choosing.standing import Standing


def standing(
    epoch: int = 6, *, weight: float = 1.0, obedience: float | None = 1.0, leak: float | None = 0.05
) -> Standing:
    likeness = (0.84, 0.78, 0.89)
    return Standing(
        epoch, weight, likeness,
        None if obedience is None else (obedience,) * 3,
        None if leak is None else (leak,) * 3,
        (0.7, 0.6, 0.8), (1.0,) * 3, (1.0,) * 3, likeness,
    )  # fmt: skip


def told(
    verdict: Verdict, taken: Standing, *, tied: tuple[int, ...] = (6,), burnt_from: int | None = None,
    faults: tuple[str, ...] = (), confidence: float = 0.9,
) -> str:  # fmt: skip
    picked = Pick(taken, tied, None, confidence)
    return reason(Findings(verdict, picked, taken, burnt_from, faults, epochs=10))


def test_a_good_epoch_is_told_with_its_numbers() -> None:
    assert told("good", standing()) == (
        "Epoch 6 of 10: 0.84 (0.78 to 0.89) like your pictures, follows prompts as well as the base model, changes "
        "pictures without the trigger little."
    )


@pytest.mark.parametrize(
    ("tied", "end"),
    [
        ((6, 7), " 7 is no better."),
        ((6, 7, 8), " 7 and 8 are no better."),
        ((6, 7, 9, 10), " 7, 9 and 10 are no better."),
        ((5, 6, 7, 8, 9), " 5, 7, 8 and 9 are no better."),
        ((6, 7, 8, 9, 10), " 7 to 10 are no better."),
    ],
)
def test_epochs_that_are_no_better_are_named(tied: tuple[int, ...], end: str) -> None:
    assert told("tied", standing(), tied=tied).endswith(f"little.{end}")


def test_what_was_not_measured_is_not_told() -> None:
    assert told("good", standing(obedience=None, leak=None)) == "Epoch 6 of 10: 0.84 (0.78 to 0.89) like your pictures."


def test_less_than_all_obedience_and_a_clear_leak_are_told_with_their_figures() -> None:
    text = told("good", standing(obedience=0.6, leak=0.4))

    assert "follows prompts 0.60 as well as the base model" in text
    assert "without the trigger clearly (0.40 of another picture altogether)" in text


def test_another_weight_than_the_usual_is_named() -> None:
    assert told("good", standing(weight=0.8)).startswith("Epoch 6 of 10 at weight 0.8: ")


def test_later_epochs_that_are_burnt_are_named() -> None:
    assert told("good", standing(), burnt_from=9).endswith("little. From epoch 9 on it is burnt.")


def test_a_burnt_training_is_told_with_what_to_change() -> None:
    text = told("burnt", standing(2), burnt_from=1, faults=("damages pictures",))

    assert text.startswith(
        "Burnt from epoch 1 of 10 on: lower the rate, or train fewer steps. The least burnt is epoch 2"
    )
    assert text.endswith("damages pictures.")


def test_too_little_learned_is_told_with_what_to_change() -> None:
    assert told("underfit", standing(10)) == (
        "Underfit: the pictures of epoch 10 of 10 are only 0.84 (0.78 to 0.89) like yours. Train longer, or raise the "
        "rate."
    )


def test_captions_without_the_trigger_are_told() -> None:
    picked = Pick(standing(), (6,), None, 0.9)
    text = reason(Findings("no_trigger", picked, standing(), None, (), epochs=10, is_uncalled=True))

    assert text.startswith("The captions do not have the trigger")
    assert "0.84 (0.78 to 0.89) like yours" in text


def test_a_trigger_that_does_little_is_told_with_both_figures() -> None:
    assert told("no_trigger", standing()) == (
        "The trigger does little: without it pictures are 0.70 (0.60 to 0.80) like yours or more, with it 0.84 (0.78 "
        "to 0.89). Put it into every caption."
    )


def test_scores_that_do_not_separate_are_told_with_how_to_learn_more() -> None:
    text = told("unsure", standing(), confidence=0.4)

    assert "do not separate" in text
    assert "40%" in text
    assert "--seeds" in text
