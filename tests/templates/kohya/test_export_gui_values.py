from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings

from advisor.settings.config import TrainingConfig, with_values
from templates.exporting.derived import Length
from templates.kohya.export_check import check_gui
from templates.kohya.export_coverage import gui_errors
from templates.kohya.export_gui import render_gui
from templates.kohya.export_gui_values import gui_settings
from templates.kohya.export_schedule import schedule_errors
from templates.kohya.gui_keys import gui_keys
from tests.support.export_strategies import configs
from tests.support.paths import GOLDENS
from tests.support.samples import LAYOUT, golden_texts, sample_config

NOT_A_SETTING = "save_as_bool"
"""The GUI's Save button writes it, and its Open button does not read it."""


def values(**groups: Any) -> dict[str, Any]:
    return dict(gui_settings(sample_config(**groups), LAYOUT))


@pytest.mark.parametrize("name", ["kohya-gui-medium.json", "kohya-gui-high.json"])
def test_a_plan_is_written_as_the_golden_has_it(name: str) -> None:
    assert golden_texts()[name] == (GOLDENS / name).read_text("utf-8")


def test_goldens_hold_the_tutorials_numbers() -> None:
    medium, high = (json.loads((GOLDENS / f"kohya-gui-{name}.json").read_text("utf-8")) for name in ("medium", "high"))

    assert (medium["network_dim"], medium["network_alpha"]) == (32, 16)
    assert (medium["learning_rate"], medium["unet_lr"], medium["text_encoder_lr"]) == (0.0001, 0.0001, 0.00005)
    assert (medium["max_resolution"], high["max_resolution"]) == ("512,512", "576,576")
    assert medium["train_batch_size"] in (2, 3, 4)
    assert high["train_batch_size"] in (4, 5, 6)
    assert (medium["max_train_steps"], medium["epoch"], medium["lr_warmup"]) == (0, 10, 0)
    assert medium["lr_warmup_steps"] == 300 // medium["train_batch_size"]
    assert medium["num_cpu_threads_per_process"] == 8
    assert (medium["LoRA_type"], medium["optimizer"], medium["mixed_precision"]) == ("Standard", "AdamW", "bf16")
    assert (medium["save_precision"], medium["clip_skip"]) == ("fp16", 1)
    assert (medium["min_snr_gamma"], medium["seed"]) == (5, 42)


def writable(config: TrainingConfig) -> TrainingConfig:
    """The same without what kohya has no word for."""
    network = config.network.model_copy(update={"conv_alpha": float(round(config.network.conv_alpha) or 1)})
    model = config.model.model_copy(update={"prediction": "epsilon"})
    changed = config.model_copy(update={"network": network, "model": model})
    if list(schedule_errors(changed)):
        changed = with_values(changed, {"schedule.name": "cosine"})
    assert not list(gui_errors(changed))
    return changed


@settings(max_examples=50)
@given(configs.map(writable))
def test_every_key_has_the_type_that_the_gui_saves(config: TrainingConfig) -> None:
    written = json.loads(render_gui(gui_settings(config, LAYOUT)))

    assert list(written) == list(gui_keys())
    for name, key in gui_keys().items():
        assert key.has_type_of(written[name]), (name, written[name])
        assert not (isinstance(written[name], float) and written[name].is_integer()), name


def test_the_table_has_all_287_settings_of_the_gui() -> None:
    assert len(gui_keys()) == 287
    assert NOT_A_SETTING not in gui_keys()


def test_steps_of_ones_own_end_the_training_only_where_the_epochs_would_not() -> None:
    ends = replace(LAYOUT, length=Length(300, 1000, ends_early=True))
    found = gui_settings(sample_config(schedule={"max_steps": 1000}), ends)

    assert (found["max_train_steps"], found["max_train_epochs"], found["lr_warmup_steps"]) == (1000, 0, 50)
    assert (values(schedule={"max_steps": 9000})["max_train_steps"], values()["max_train_epochs"]) == (0, 10)


def test_warm_up_is_a_percentage_only_where_the_steps_cannot_be_known() -> None:
    unknown = gui_settings(sample_config(), replace(LAYOUT, length=None))

    assert (unknown["lr_warmup"], unknown["lr_warmup_steps"]) == (5, 0)
    assert values(schedule={"warmup_steps": 77})["lr_warmup_steps"] == 77


@pytest.mark.parametrize(
    ("groups", "words"),
    [
        ({"optimizer": {"max_grad_norm": 0}}, "--max_grad_norm 0"),
        ({"loss": {"prior_weight": 0}}, "--prior_loss_weight 0"),
        ({"run": {"seed": 0}}, "--seed 0"),
        ({"loss": {"min_snr_gamma": 2.5}}, "--min_snr_gamma 2.5"),
        ({"dataset": {"tag_dropout": 0.1}}, "--caption_tag_dropout_rate 0.1"),
        ({"dataset": {"masks": True}}, "--alpha_mask"),
        ({"dataset": {"wildcards": True}}, "--enable_wildcard"),
        ({"dataset": {"keep_tokens_separator": "KEEP"}}, "--keep_tokens_separator KEEP"),
        ({"dataset": {"keep_tokens_separator": "|||"}}, ""),
        ({"validation": {"share": 0.1}}, "--validation_split 0.1 --validate_every_n_epochs 1"),
        ({}, ""),
    ],
)
def test_what_the_gui_drops_goes_by_the_command_line(groups: dict[str, Any], words: str) -> None:
    assert values(**groups)["additional_parameters"] == words


@pytest.mark.parametrize(
    ("network", "written"),
    [
        ({"kind": "lora"}, {"LoRA_type": "Standard"}),
        ({"kind": "locon", "conv_rank": 8}, {"LoRA_type": "Kohya LoCon", "conv_dim": 8, "conv_alpha": 4}),
        ({"kind": "loha"}, {"LoRA_type": "LyCORIS/LoHa", "LyCORIS_preset": "attn-mlp"}),
        ({"kind": "lokr", "factor": 8}, {"LoRA_type": "LyCORIS/LoKr", "factor": 8}),
        ({"kind": "dora", "conv_rank": 4}, {"LoRA_type": "LyCORIS/LoCon", "dora_wd": True, "LyCORIS_preset": "full"}),
    ],
)
def test_each_kind_of_adapter_has_its_name(network: dict[str, Any], written: dict[str, Any]) -> None:
    assert written.items() <= values(network=network).items()


def test_sdxl_has_its_switches() -> None:
    found = values(model={"family": "sdxl", "prediction": "v_prediction"}, loss={"zero_terminal_snr": True})

    assert (found["sdxl"], found["sdxl_no_half_vae"], found["v_parameterization"], found["v2"]) == (
        True,
        True,
        True,
        False,
    )
    assert found["additional_parameters"] == "--zero_terminal_snr"


def test_what_the_user_gave_the_optimizer_stands() -> None:
    found = values(optimizer={"name": "adafactor", "arguments": ["relative_step=True"], "weight_decay": 0.1})

    expected = "weight_decay=0.1 scale_parameter=False warmup_init=False relative_step=True"
    assert found["optimizer_args"] == expected


def test_prompts_are_lines_with_their_options() -> None:
    found = values(sampling={"prompts": ["a\nfox --n x", "b"], "negative": "bad", "sampler": "euler"})

    assert found["sample_prompts"] == (
        "a fox -n x --n bad --w 512 --h 512 --d 42 --l 7 --s 20\nb --n bad --w 512 --h 512 --d 43 --l 7 --s 20"
    )
    assert (found["sample_every_n_epochs"], found["sample_sampler"]) == (1, "euler")


def test_keeping_the_last_counts_files_by_epoch_and_steps_by_step() -> None:
    found = values(saving={"keep_last": 3, "every_steps": 100})

    assert (found["save_last_n_epochs"], found["save_last_n_steps"]) == (3, 299)


def test_sdxls_list_of_ranks_gets_the_two_blocks_without_adapters_that_kohya_counts() -> None:
    ranks = values(model={"family": "sdxl"}, network={"block_ranks": [4] * 21})["block_dims"]

    assert ranks == ",".join(["0", *["4"] * 21, "0"])
    assert not [found for found in check_gui(values(model={"family": "sdxl"}, network={"block_ranks": [4] * 21}))
                if found.key == "block_dims"]  # fmt: skip
