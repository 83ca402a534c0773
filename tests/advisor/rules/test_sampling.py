from __future__ import annotations

from typing import Any

import pytest

from advisor.estimate.timing import run_times
from advisor.plan import Plan
from advisor.rules.card_class import structure_of
from advisor.rules.sampling import MOST_SHARE, TAGGED_FAULTS
from advisor.settings.config import flat_settings
from tests.support.factories import make_facts, make_plan_for


def reason(plan: Plan, name: str = "prompts") -> str:
    return plan.by_path[f"sampling.{name}"].reason


def test_pictures_are_drawn_after_each_epoch_from_four_prompts() -> None:
    plan = make_plan_for()

    assert plan.config.sampling.every_epochs == 1
    assert plan.config.sampling.prompts == (
        "mira, 1girl, red hair, smile, outdoors",
        "mira, 1girl",
        "mira, 1girl, raincoat, beach",
        "1girl, raincoat, beach",
    )
    assert reason(plan).endswith("the base model's first, then after 10 epochs: 12 % of the run")
    assert plan.by_path["sampling.prompts"].origin == "rule"


def test_sets_without_captions_and_styles_have_pictures_too() -> None:
    assert len(make_plan_for(captions=None).config.sampling.prompts) == 4
    assert "mira, scenery, mountain, river" in make_plan_for(subject="style").config.sampling.prompts


def test_many_epochs_have_them_more_seldom() -> None:
    plan = make_plan_for(num_images=8)

    assert plan.config.schedule.epochs == 25
    assert plan.config.sampling.every_epochs == 2
    assert reason(plan, "every_epochs").startswith("after each of 25 epochs they would take 24 % of the run")


@pytest.mark.parametrize("num_images", [5, 30, 400, 3000])
@pytest.mark.parametrize("card", [{}, {"vram_gib": 24.0, "family": "sdxl"}, {"vram_gib": None}, {"advice": "current"}])
def test_they_never_cost_more_than_their_share_of_the_run(num_images: int, card: dict[str, Any]) -> None:
    estimate = make_plan_for(num_images=num_images, **card).estimate

    assert estimate.sampling_seconds is not None
    assert estimate.seconds is not None
    assert 0 <= estimate.sampling_seconds <= MOST_SHARE * estimate.seconds + 1e-6


def test_a_processor_draws_none_and_says_what_it_would_cost() -> None:
    plan = make_plan_for(vram_gib=None)

    assert plan.config.sampling.prompts == ()
    assert plan.estimate.num_samples == 0
    assert reason(plan).startswith("none: drawing would take ")
    assert reason(plan).endswith("more than the 15 % that pictures may cost")


def test_where_drawing_does_not_fit_into_memory_nothing_is_drawn() -> None:
    plan = make_plan_for(vram_gib=4.0)

    assert plan.config.sampling.prompts == ()
    assert reason(plan) == "none: drawing would need 4.0 GiB of the 3.5 GiB free"
    assert plan.config.memory.base_dtype == plan.config.memory.compute_dtype


def test_a_run_that_ends_early_draws_none() -> None:
    plan = make_plan_for(settings={"schedule.max_steps": 150})

    assert reason(plan) == "none: after 1 epoch alone they would not show the training's course"


def test_a_card_whose_speed_nobody_knows_is_judged_as_a_usual_one() -> None:
    plan = make_plan_for(vendor="amd", gpu_name="AMD Radeon RX 7900", vram_gib=20.0)

    assert plan.estimate.sampling_seconds is None or plan.estimate.sampling_seconds > 0
    assert len(plan.config.sampling.prompts) == 4


def test_what_the_user_chose_stands_and_is_drawn_after_each_epoch() -> None:
    plan = make_plan_for(num_images=8, settings={"sampling.prompts": "mira, in space"})

    assert plan.config.sampling.prompts == ("mira, in space",)
    assert plan.config.sampling.every_epochs == 1
    none = make_plan_for(num_images=8, settings={"sampling.prompts": []}).config.sampling
    assert (none.prompts, none.every_epochs) == ((), 1)
    assert make_plan_for(settings={"sampling.every_epochs": 0}).config.sampling.prompts == ()


@pytest.mark.parametrize(
    ("base", "expected"),
    [
        ({"lineage": "nai"}, TAGGED_FAULTS),
        ({"lineage": "anylora"}, TAGGED_FAULTS),
        ({"family": "sdxl", "lineage": "illustrious", "vram_gib": 12.0}, TAGGED_FAULTS),
        ({"family": "sdxl", "lineage": "pony", "vram_gib": 12.0}, ""),
        ({}, ""),
        ({"family": "sd2"}, ""),
        ({"lineage": "nai", "settings": {"sampling.prompts": []}}, ""),
    ],
)
def test_tags_of_bad_drawings_are_left_out_where_the_base_knows_them(base: dict[str, Any], expected: str) -> None:
    assert make_plan_for(**base).config.sampling.negative == expected


@pytest.mark.parametrize("fields", [{}, {"num_images": 8}, {"family": "sdxl", "vram_gib": 12.0}, {"subject": "style"}])
def test_pictures_change_nothing_that_is_trained(fields: dict[str, Any]) -> None:
    with_pictures, without = make_plan_for(**fields), make_plan_for(**fields, settings={"sampling.prompts": []})

    changed = {
        path for (path, one), (_, other) in zip(flat_settings(with_pictures.config), flat_settings(without.config),
                                                strict=True) if one != other
    }  # fmt: skip
    assert changed <= {"sampling.prompts", "sampling.negative", "sampling.every_epochs"}
    assert with_pictures.estimate.steps == without.estimate.steps


def test_time_memory_and_disk_count_the_pictures() -> None:
    with_pictures = make_plan_for().estimate
    without = make_plan_for(settings={"sampling.prompts": []}).estimate

    assert with_pictures.num_samples == 44
    assert with_pictures.seconds == pytest.approx((without.seconds or 0) + (with_pictures.sampling_seconds or 0))
    assert with_pictures.disk_bytes - without.disk_bytes == 44 * 512 * 512 * 3
    assert with_pictures.phase_bytes["sampling"] > 0
    assert "sampling" not in without.phase_bytes


def test_pictures_after_fewer_epochs_take_as_much_less() -> None:
    facts = make_facts(settings={"sampling.prompts": "mira", "sampling.every_epochs": 5})
    config = make_plan_for(settings={"sampling.prompts": "mira", "sampling.every_epochs": 5}).config

    def seconds(epochs: int) -> float:
        times = run_times(
            config, structure_of(facts), facts.hardware, gpu=facts.gpu, steps=10, num_images=1, epochs=epochs
        )  # fmt: skip
        assert times is not None
        return times.sampling

    assert seconds(10) == pytest.approx(3 * seconds(4))
