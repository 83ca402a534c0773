from __future__ import annotations

from typing import get_args

import pytest

from advisor.rules.optimizers import OPTIMIZERS
from advisor.settings.config import OptimizerName
from tests.support.factories import make_plan_config, make_plan_for


def test_every_optimizer_has_a_column_of_its_own() -> None:
    assert set(OPTIMIZERS) == set(get_args(OptimizerName))


@pytest.mark.parametrize(
    ("name", "rate", "schedule", "warmup", "decay", "alpha"),
    [
        ("adamw", 1e-4, "cosine", 0.05, 0.01, 16),
        ("adamw8bit", 1e-4, "cosine", 0.05, 0.01, 16),
        ("adafactor", 1e-4, "constant_with_warmup", 0.05, 0.01, 16),
        ("prodigy", 1.0, "cosine", 0.0, 0.01, 32),
        ("lion", 2e-5, "cosine", 0.05, 0.05, 16),
        ("came", 1e-4, "cosine", 0.05, 0.01, 16),
        ("schedule_free_adamw", 1e-4, "constant", 0.0, 0.01, 16),
    ],
)
def test_what_each_optimizer_gets(
    name: str, rate: float, schedule: str, warmup: float, decay: float, alpha: float
) -> None:
    plan = make_plan_for(settings={"optimizer.name": name})
    config = plan.config

    assert config.optimizer.unet_learning_rate == pytest.approx(rate)
    assert (config.schedule.name, config.schedule.warmup_share) == (schedule, warmup)
    assert (config.optimizer.weight_decay, config.network.alpha) == (decay, alpha)
    assert "rate_of_another_optimizer" not in {warning.code for warning in plan.warnings}


def test_prodigy_is_run_as_its_authors_run_it() -> None:
    plan = make_plan_for(settings={"optimizer.name": "prodigy"})

    assert plan.config.optimizer.arguments == ("safeguard_warmup=True", "use_bias_correction=True")
    assert plan.config.optimizer.text_encoder_learning_rate == 1.0
    for path in ("optimizer.learning_rate", "optimizer.arguments"):
        assert plan.by_path[path].source.url == "https://github.com/konstmish/prodigy"


def test_schedule_free_warms_up_by_its_own_argument() -> None:
    assert make_plan_config(settings={"optimizer.name": "schedule_free_adamw"}).optimizer.arguments == (
        "warmup_steps=75",
    )


def test_lion_on_a_base_that_burns_fast_takes_a_fifth_of_that_bases_rate() -> None:
    assert make_plan_config(lineage="anylora", settings={"optimizer.name": "lion"}).optimizer.learning_rate == (
        pytest.approx(1.4e-5)
    )


def test_adafactors_own_schedule_has_no_warm_up() -> None:
    config = make_plan_config(settings={"optimizer.name": "adafactor", "schedule.name": "adafactor"})

    assert config.schedule.warmup_share == 0.0


@pytest.mark.parametrize(
    ("name", "rate", "told"),
    [("prodigy", 1e-4, "Prodigy takes 1"), ("adamw", 1.0, "with AdamW"), ("lion", 1e-3, "with Lion")],
)
def test_a_rate_that_belongs_to_another_optimizer_is_told(name: str, rate: float, told: str) -> None:
    chosen = {"optimizer.name": name, "optimizer.learning_rate": rate, "optimizer.unet_learning_rate": rate}
    settings = {**chosen, "optimizer.text_encoder_learning_rate": 0}
    warnings = {one.code: one.message for one in make_plan_for(settings=settings).warnings}

    assert told in warnings["rate_of_another_optimizer"]
