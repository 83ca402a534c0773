import pytest

from advisor.choosing.averages import Averages
from advisor.choosing.cells import PictureScores
from advisor.choosing.standing import Standing, standings


def standing(with_trigger: dict[str, float], without: dict[str, float] | None = None) -> Standing:
    pictures = [PictureScores(1, 1.0, 0, 7, with_trigger)]  # type: ignore[arg-type]
    pictures += [] if without is None else [PictureScores(1, 1.0, 1, 7, without)]  # type: ignore[arg-type]
    (found,) = standings(Averages.of(pictures, with_trigger={0}))
    return found


def test_worth_is_the_product_of_likeness_obedience_and_what_is_left_alone() -> None:
    found = standing({"likeness": 0.8, "obedience": 0.9}, {"leak": 0.25})

    assert found.kept[0] == pytest.approx(0.9 * 0.75)
    assert found.worth[0] == pytest.approx(0.8 * 0.9 * 0.75)


def test_what_looks_like_the_character_where_others_are_asked_for_is_lost() -> None:
    pictures = [PictureScores(1, 1.0, 0, 7, {"likeness": 0.8})]
    pictures += [PictureScores(1, 1.0, prompt, 7, {"likeness": like}) for prompt, like in ((1, 0.1), (2, 0.3))]
    (found,) = standings(Averages.of(pictures, with_trigger={0}))

    assert found.kept[0] == 1.0
    assert found.worth[0] == pytest.approx(0.8 * 0.8)


def test_one_prompt_without_the_trigger_alone_does_not_say_what_others_look_like() -> None:
    """It may be a caption of the set, whose words call the character by themselves."""
    assert standing({"likeness": 0.8}, {"likeness": 0.7}).worth[0] == 0.8


def test_pictures_of_others_that_are_less_like_the_character_than_the_base_s_gain_nothing() -> None:
    pictures = [PictureScores(1, 1.0, 0, 7, {"likeness": 0.8})]
    pictures += [PictureScores(1, 1.0, prompt, 7, {"likeness": -0.2}) for prompt in (1, 2)]
    (found,) = standings(Averages.of(pictures, with_trigger={0}))

    assert found.worth[0] == 0.8


def test_what_was_not_measured_costs_nothing() -> None:
    assert standing({"likeness": 0.8}).worth[0] == 0.8


def test_obedience_is_the_lower_of_that_with_and_without_the_trigger() -> None:
    found = standing({"likeness": 0.8, "obedience": 0.9}, {"obedience": 0.3})

    assert found.obedience is not None
    assert found.obedience[0] == 0.3


def test_without_the_trigger_alone_obedience_is_known_too() -> None:
    found = standing({"likeness": 0.8}, {"obedience": 0.3})

    assert found.obedience is not None
    assert found.obedience[0] == 0.3


@pytest.mark.parametrize(
    ("figures", "worth"),
    [
        ({"likeness": 1.3}, 1.0),
        ({"likeness": -0.2}, 0.0),
        ({"likeness": 0.5, "obedience": 1.2}, 0.5),
        ({"likeness": 0.5, "obedience": -0.2}, 0.0),
    ],
)
def test_shares_are_cut(figures: dict[str, float], worth: float) -> None:
    assert standing(figures).worth[0] == worth


def test_other_pictures_altogether_leave_nothing() -> None:
    assert standing({"likeness": 0.9}, {"leak": 1.4}).worth[0] == 0.0
