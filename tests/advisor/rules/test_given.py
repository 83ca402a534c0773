from __future__ import annotations

from typing import Any

import pytest

from tests.support.factories import make_plan_config, make_plan_for


@pytest.mark.parametrize(
    ("fields", "clip_skip"),
    [
        ({}, 1),
        ({"lineage": "none"}, 1),
        ({"lineage": "nai"}, 2),
        ({"lineage": "anylora"}, 2),
        ({"lineage": "anime", "advice": "current"}, 2),
        ({"family": "sd2"}, 1),
        ({"family": "sdxl"}, 2),
    ],
)
def test_clip_skip(fields: dict[str, Any], clip_skip: int) -> None:
    assert make_plan_config(**fields).model.clip_skip == clip_skip


@pytest.mark.parametrize(
    ("fields", "rescaled"),
    [
        ({}, False),
        ({"family": "sd2", "prediction": "v_prediction"}, False),
        ({"family": "sdxl", "prediction": "v_prediction"}, False),
        ({"family": "sdxl", "prediction": "v_prediction", "zero_terminal_snr": True}, True),
        ({"family": "sdxl", "prediction": "v_prediction", "lineage": "noobai"}, True),
        ({"family": "sdxl", "lineage": "noobai"}, False),
        ({"family": "sdxl", "zero_terminal_snr": True}, False),
    ],
)
def test_zero_terminal_snr(fields: dict[str, Any], rescaled: bool) -> None:
    assert make_plan_config(**fields).loss.zero_terminal_snr is rescaled


def test_the_prediction_is_the_bases_own() -> None:
    plan = make_plan_for(prediction="v_prediction", prediction_reason="the key v_pred")

    assert plan.config.model.prediction == "v_prediction"
    assert "the key v_pred" in plan.by_path["model.prediction"].reason


def test_a_base_that_does_not_tell_is_taken_to_predict_the_noise() -> None:
    assert make_plan_config(prediction=None).model.prediction == "epsilon"


def test_answers_become_settings_of_their_own() -> None:
    plan = make_plan_for(name="Mira Vos", trigger="", subject="style", advice="current")
    run = plan.config.run

    assert (run.trigger, run.subject, run.advice) == ("Mira Vos", "style", "current")
    assert plan.config.saving.name == "Mira Vos"
    assert plan.by_path["run.trigger"].origin == "default"
    assert plan.by_path["run.subject"].origin == "answer"


@pytest.mark.parametrize(
    ("vram_gib", "preset"),
    [(None, "cpu"), (2, "low"), (7.49, "low"), (7.5, "medium"), (11.49, "medium"), (11.5, "high"), (80, "high")],
)
def test_the_preset_goes_by_the_cards_total(vram_gib: float | None, preset: str) -> None:
    assert make_plan_config(vram_gib=vram_gib).memory.preset == preset


def test_a_chosen_preset_stands_and_what_it_starts_from_follows() -> None:
    low, high = (make_plan_config(vram_gib=24, settings=one) for one in ({"memory.preset": "low"}, {}))

    assert (low.memory.preset, high.memory.preset) == ("low", "high")
    assert (low.dataset.resolution_px, high.dataset.resolution_px) == (512, 576)
