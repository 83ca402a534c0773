from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from templates.exporting.derived import Length
from templates.kohya.export_gui_values import gui_settings, kept_steps
from templates.kohya.export_schedule import Curve, Warmup, limits, schedule_errors, schedule_notes
from templates.kohya.export_script_tables import script_settings
from tests.support.samples import LAYOUT, sample_config

WHOLE = Length(steps_per_epoch=150, steps=1500)


def curve(**schedule: Any) -> Curve:
    return Curve.of(sample_config(schedule=schedule))


def parameters(**groups: Any) -> str:
    return str(gui_settings(sample_config(**groups), LAYOUT)["additional_parameters"])


def in_scripts(**groups: Any) -> dict[str, Any]:
    return dict(script_settings(sample_config(**groups), LAYOUT, dataset="/d.toml", prompts="")["schedule"])


def test_the_gui_is_told_the_epochs_which_beat_its_own_count_of_steps() -> None:
    found = gui_settings(sample_config(), LAYOUT)

    assert (found["max_train_epochs"], found["max_train_steps"]) == (10, 0)


def test_cosine_with_min_lr_starts_with_a_lowest_rate_of_zero() -> None:
    assert "--lr_scheduler_min_lr_ratio 0.0" in parameters(schedule={"name": "cosine_with_min_lr"})
    assert in_scripts(schedule={"name": "cosine_with_min_lr"})["lr_scheduler_min_lr_ratio"] == 0.0


@pytest.mark.parametrize(("name", "cycles"), [("cosine_with_restarts", 3), ("cosine_with_min_lr", 1), ("cosine", 1)])
def test_only_restarts_get_cycles(name: str, cycles: int) -> None:
    assert curve(name=name, cycles=3).cycles == cycles


def test_warmup_stable_decay_falls_over_the_last_fifth() -> None:
    assert "--lr_decay_steps 0.2" in parameters(schedule={"name": "warmup_stable_decay"})
    assert in_scripts(schedule={"name": "warmup_stable_decay"})["lr_decay_steps"] == 0.2
    assert "lr_decay_steps" not in in_scripts()


def test_polynomial_ends_at_the_lowest_rate() -> None:
    tenth = {"name": "polynomial", "min_rate": 0.1}

    assert in_scripts(schedule=tenth)["lr_scheduler_args"] == ["lr_end=1e-05"]
    assert gui_settings(sample_config(schedule=tenth), LAYOUT)["lr_scheduler_args"] == "lr_end=1e-05"
    assert curve(name="polynomial").arguments == ()


@pytest.mark.parametrize(
    ("groups", "path"),
    [
        ({"schedule": {"name": "polynomial", "min_rate": 1}}, "schedule.min_rate"),
        ({"schedule": {"name": "polynomial"}, "optimizer": {"learning_rate": 1e-8}}, "optimizer.learning_rate"),
    ],
)
def test_a_polynomial_that_cannot_fall_is_refused(groups: dict[str, Any], path: str) -> None:
    (error,) = schedule_errors(sample_config(**groups))

    assert error.path == path


def test_adafactors_own_rate_has_no_warm_up() -> None:
    groups = {"schedule": {"name": "adafactor", "warmup_share": 0.1}, "optimizer": {"name": "adafactor"}}

    assert Warmup.of(sample_config(**groups), 1500) == Warmup(0, 0.0)
    assert "lr_warmup_steps" not in in_scripts(**groups)


def test_a_warm_up_is_counted_in_steps_where_these_are_certain() -> None:
    unsure = replace(LAYOUT, length=replace(WHOLE, is_exact=False))
    found = gui_settings(sample_config(), unsure)

    assert (found["lr_warmup"], found["lr_warmup_steps"]) == (5, 0)
    assert gui_settings(sample_config(), LAYOUT)["lr_warmup_steps"] == 75


@pytest.mark.parametrize(
    ("groups", "length", "words"),
    [
        ({"optimizer": {"name": "schedule_free_adamw"}}, WHOLE, "schedule-free optimizer's rate"),
        ({"validation": {"share": 0.2}}, WHOLE, "holds out other pictures"),
        ({"schedule": {"max_steps": 90}}, None, "nobody can know which of the two ends first"),
    ],
)
def test_what_moves_otherwise_is_told(groups: dict[str, Any], length: Length | None, words: str) -> None:
    assert words in " ".join(schedule_notes(sample_config(**groups), length, "sd-scripts"))


def test_steps_end_it_where_they_come_first() -> None:
    config = sample_config(schedule={"max_steps": 90})

    assert limits(config, Length(150, 90, ends_early=True)) == limits(config, None) == {"max_train_steps": 90}
    assert limits(config, WHOLE) == {"max_train_epochs": 10}


@pytest.mark.parametrize(("keep", "every", "steps"), [(3, 100, 299), (1, 100, 99), (0, 100, 0), (2, 0, 0)])
def test_a_file_goes_once_it_is_older_than_so_many_steps(keep: int, every: int, steps: int) -> None:
    assert kept_steps(sample_config(saving={"keep_last": keep, "every_steps": every}).saving) == steps


def test_a_weight_of_zero_for_coarser_noise_reaches_the_trainer() -> None:
    assert "--multires_noise_discount 0" in parameters(loss={"multires_iterations": 6, "multires_discount": 0})
