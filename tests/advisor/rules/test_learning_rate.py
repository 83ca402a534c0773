from __future__ import annotations

from typing import Any

import pytest

from tests.support.factories import make_plan_config, make_plan_for


@pytest.mark.parametrize(
    ("fields", "rate", "text_rate"),
    [
        ({}, 1e-4, 5e-5),
        ({"lineage": "nai"}, 1e-4, 5e-5),
        ({"lineage": "anylora"}, 7e-5, 3.5e-5),
        ({"lineage": "anylora", "subject": "style"}, 1e-4, 0.0),
        ({"advice": "current"}, 5e-4, 1e-4),
        ({"advice": "current", "lineage": "anylora"}, 2e-4, 4e-5),
        ({"advice": "current", "lineage": "anylora", "subject": "style"}, 5e-4, 0.0),
        ({"family": "sd2"}, 1e-4, 5e-5),
        ({"family": "sdxl"}, 1e-4, 0.0),
        ({"family": "sdxl", "lineage": "none"}, 1e-4, 0.0),
        ({"family": "sdxl", "lineage": "illustrious"}, 3e-4, 0.0),
        ({"family": "sdxl", "lineage": "noobai"}, 3e-4, 0.0),
        ({"family": "sdxl", "lineage": "animagine"}, 3e-4, 0.0),
        ({"family": "sdxl", "lineage": "pony"}, 3e-4, 0.0),
    ],
)
def test_one_rate_each(fields: dict[str, Any], rate: float, text_rate: float) -> None:
    optimizer = make_plan_config(**fields).optimizer

    assert optimizer.learning_rate == optimizer.unet_learning_rate == rate
    assert optimizer.text_encoder_learning_rate == text_rate


def test_a_low_chosen_rate_keeps_the_text_encoder_below_it() -> None:
    optimizer = make_plan_config(advice="current", settings={"optimizer.learning_rate": 1e-5}).optimizer

    assert optimizer.text_encoder_learning_rate == 2e-6


def test_a_text_encoder_that_is_trained_on_sdxl_is_the_users_choice() -> None:
    plan = make_plan_for(family="sdxl", settings={"optimizer.text_encoder_learning_rate": 5e-5})

    assert plan.config.memory.cache_text is False
    assert "who trains words too takes 1e-5 to 2e-5" in plan.by_path["optimizer.text_encoder_learning_rate"].reason
    assert "encoded once and kept" not in plan.by_path["dataset.shuffle_captions"].reason


def test_a_rate_of_sdxl_has_the_source_that_tells_it() -> None:
    plain, anime = (make_plan_for(family="sdxl", lineage=one).by_path for one in ("none", "noobai"))

    assert "4e-5 to 1e-4" in plain["optimizer.learning_rate"].source.says
    assert "U-Net 3e-4" in anime["optimizer.learning_rate"].source.says
    assert "U-Net alone" in anime["optimizer.text_encoder_learning_rate"].source.says


def test_a_tiny_card_trains_no_text_encoder_if_only_that_fits() -> None:
    trained = make_plan_config(vram_gib=6, free_gib=1.9).optimizer.text_encoder_learning_rate
    left_out = make_plan_config(vram_gib=6, free_gib=1.25)

    assert trained == 5e-5
    assert left_out.optimizer.text_encoder_learning_rate == 0.0
    assert left_out.memory.cache_text is True
