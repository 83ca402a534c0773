from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from advisor.adapters.start_file import read_start
from advisor.settings.config import flat_settings
from templates.ai_toolkit.import_job import import_job
from templates.importing.import_plan import ImportPlan, described, is_absolute, plan_import
from templates.importing.imported import Imported
from templates.kohya.import_gui import import_gui
from templates.kohya.import_lora import import_lora
from templates.kohya.import_scripts import import_scripts
from templates.onetrainer.import_config import import_onetrainer
from tests.support.factories import make_facts
from tests.support.given_files import GivenFiles
from tests.support.headers import write_model
from tests.templates.kohya.test_import_lora import KOHYA, LORA

BASE = {"LoRA_type": "Standard", "network_dim": 8, "network_alpha": 128, "max_train_steps": 0, "epoch": 10, "seed": 3,
        "pretrained_model_name_or_path": "D:\\models\\a.safetensors", "train_data_dir": "D:\\img"}  # fmt: skip


def planned(facts: Any = None, own: dict[str, Any] | None = None, /, **keys: Any) -> ImportPlan:
    return plan_import(import_gui({**BASE, **keys}, GivenFiles(), source="/f/fox.json"), facts, own or {})


def test_limits_of_the_tutorial_only_warn() -> None:
    made = planned()

    assert made.plan.config.network.alpha == 128
    assert any("alpha may not exceed the rank, which is 8" in warning.message for warning in made.plan.warnings)


def test_a_lora_to_go_on_from_that_does_not_fit_is_warned_of_with_the_setting_that_would(tmp_path: Path) -> None:
    name = "lora_unet_down_blocks_0_attentions_0_transformer_blocks_0_attn2_to_k"
    shapes = {f"{name}.lora_down.weight": (16, 768), f"{name}.lora_up.weight": (320, 16)}
    start = read_start(write_model(tmp_path / "a.safetensors", shapes))

    made = planned(replace(make_facts(), start=start), network_weights=start.path, network_alpha=4)

    (limit,) = [warning.message for warning in made.plan.warnings if warning.code == "limit_passed"]
    assert "has rank 16: set network.rank to 16" in limit
    assert made.advice


def test_model_and_images_need_not_be_here() -> None:
    made = planned()

    assert made.facts is None
    assert made.plan.config.model.path == "D:\\models\\a.safetensors"
    assert made.plan.config.saving.name == "fox"
    assert made.advice == ()


def test_each_setting_tells_where_it_comes_from() -> None:
    decisions = planned(make_facts()).plan.by_path

    assert decisions["network.rank"].origin == "import"
    assert decisions["network.rank"].reason == "network_dim is 8"
    assert decisions["memory.compute_dtype"].origin == "import"
    assert "does not say" in decisions["memory.compute_dtype"].reason
    assert decisions["memory.preset"].origin == "rule"
    assert len(decisions) == len(planned().plan.by_path)


def test_the_advisor_says_what_it_would_change_and_why() -> None:
    advice = {item.path: item for item in planned(make_facts(num_images=30)).advice}

    assert advice["network.rank"].imported == 8
    assert advice["network.rank"].advised == 32
    assert "30 pictures" in described(advice["network.rank"])
    assert "model.path" not in advice
    assert "machine.cpu_threads" not in advice


def test_the_base_models_own_file_knows_its_family_better() -> None:
    made = planned(make_facts(family="sd1"), sdxl=True)

    assert made.plan.config.model.family == "sd1"
    assert any("base model" in line.key for line in made.imported.of("contradictory"))


def test_what_the_user_gives_counts_before_the_file() -> None:
    made = planned(None, {"saving.name": "mira", "dataset.images": "/p"})

    assert made.plan.config.saving.name == "mira"
    assert made.plan.by_path["dataset.images"].origin == "answer"


def test_paths_of_every_system_are_absolute() -> None:
    assert is_absolute("/a/b")
    assert is_absolute("D:\\a")
    assert not is_absolute("a/b")


@pytest.mark.parametrize(
    ("captions", "wildcards", "lines"),
    [("mira, smile", False, "joined"), ("mira\nsmile", False, "random"), ("mira, {hat|bow}", True, "random")],
)
def test_lines_are_drawn_only_where_captions_have_several(captions: str, wildcards: bool, lines: str) -> None:
    defaults = {"dataset.caption_lines": "random", "dataset.wildcards": wildcards}
    imported = Imported("onetrainer", "OneTrainer", "/f/config.json", {}, (), defaults)

    made = plan_import(imported, make_facts(family="sdxl", captions=captions), {})

    assert made.plan.config.dataset.caption_lines == lines


SHORT_FILES = {
    "kohya-gui": import_gui({"LoRA_type": "Standard"}, GivenFiles()),
    "sd-scripts": import_scripts({"network_module": "networks.lora", "unet_lr": 1e-4}, GivenFiles()),
    "onetrainer": import_onetrainer({"training_method": "LORA", "model_type": "STABLE_DIFFUSION_15"}),
    "ai-toolkit": import_job(
        {"job": "extension", "config": {"process": [{"network": {"type": "lora"}}]}}, GivenFiles()
    ),
    "lora": import_lora(KOHYA, LORA),
}
OF_THE_CASE = (
    "model.path", "model.family", "model.prediction", "model.lineage", "dataset.images", "dataset.folders",
    "dataset.only_folders", "dataset.regularization_", "machine.", "memory.preset", "sampling.", "saving.name",
    "saving.state_every_minutes", "run.", "dataset.caption_lines",
)  # fmt: skip
"""Settings that no trainer has by itself, or that follow from the captions there are."""
NEVER_RECORDED = (
    "dataset.caption_extension", "dataset.bucket_step_px", "dataset.weighted_captions", "memory.base_dtype",
    "memory.cache_text", "network.start_from", "network.resize_start", "loss.ema", "saving.", "validation.",
)  # fmt: skip
"""What a LoRA's metadata cannot tell, so that the rules may."""


@pytest.mark.parametrize("name", SHORT_FILES)
def test_what_a_file_leaves_out_its_own_trainer_settles_whatever_is_on_this_machine(name: str) -> None:
    found: Imported = SHORT_FILES[name]
    not_compared = OF_THE_CASE + (NEVER_RECORDED if name == "lora" else ())

    made = plan_import(found, make_facts(num_images=40), {})
    here = dict(flat_settings(made.plan.config))
    elsewhere = dict(flat_settings(plan_import(found, None, {}).plan.config))

    settings = [path for path in here if not path.startswith(not_compared)]
    assert {path for path in settings if path not in made.imported.effective} == set()
    assert {path: here[path] for path in settings} == {path: elsewhere[path] for path in settings}
