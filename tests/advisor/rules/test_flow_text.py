"""What rules say of text in flow matching families, whose text encoder is a file of its own and never trained."""

from __future__ import annotations

from typing import Any

import pytest

from advisor.checkpoints.identity import PartFile
from advisor.facts import Facts
from advisor.rules import RULES
from advisor.rules.card_class import text_rate
from advisor.rules.rule import Advice, Rule
from advisor.settings.config import TrainingConfig, changed
from tests.support.factories import make_facts, make_plan_for


def advised(path: str, facts: Facts, config: TrainingConfig) -> Advice:
    (found,) = (rule for rule in RULES if rule.sets == path and isinstance(rule, Rule))
    advice = found.judge(facts, config)
    assert advice is not None
    return advice


def flow_config(**settings: Any) -> TrainingConfig:
    config = changed(make_plan_for().config, "model.prediction", "flow")
    for path, value in settings.items():
        config = changed(config, path.replace("__", "."), value)
    return config


def found_at(kind: Any, path: str | None, *others: str) -> Facts:
    return make_facts(part_files=(PartFile(kind, path, others, "qwen.safetensors", 2 * 1024**3),))


def test_text_encoders_are_not_trained() -> None:
    assert text_rate(make_plan_for().config) > 0
    assert text_rate(flow_config()) == 0


def test_captions_are_encoded_before_training_whether_they_change_or_not() -> None:
    for shuffled in (False, True):
        advice = advised("memory.cache_text", make_facts(), flow_config(dataset__shuffle_captions=shuffled))

        assert advice.value is True
        assert "leaves the memory before the denoiser is loaded" in advice.reason


@pytest.mark.parametrize(
    ("settings", "value"),
    [
        ({"dataset__shuffle_captions": True}, 8),
        ({"dataset__shuffle_captions": False, "dataset__tag_dropout": 0.1}, 8),
        ({"dataset__shuffle_captions": False, "dataset__caption_dropout": 0.1}, 0),
    ],
)
def test_captions_that_change_get_several_forms(settings: dict[str, Any], value: int) -> None:
    assert advised("memory.text_variants", make_facts(), flow_config(**settings)).value == value


def test_a_text_encoder_that_was_found_is_written_down() -> None:
    facts = found_at("text_encoder", "/models/qwen.safetensors", "/models/other.safetensors")
    advice = advised("model.text_encoder_path", facts, flow_config())

    assert advice.value == "/models/qwen.safetensors"
    assert advice.reason == "the text encoder found nearest to the base model; 1 other file would do too"


def test_a_vae_in_the_base_models_own_file_is_written_down() -> None:
    advice = advised("model.vae_path", found_at("vae", "/models/base.safetensors"), flow_config())

    assert advice.value == "/models/base.safetensors"
    assert advice.reason == "the base model's own file has its VAE"


def test_one_that_was_not_found_is_named() -> None:
    advice = advised("model.text_encoder_path", found_at("text_encoder", None), flow_config())

    assert (advice.value, advice.origin) == (None, "default")
    assert "get qwen.safetensors (2.0 GiB)" in advice.reason


def test_other_families_have_none() -> None:
    advice = advised("model.text_encoder_path", make_facts(), make_plan_for().config)

    assert (advice.value, advice.reason) == (None, "the base model brings its own text encoder")
