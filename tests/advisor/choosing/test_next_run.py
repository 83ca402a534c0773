import pytest

from advisor.choosing.next_run import gentler, stronger, with_trigger
from advisor.run_folder.grids.grid_record import SETTINGS_OF_CHOICES
from advisor.settings.config import TrainingConfig, blank_config, with_values


def config(**settings: object) -> TrainingConfig:
    rates = {"optimizer.learning_rate": 2e-4, "optimizer.unet_learning_rate": 2e-4}
    given = {path.replace("__", "."): value for path, value in settings.items()}
    return with_values(blank_config(), {**rates, "optimizer.text_encoder_learning_rate": 1e-4, **given})


def test_what_burnt_is_trained_at_half_of_every_rate() -> None:
    assert gentler(config(), burnt_from=5) == {
        "optimizer.learning_rate": 1e-4,
        "optimizer.unet_learning_rate": 1e-4,
        "optimizer.text_encoder_learning_rate": 5e-5,
    }


def test_what_burnt_at_once_is_trained_at_a_quarter() -> None:
    assert gentler(config(), burnt_from=1)["optimizer.learning_rate"] == 5e-5


def test_a_text_encoder_that_is_not_trained_stays_so() -> None:
    found = gentler(config(optimizer__text_encoder_learning_rate=0.0), burnt_from=5)

    assert "optimizer.text_encoder_learning_rate" not in found


def test_prodigy_finds_its_rate_so_that_its_steps_are_changed() -> None:
    prodigy = config(optimizer__name="prodigy", optimizer__learning_rate=1.0, schedule__epochs=10)

    assert gentler(prodigy, burnt_from=7) == {"schedule.epochs": 6}
    assert gentler(prodigy, burnt_from=1) == {"schedule.epochs": 1}
    assert stronger(prodigy, learned=0.1) == {"schedule.epochs": 20}


def test_next_to_nothing_learned_is_trained_at_twice_the_rate() -> None:
    assert stronger(config(), learned=0.1)["optimizer.learning_rate"] == 4e-4


def test_too_little_learned_is_trained_twice_as_long() -> None:
    assert stronger(config(schedule__epochs=10), learned=0.4) == {"schedule.epochs": 20}


def test_a_limit_of_steps_grows_with_the_epochs() -> None:
    found = stronger(config(schedule__epochs=10, schedule__max_steps=900), learned=0.4)

    assert found == {"schedule.epochs": 20, "schedule.max_steps": 1800}


def test_a_rate_stays_within_what_may_be_set() -> None:
    assert stronger(config(optimizer__learning_rate=8.0), learned=0.1)["optimizer.learning_rate"] == 10.0


def test_the_trigger_is_put_into_captions_only_where_it_is_not_yet() -> None:
    assert with_trigger(config(run__trigger="mia")) == {"dataset.prepend_trigger": True}
    assert with_trigger(config(run__trigger="mia", dataset__prepend_trigger=True)) == {}
    assert with_trigger(config()) == {}


@pytest.mark.parametrize("name", ["adamw", "prodigy"])
def test_a_record_may_hold_every_change(name: str) -> None:
    given = config(optimizer__name=name, schedule__max_steps=900, run__trigger="mia")
    changes = {**gentler(given, burnt_from=1), **stronger(given, learned=0.4), **with_trigger(given)}

    assert set(changes) <= set(SETTINGS_OF_CHOICES)
    assert with_values(given, dict(changes)) != given
