from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from advisor.dataset.buckets import repeats_of_folders
from advisor.dataset.report import Folder
from advisor.settings.config import changed
from tests.support.factories import make_plan_config, make_plan_for

SQUARE = ((1024, 1024),)


@pytest.mark.parametrize(
    ("fields", "repeats"),
    [
        ({"num_images": 30}, 20),
        ({"num_images": 10}, 30),
        ({"num_images": 40}, 15),
        ({"num_images": 50}, 12),
        ({"num_images": 100}, 6),
        ({"num_images": 1200}, 1),
        ({"num_images": 30, "advice": "current"}, 10),
        ({"num_images": 100, "advice": "current"}, 4),
        ({"num_images": 100, "advice": "current", "vram_gib": 24}, 4),
        ({"num_images": 101, "advice": "current", "vram_gib": 24}, 3),
        ({"num_images": 30, "vram_gib": None}, 3),
        ({"num_images": 40, "vram_gib": None}, 3),
        ({"num_images": 30, "family": "sdxl"}, 20),
        ({"num_images": 30, "family": "sdxl", "lineage": "pony"}, 10),
        ({"num_images": 30, "family": "sd2"}, 20),
    ],
)
def test_repeats(fields: dict[str, Any], repeats: int) -> None:
    assert make_plan_config(**fields).dataset.repeats == repeats


def test_steps_are_epochs_times_batches() -> None:
    plan = make_plan_for(num_images=30, sizes=SQUARE)

    assert plan.config.schedule.epochs == 10
    assert plan.estimate.steps == 10 * 30 * 20 // 4


def test_every_bucket_has_a_short_batch_of_its_own() -> None:
    plan = make_plan_for(num_images=3, sizes=((1024, 1024), (512, 768), (768, 512)), settings={"dataset.repeats": 5})

    assert plan.estimate.steps == plan.config.schedule.epochs * 3 * 2


@pytest.mark.parametrize(
    ("fields", "epochs"),
    [
        ({"num_images": 30}, 10),
        ({"num_images": 10}, 20),
        ({"num_images": 5}, 40),
        ({"num_images": 1000}, 10),
        ({"num_images": 2000}, 6),
        ({"num_images": 20_000}, 1),
        ({"num_images": 30, "advice": "current", "vram_gib": 24}, 20),
        ({"num_images": 30, "vram_gib": None}, 10),
    ],
)
def test_epochs_are_as_many_as_give_1500_to_3000_steps(fields: dict[str, Any], epochs: int) -> None:
    assert make_plan_config(sizes=SQUARE, **fields).schedule.epochs == epochs


@settings(max_examples=20, deadline=None)
@given(
    st.integers(8, 2000), st.sampled_from(("character", "style")), st.sampled_from(("sd1", "sd2", "sdxl")),
    st.sampled_from(("tutorial", "current")), st.sampled_from((None, "pony", "nai")),
)  # fmt: skip
def test_every_card_learns_the_same(
    num_images: int, subject: str, family: str, advice: str, lineage: str | None
) -> None:
    case: dict[str, Any] = {"subject": subject, "family": family, "advice": advice, "lineage": lineage}
    plans = [make_plan_for(num_images=num_images, vram_gib=card, **case) for card in (4, 6, 8, 10, 12, 16, 24, 32, 80)]
    configs = [plan.config for plan in plans]
    fewest, most = (choose(plan.estimate.steps for plan in plans) for choose in (min, max))

    assert len({config.optimizer.learning_rate for config in configs}) == 1
    assert len({config.dataset.repeats for config in configs}) == 1
    assert len({config.network.rank for config in configs}) == 1
    assert fewest >= 0.9 * most
    assert fewest >= 1500
    assert most <= 3000
    assert {config.schedule.batch_size * config.schedule.gradient_accumulation for config in configs} == {4}


def test_a_folders_own_repeats_stand() -> None:
    folders = (Folder("3_mira girl", 10, 3, "mira girl"), Folder("rest", 20))
    plan = make_plan_for(num_images=30, folders=folders, sizes=SQUARE)

    assert [(folder.path, folder.repeats) for folder in plan.config.dataset.folders] == [("3_mira girl", 3)]
    assert plan.by_path["dataset.folders"].origin == "answer"
    assert plan.estimate.steps == plan.config.schedule.epochs * -(-(10 * 3 + 20 * plan.config.dataset.repeats) // 4)


def test_a_limit_of_steps_ends_it_early() -> None:
    assert make_plan_for(settings={"schedule.max_steps": 700}).estimate.steps == 700


def test_accumulated_batches_are_one_step() -> None:
    settings = {"schedule.batch_size": 2, "schedule.gradient_accumulation": 2, "schedule.epochs": 10}
    plan = make_plan_for(num_images=30, sizes=SQUARE, settings=settings)

    assert plan.estimate.steps == 1500


@pytest.mark.parametrize(
    ("fields", "gamma", "offset"),
    [
        ({}, 5.0, 0.0),
        ({"advice": "current"}, 5.0, 0.05),
        ({"family": "sd2"}, 5.0, 0.0),
        ({"family": "sdxl"}, 5.0, 0.0),
        ({"family": "sdxl", "lineage": "illustrious"}, 5.0, 0.03),
        ({"family": "sdxl", "lineage": "pony"}, 0.0, 0.03),
        ({"family": "sdxl", "lineage": "noobai", "prediction": "v_prediction"}, 5.0, 0.0),
    ],
)
def test_loss_weight_and_noise_offset(fields: dict[str, Any], gamma: float, offset: float) -> None:
    loss = make_plan_config(**fields).loss

    assert (loss.min_snr_gamma, loss.noise_offset) == (gamma, offset)


def test_the_schedule_is_cosine_with_a_twentieth_of_warm_up() -> None:
    plan = make_plan_for()

    assert (plan.config.schedule.name, plan.config.schedule.warmup_share) == ("cosine", 0.05)
    assert "75 of 1,500 steps" in plan.by_path["schedule.warmup_share"].reason


def test_a_constant_schedule_has_no_warm_up() -> None:
    assert make_plan_config(settings={"schedule.name": "constant"}).schedule.warmup_share == 0.0


def test_regularization_pictures_double_the_steps_of_an_epoch() -> None:
    settings = {"dataset.repeats": 20, "schedule.epochs": 10}
    plain = make_plan_for(num_images=30, sizes=SQUARE, settings=settings)
    doubled = make_plan_for(
        num_images=30, sizes=SQUARE, settings={**settings, "dataset.regularization_images": "/class"}
    )

    assert doubled.estimate.steps == 2 * plain.estimate.steps == 3000


def test_pictures_held_out_make_no_steps() -> None:
    settings = {"dataset.repeats": 4, "schedule.batch_size": 1, "schedule.epochs": 1, "validation.share": 0.25}

    assert make_plan_for(num_images=20, sizes=SQUARE, settings=settings).estimate.steps == 60


def test_a_folder_with_repeats_covers_those_inside_it() -> None:
    folders = (Folder("a", 1), Folder("a/b", 1), Folder("c", 1))
    dataset = changed(make_plan_config(), "dataset.folders", [{"path": "a/", "repeats": 7}]).dataset

    assert repeats_of_folders(folders, dataset) == (7, 7, dataset.repeats)
