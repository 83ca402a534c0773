from __future__ import annotations

from typing import Any

import pytest

from advisor.planning.limits import limits_of_training
from advisor.settings.config import TrainingConfig, with_values
from tests.support.factories import make_plan_config


def anima(**settings: Any) -> TrainingConfig:
    flow = {
        "model.family": "anima", "model.prediction": "flow", "loss.min_snr_gamma": 0.0, "sampling.sampler": "euler",
        "optimizer.text_encoder_learning_rate": 0.0, "memory.cache_text": True, "memory.text_variants": 8,
    }  # fmt: skip
    return with_values(make_plan_config(), {**flow, **settings})


@pytest.mark.parametrize(
    ("settings", "path"),
    [
        ({}, None),
        ({"network.text_adapter": True}, None),
        ({"network.kind": "lokr"}, None),
        ({"network.kind": "locon"}, "network.kind"),
        ({"network.conv_rank": 4}, "network.conv_rank"),
    ],
)
def test_anima_takes_what_it_has_layers_for(settings: dict[str, Any], path: str | None) -> None:
    assert [error.path for _, error in limits_of_training(anima(**settings))] == ([] if path is None else [path])


def test_sd_has_no_layers_between_text_encoder_and_denoiser() -> None:
    config = with_values(make_plan_config(), {"network.text_adapter": True})
    (error,) = [error for _, error in limits_of_training(config)]

    assert (error.path, error.mend) == (
        "network.text_adapter", "SD1.x has no layers between text encoder and denoiser: turn this off"
    )  # fmt: skip
