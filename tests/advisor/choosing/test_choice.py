import math

from advisor.choosing.cells import Choice, PictureScores
from advisor.choosing.choice import choose
from advisor.settings.config import TrainingConfig, blank_config, with_values
from tests.support.score_tables import SEEDS, WITH_TRIGGER, Curves, score_table

GOOD: Curves = {
    "likeness": [0.20, 0.50, 0.82, 0.82, 0.82, 0.82],
    "obedience": [1.0, 1.0, 1.0, 1.0, 1.0, 1.0],
    "leak": [0.02, 0.04, 0.08, 0.08, 0.08, 0.08],
    "damage": [0.0, 0.0, 0.0, 0.0, 0.0, 0.0],
}


def chosen(curves: Curves, *, noise: float = 0.01, config: TrainingConfig | None = None, **more: object) -> Choice:
    return choose(score_table(curves, noise=noise, **more), WITH_TRIGGER, config=config).choice  # type: ignore[arg-type]


def trained(epochs: int = 6, **settings: object) -> TrainingConfig:
    given = {path.replace("__", "."): value for path, value in settings.items()}
    return with_values(blank_config(), {"schedule.epochs": epochs, "run.trigger": "mia", **given})


def test_a_plateau_is_tied_and_its_first_epoch_taken() -> None:
    found = chosen(GOOD, noise=0.005, config=trained())

    assert (found.verdict, found.epoch, found.weight) == ("tied", 4, 1.0)
    assert found.tied == (4, 5)
    assert found.changes == {}
    assert found.burnt_from is None


def test_a_top_is_good_and_the_epochs_after_it_burnt() -> None:
    found = chosen({**GOOD, "obedience": [1.0, 1.0, 1.0, 0.98, 0.6, 0.3], "leak": [0.02, 0.04, 0.06, 0.2, 0.4, 0.6]})

    assert (found.verdict, found.epoch, found.burnt_from) == ("good", 3, 5)


def test_epochs_that_all_are_burnt_are_told_as_such_with_a_lower_rate() -> None:
    curves: Curves = {**GOOD, "likeness": [0.6] * 6, "obedience": [0.4, 0.3, 0.2, 0.2, 0.2, 0.2], "leak": [0.8] * 6}
    found = chosen(curves, config=trained(optimizer__learning_rate=1e-2))

    assert (found.verdict, found.burnt_from) == ("burnt", 1)
    assert found.changes["optimizer.learning_rate"] == 2.5e-3


def test_pictures_that_show_nothing_any_more_are_burnt_and_not_underfit() -> None:
    curves: Curves = {**GOOD, "likeness": [0.05, 0.02, 0.0, 0.0, 0.0, 0.0], "obedience": [0.0] * 6, "leak": [1.1] * 6}

    assert chosen(curves).verdict == "burnt"


def test_a_little_likeness_that_comes_everywhere_is_no_sign_of_a_missing_trigger() -> None:
    pictures = [
        PictureScores(one.epoch, 1.0, one.prompt, one.seed, {**one.values, "likeness": 0.15, "leak": 1.1})
        for one in score_table({**GOOD, "obedience": [0.0] * 6})
    ]

    assert choose(pictures, WITH_TRIGGER).choice.verdict == "burnt"


def test_little_likeness_at_the_end_is_underfit_and_trained_on() -> None:
    found = chosen({**GOOD, "likeness": [0.1, 0.15, 0.2, 0.25, 0.27, 0.28]}, config=trained())

    assert found.verdict == "underfit"
    assert found.changes == {"schedule.epochs": 12}


def test_of_epochs_that_learned_too_little_the_latest_is_taken() -> None:
    """What is like the set before anything was learned is so by chance."""
    found = chosen({**GOOD, "likeness": [0.15, 0.03, 0.04, 0.1, 0.07, 0.06]})

    assert (found.verdict, found.epoch, found.tied) == ("underfit", 6, (6,))
    assert "epoch 6 of 6 are only 0.06" in found.reason


def test_what_looks_like_damage_in_a_character_half_learned_keeps_nobody_from_its_latest_epoch() -> None:
    curves: Curves = {"likeness": [0.2, 0.1, 0.15, 0.15], "obedience": [1.0] * 4, "leak": [0.1] * 4}
    found = chosen({**curves, "damage": [0.1, 0.9, 0.9, 0.9]})

    assert (found.verdict, found.epoch) == ("underfit", 4)


def test_an_epoch_with_a_fault_is_taken_only_where_all_have_one() -> None:
    curves: Curves = {**GOOD, "likeness": [0.9, 0.5, 0.5, 0.5], "leak": [0.3, 0.9, 0.9, 0.9], "obedience": [1.0] * 4}

    assert chosen({**curves, "damage": [0.0] * 4}).epoch == 1
    assert chosen({**curves, "damage": [0.9, 0.0, 0.0, 0.0]}).epoch != 1
    assert chosen({**curves, "damage": [0.9] * 4}).epoch == 1


def test_no_likeness_at_all_is_underfit_with_a_higher_rate() -> None:
    found = chosen({**GOOD, "likeness": [0.0] * 6}, config=trained(optimizer__learning_rate=1e-4))

    assert found.verdict == "underfit"
    assert found.changes["optimizer.learning_rate"] == 2e-4


def unasked(share: float) -> list[PictureScores]:
    """The scores of a good training, in which pictures without the trigger have this share of the likeness."""
    return [
        one
        if one.prompt in WITH_TRIGGER
        else PictureScores(
            one.epoch, one.weight, one.prompt, one.seed,
            {**one.values, "likeness": share * GOOD["likeness"][one.epoch - 1]},
        )
        for one in score_table(GOOD, noise=0.005)
    ]  # fmt: skip


def test_a_character_that_comes_without_being_asked_for_has_no_trigger() -> None:
    found = choose(unasked(0.8), WITH_TRIGGER, config=trained()).choice

    assert found.verdict == "no_trigger"
    assert found.changes == {"dataset.prepend_trigger": True}


def test_a_character_of_whom_a_little_comes_unasked_has_one() -> None:
    assert choose(unasked(0.2), WITH_TRIGGER, config=trained()).choice.verdict == "tied"


def test_captions_that_lack_the_trigger_give_a_lora_without_one() -> None:
    found = choose(score_table(GOOD, noise=0.005), WITH_TRIGGER, config=trained(), share_called=0.1).choice

    assert (found.verdict, found.epoch) == ("no_trigger", 4)
    assert found.changes == {"dataset.prepend_trigger": True}


def test_captions_of_which_most_have_the_trigger_give_one() -> None:
    found = choose(score_table(GOOD, noise=0.005), WITH_TRIGGER, share_called=0.9).choice

    assert found.verdict == "tied"


def test_noise_that_hides_the_best_epoch_gives_no_recommendation() -> None:
    found = chosen({"likeness": [0.8] * 20, "obedience": [1.0] * 20, "leak": [0.1] * 20}, noise=0.2, rng_seed=0)

    assert (found.verdict, found.epoch, found.weight) == ("unsure", None, None)
    assert found.confidence < 0.5


def test_epochs_that_are_all_the_same_are_tied() -> None:
    found = chosen({"likeness": [0.8] * 3, "leak": [0.1] * 3}, noise=0.0)

    assert (found.verdict, found.epoch, found.tied) == ("tied", 1, (1, 2, 3))


def test_equal_epochs_that_noise_tells_apart_by_little_are_tied_too() -> None:
    found = chosen({"likeness": [0.8] * 3, "leak": [0.1] * 3}, noise=0.005)

    assert (found.verdict, found.epoch) == ("tied", 1)


def test_a_character_that_is_half_learned_is_not_burnt() -> None:
    """Pictures with the trigger are neither the base model's nor the set's, to the end; others are as they were."""
    pictures = [
        PictureScores(
            one.epoch, 1.0, one.prompt, one.seed, {**one.values, "damage": 0.3 if one.prompt in WITH_TRIGGER else 0.05}
        )
        for one in score_table(GOOD, noise=0.005)
    ]  # fmt: skip

    found = choose(pictures, WITH_TRIGGER).choice

    assert (found.verdict, found.burnt_from) == ("tied", None)


def test_an_epoch_that_loses_much_is_still_the_best_where_those_before_it_are_worth_less() -> None:
    """What is lost is counted in its worth; a limit beside it would make the choice jump."""
    curves: Curves = {"likeness": [0.3, 0.6, 0.9, 0.9], "leak": [0.45, 0.49, 0.51, 0.51], "obedience": [1.0] * 4}

    assert chosen(curves).epoch in (3, 4)


def test_a_single_epoch_is_judged_too() -> None:
    found = chosen({name: values[3:4] for name, values in GOOD.items()})

    assert (found.verdict, found.epoch, found.runner_up) == ("good", 1, None)


def test_a_picture_or_two_an_epoch_give_no_recommendation() -> None:
    pictures = [one for one in score_table(GOOD) if one.prompt == 0 and one.seed in SEEDS[:2]]
    found = choose(pictures, WITH_TRIGGER).choice

    assert (found.verdict, found.epoch, found.confidence) == ("unsure", None, 0.0)
    assert "2 pictures" in found.reason


def test_one_prompt_with_several_seeds_is_enough() -> None:
    pictures = [one for one in score_table(GOOD, seeds=range(6)) if one.prompt in (0, 3)]

    assert choose(pictures, WITH_TRIGGER).choice.epoch == 4


def test_one_seed_with_several_prompts_is_enough() -> None:
    pictures = [
        PictureScores(one.epoch, 1.0, one.prompt + 5 * (one.seed - SEEDS[0]), 1, one.values)
        for one in score_table(GOOD)
    ]
    asked = {prompt + 5 * more for prompt in WITH_TRIGGER for more in range(len(SEEDS))}

    assert choose(pictures, asked).choice.epoch == 4


def test_values_that_are_no_numbers_and_missing_cells_change_little() -> None:
    pictures = score_table(GOOD, noise=0.01)
    broken = [
        PictureScores(one.epoch, 1.0, one.prompt, one.seed, dict.fromkeys(one.values, math.nan))
        if number % 17 == 3 else one
        for number, one in enumerate(pictures) if number % 13 != 5
    ]  # fmt: skip

    assert choose(broken, WITH_TRIGGER).choice.epoch == 4


def test_nothing_measured_is_unsure() -> None:
    found = choose([], WITH_TRIGGER)

    assert found.scores == ()
    assert (found.choice.verdict, found.choice.epoch) == ("unsure", None)


def test_the_same_scores_give_the_same_choice() -> None:
    assert chosen(GOOD, noise=0.1) == chosen(GOOD, noise=0.1)


def test_the_order_of_the_pictures_changes_nothing() -> None:
    pictures = score_table(GOOD, noise=0.1)

    assert choose(pictures[::-1], WITH_TRIGGER) == choose(pictures, WITH_TRIGGER)
