from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from advisor.checkpoints.identity import Identity
from advisor.errors import ConfigError, ConfigErrors, DatasetError, ModelError, UnknownSetting, UserErrors
from advisor.facts import Facts
from advisor.machine.hardware import Hardware
from advisor.planning import planner, warnings
from advisor.planning.planner import make_plan
from advisor.rules import fitting
from advisor.settings.config import TrainingConfig, flat_settings, setting_paths
from advisor.settings.preset_file import PresetFile, PresetSetting
from advisor.units import GIB
from tests.support.factories import make_facts, make_gpu, make_hardware, make_plan_config, make_plan_for
from tests.support.strategies import facts

EXAMPLES = settings(max_examples=40)


@pytest.mark.parametrize(
    ("num_images", "rank", "alpha"), [(30, 32, 16.0), (49, 32, 16.0), (50, 64, 32.0), (99, 64, 32.0), (100, 128, 64.0)]
)
def test_the_tutorials_ranks(num_images: int, rank: int, alpha: float) -> None:
    config = make_plan_config(num_images=num_images)

    assert (config.network.rank, config.network.alpha) == (rank, alpha)
    assert config.optimizer.learning_rate == 1e-4
    assert config.optimizer.unet_learning_rate == 1e-4
    assert config.optimizer.text_encoder_learning_rate == 5e-5


@pytest.mark.parametrize(("subject", "rate"), [("character", 7e-5), ("style", 1e-4)])
def test_anylora_is_dampened_for_a_character_only(subject: str, rate: float) -> None:
    assert make_plan_config(lineage="anylora", subject=subject).optimizer.learning_rate == rate


@pytest.mark.parametrize(
    ("vram_gib", "preset", "batch_size", "resolution_px"),
    [
        (None, "cpu", 1, 512),
        (6, "low", 2, 512),
        (8, "medium", 4, 512),
        (12, "high", 4, 576),
        (24, "high", 4, 576),
    ],
)
def test_the_tutorials_presets(vram_gib: float | None, preset: str, batch_size: int, resolution_px: int) -> None:
    config = make_plan_config(vram_gib=vram_gib)

    assert config.memory.preset == preset
    assert config.schedule.batch_size == batch_size
    assert config.dataset.resolution_px == resolution_px
    assert config.memory.gradient_checkpointing is False


def test_every_setting_has_a_decision_in_the_order_of_the_tree() -> None:
    plan = make_plan_for()

    assert tuple(decision.path for decision in plan.decisions) == setting_paths()
    assert dict(flat_settings(plan.config)) == {decision.path: decision.value for decision in plan.decisions}


@EXAMPLES
@given(facts())
def test_every_decision_has_a_reason_and_a_source(case: Facts) -> None:
    for decision in make_plan(case).decisions:
        assert len(decision.reason) > 10, decision
        assert "default" not in decision.reason
        assert decision.source.title
        assert decision.source.url


@EXAMPLES
@given(facts())
def test_the_tutorials_limits_hold_in_every_plan(case: Facts) -> None:
    config = make_plan(case).config

    assert config.network.alpha <= config.network.rank
    assert config.optimizer.text_encoder_learning_rate <= config.optimizer.learning_rate
    assert config.dataset.resolution_px % 64 == 0
    assert config.schedule.batch_size in range(1, 7)


@EXAMPLES
@given(facts())
def test_the_parts_of_memory_add_up(case: Facts) -> None:
    outlook = make_plan(case).estimate

    assert sum(outlook.vram_parts.values()) == outlook.vram_bytes
    assert outlook.steps >= 1
    assert outlook.disk_bytes >= outlook.lora_bytes


@EXAMPLES
@given(facts())
def test_the_same_facts_give_the_same_plan(case: Facts) -> None:
    assert make_plan(case) == make_plan(case)


@pytest.mark.parametrize(
    ("case", "others"),
    [
        (make_facts(has_bitsandbytes=True), 0),
        (make_facts(vram_gib=None), 0),
        (make_facts(has_bitsandbytes=False), 1),
        (make_facts(has_bitsandbytes=True, settings={"schedule.batch_size": 3}), 1),
        (make_facts(settings={"schedule.batch_size": 3, "memory.gradient_checkpointing": True}), 3),
    ],
    ids=["usual", "processor", "without bitsandbytes", "chosen batch", "chosen batch and checkpointing"],
)
def test_the_fit_is_worked_out_once_and_once_for_each_what_if(
    case: Facts, others: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What-ifs are other facts: with bitsandbytes, or without one of the user's choices."""
    fitted = list[Facts]()

    def counted(facts: Facts, config: TrainingConfig) -> fitting.Fit:
        fitted.append(facts)
        return fit(facts, config)

    fit = fitting.fit
    for module in (planner, warnings, fitting):
        monkeypatch.setattr(module, "fit", counted)
    make_plan(case)

    assert fitted.count(case) == 1
    assert len(fitted) == 1 + others


def test_the_whole_configuration_is_validated_at_the_start_and_at_the_end(monkeypatch: pytest.MonkeyPatch) -> None:
    trees = list[object]()

    def counted(tree: object) -> TrainingConfig:
        trees.append(tree)
        return validate(tree)

    case, validate = make_facts(vram_gib=4, settings={"network.rank": 48}), TrainingConfig.model_validate
    monkeypatch.setattr(TrainingConfig, "model_validate", counted)
    config = make_plan(case).config

    assert len(trees) == 2
    assert trees[-1] == config.model_dump()


def with_card(case: Facts, total_gib: float, free_gib: float) -> Facts:
    gpu = make_gpu(total_gib, free_gib=min(total_gib, free_gib))
    return replace(case, hardware=replace(case.hardware, gpus=(gpu,)))


def effective_batch(config: TrainingConfig) -> int:
    return config.schedule.batch_size * config.schedule.gradient_accumulation


@EXAMPLES
@given(facts(vram_gib=8.0), *(st.floats(1, 30) for _ in range(4)))
def test_more_memory_never_means_less(case: Facts, total: float, free: float, more: float, more_free: float) -> None:
    small = make_plan(with_card(case, total, free)).config
    large = make_plan(with_card(case, total + more, min(total, free) + min(more, more_free))).config

    assert effective_batch(large) == effective_batch(small) == 4
    assert large.dataset.resolution_px >= small.dataset.resolution_px
    assert large.network.rank >= small.network.rank


@EXAMPLES
@given(st.integers(1, 400), st.integers(0, 400), st.sampled_from(("sd1", "sd2", "sdxl")))
def test_more_pictures_never_mean_a_smaller_rank(number: int, more: int, family: str) -> None:
    few = make_plan_config(num_images=number, family=family)
    many = make_plan_config(num_images=number + more, family=family)

    assert many.network.rank >= few.network.rank


def test_what_the_user_chose_stands_and_dependants_follow() -> None:
    plan = make_plan_for(settings={"network.rank": "48", "optimizer.learning_rate": "4e-5"})

    assert plan.config.network.rank == 48
    assert plan.config.network.alpha == 24.0
    assert plan.config.optimizer.unet_learning_rate == 4e-5
    assert plan.config.optimizer.text_encoder_learning_rate == 2e-5
    assert plan.by_path["network.rank"].origin == "answer"
    assert "32" in plan.by_path["network.rank"].reason
    assert plan.by_path["network.alpha"].origin == "rule"
    assert [warning.code for warning in plan.warnings] == ["alpha_not_power_of_two"]


def test_a_chosen_lineage_changes_what_follows_from_it() -> None:
    config = make_plan_config(settings={"model.lineage": "anylora"})

    assert config.optimizer.learning_rate == 7e-5
    assert config.model.clip_skip == 2


def test_a_chosen_unet_rate_leads_the_others() -> None:
    config = make_plan_config(settings={"optimizer.unet_learning_rate": 2e-4})

    assert config.optimizer.learning_rate == 2e-4
    assert config.optimizer.text_encoder_learning_rate == 1e-4


def test_a_chosen_resolution_is_paid_for_by_the_batch() -> None:
    config = make_plan_config(vram_gib=8, settings={"dataset.resolution_px": 768})

    assert config.dataset.resolution_px == 768
    assert (config.schedule.batch_size < 4) or config.memory.gradient_checkpointing


def test_all_wrong_settings_are_told_at_once() -> None:
    wrong = {
        "network.rank": "many",
        "network.alpha": 400,
        "optimizer.text_encoder_learning_rate": 2e-4,
        "dataset.resolution_px": "500",
        "network.rnak": 4,
        "memory.compute_dtype": "float8",
    }

    with pytest.raises(ConfigErrors) as caught:
        make_plan(make_facts(settings=wrong))

    assert {error.path for error in caught.value.errors} == set(wrong) - {"network.alpha"}
    assert any(isinstance(error, UnknownSetting) for error in caught.value.errors)
    assert caught.value.exit_code == 2
    assert "network.rank" in str(caught.value)


def test_settings_that_follow_from_what_was_looked_at_cannot_be_set() -> None:
    with pytest.raises(ConfigErrors, match="--images"):
        make_plan(make_facts(settings={"dataset.images": "/elsewhere"}))


PRESET = PresetFile(
    "Small cartoons",
    "small.toml",
    (
        PresetSetting("network.rank", 16, "four million weights"),
        PresetSetting("optimizer.learning_rate", 4e-3, "small"),
    ),
)


def test_a_preset_file_beats_the_rules() -> None:
    plan = make_plan(make_facts(preset=PRESET))

    assert plan.config.network.rank == 16
    assert plan.config.network.alpha == 8.0
    assert plan.config.optimizer.text_encoder_learning_rate == 2e-3
    decision = plan.by_path["network.rank"]
    assert (decision.origin, decision.reason, decision.source.title) == (
        "preset",
        "four million weights",
        "Small cartoons",
    )


def test_an_answer_beats_a_preset_file() -> None:
    plan = make_plan(make_facts(preset=PRESET, settings={"network.rank": 8}))

    assert plan.config.network.rank == 8
    assert plan.by_path["network.rank"].origin == "answer"


def test_a_folder_without_pictures_gets_no_plan() -> None:
    with pytest.raises(DatasetError, match="no usable picture"):
        make_plan(make_facts(num_images=0))


@pytest.mark.parametrize("fields", [{"kind": "lora"}, {"family": None}, {"family": "flux1", "trainable": False}])
def test_what_is_no_base_model_to_plan_for_gets_no_plan(fields: dict[str, object]) -> None:
    values = {"kind": "checkpoint", "family": "sd1", "trainable": True} | fields
    with pytest.raises(ModelError):
        make_plan(make_facts(model=Identity(path="/models/x.safetensors", **values)))  # type: ignore[arg-type]


def test_a_family_that_is_not_trained_yet_still_gets_a_plan_to_export() -> None:
    plan = make_plan_for(family="sdxl", trainable=False, why_not="SDXL is not trained yet")

    assert "not_trainable_yet" in {warning.code for warning in plan.warnings}


def test_the_processor_trains_where_the_user_said_so() -> None:
    config = make_plan_config(use_cpu=True)

    assert config.memory.preset == "cpu"
    assert config.memory.compute_dtype == "float32"
    assert config.machine.gpu_uuid == ""


def test_free_memory_decides_within_the_preset() -> None:
    hardware: Hardware = make_hardware(8, free_gib=4.0)
    plan = make_plan(make_facts(hardware=hardware))

    assert plan.config.memory.preset == "medium"
    assert plan.config.memory.gradient_checkpointing or plan.config.schedule.gradient_accumulation > 1
    assert plan.estimate.vram_bytes <= 0.95 * 4 * GIB


def test_wrong_settings_are_told_beside_a_folder_without_pictures() -> None:
    with pytest.raises(UserErrors) as caught:
        make_plan(make_facts(num_images=0, settings={"network.rank": "many", "x.y": "1"}))

    assert [type(error) for error in caught.value.errors] == [DatasetError, ConfigError, UnknownSetting]
