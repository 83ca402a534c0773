from __future__ import annotations

import pytest

from advisor.rules import RULES
from advisor.rules.rule import Rule
from advisor.settings.config import LossConfig, TrainingConfig, changed
from tests.support.factories import make_facts, make_plan_for

OF_FLOW = {
    "loss.min_snr_gamma": 0.0, "loss.debiased": False, "loss.noise_offset": 0.0, "loss.adaptive_noise_scale": 0.0,
    "loss.multires_iterations": 0,
}  # fmt: skip


def rule_of(path: str) -> Rule:
    (found,) = (rule for rule in RULES if rule.sets == path and isinstance(rule, Rule))
    return found


def flow_config() -> TrainingConfig:
    return changed(make_plan_for().config, "model.prediction", "flow")


@pytest.mark.parametrize("path", OF_FLOW)
def test_what_flow_matching_has_no_use_for_is_off_with_its_reason(path: str) -> None:
    advice = rule_of(path).judge(make_facts(), flow_config())

    assert advice is not None
    assert advice.value == OF_FLOW[path]
    assert "flow" in advice.reason


def test_flow_matching_draws_the_middle_most() -> None:
    advice = rule_of("loss.timestep_sampling").judge(make_facts(), flow_config())

    assert advice is not None
    assert advice.value == "logit_normal"


def test_other_bases_draw_all_timesteps_alike() -> None:
    loss, usual = make_plan_for().config.loss, LossConfig()
    names = ("timestep_sampling", "timestep_mean", "timestep_scale", "timestep_shift", "timestep_weighting")

    assert [getattr(loss, name) for name in names] == [getattr(usual, name) for name in names]
