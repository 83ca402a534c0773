from __future__ import annotations

from typing import Any

import pytest

from templates.importing.imported import Imported
from templates.kohya.gui_keys import GuiKey, GuiValue, gui_keys
from templates.kohya.import_gui import import_gui, other_tab
from tests.support.given_files import GivenFiles

BASE = {"LoRA_type": "Standard", "network_dim": 16, "network_alpha": 8, "max_train_steps": 0, "epoch": 10}


def imported(local: GivenFiles | None = None, **keys: Any) -> Imported:
    return import_gui({**BASE, **keys}, local or GivenFiles())


def verdict(found: Imported, key: str) -> str:
    return next(line.verdict for line in found.lines if line.key == key)


def test_numbers_as_text_are_read_and_reported() -> None:
    found = imported(network_dim="16", learning_rate="1e-4", epoch="12", text_encoder_lr="5e-5")

    assert found.settings["network.rank"] == 16
    assert found.settings["optimizer.learning_rate"] == 1e-4
    assert found.settings["optimizer.text_encoder_learning_rate"] == 5e-5
    assert found.settings["schedule.epochs"] == 12
    assert verdict(found, "network_dim") == "translated"


UNKNOWN_TODAY = {"dora_wd", "save_last_n_steps", "show_timesteps", "split_mode"}
"""Keys of the GUI that are reported as unknown where they stand alone at another value than the GUI starts with."""


def test_every_key_of_the_gui_is_known() -> None:
    start = {key.name: key.default for key in gui_keys().values()}
    found = {
        key.name
        for key in gui_keys().values()
        if verdict(import_gui(start | {key.name: other(key)}, GivenFiles()), key.name) == "unknown"
    }

    assert found == UNKNOWN_TODAY


def other(key: GuiKey) -> GuiValue:
    """A value that the GUI does not start with."""
    if key.choices:
        return next(value for value in key.choices if value != key.default)
    if key.type == "bool":
        return not key.default
    return "other" if key.type == "string" else 7


def test_old_keys_are_understood() -> None:
    found = imported(use_8bit_adam=True, lora_network_weights="/l/old.safetensors", xformers=True, LoRA_type="LoCon",
                     conv_dim=8, conv_alpha=4, stop_text_encoder_training_pct=0)  # fmt: skip

    assert found.settings["optimizer.name"] == "adamw8bit"
    assert found.settings["network.start_from"] == "/l/old.safetensors"
    assert found.settings["network.kind"] == "locon"
    assert found.settings["network.conv_rank"] == 8
    assert verdict(found, "xformers") == "idle"
    assert verdict(found, "stop_text_encoder_training_pct") == "idle"


def test_every_key_has_a_line_whatever_it_is() -> None:
    keys: dict[str, Any] = {
        "mystery": 1,
        "another": None,
        "wandb_api_key": "abc123",
        "flux1_t5xxl": "x",
        "full_fp16": True,
        "adaptive": "",
    }

    found = imported(**keys)

    assert {line.key for line in found.lines} >= {*BASE, *keys}
    assert verdict(found, "mystery") == "unknown"
    assert verdict(found, "another") == "idle"
    assert verdict(found, "full_fp16") == "dropped"
    assert "abc123" not in str(found.lines)


@pytest.mark.parametrize(
    ("keys", "project"),
    [
        ({"log_with": "all", "log_tracker_name": "mira"}, "mira"),
        ({"log_with": "wandb", "log_tracker_name": ""}, "network_train"),
        ({"use_wandb": True}, "network_train"),
        ({"log_with": "tensorboard", "log_tracker_name": "mira"}, None),
        ({"log_with": "wandb", "log_tracker_name": "a/b"}, None),
    ],
)
def test_the_project_at_weights_and_biases_is_taken_and_its_key_is_not(
    keys: dict[str, Any], project: str | None
) -> None:
    found = imported(wandb_api_key="abc123", **keys)

    assert found.settings.get("run.wandb_project") == project
    assert next(line.note for line in found.lines if line.key == "wandb_api_key").startswith("keys are not taken over")
    assert "abc123" not in str(found)


def test_a_zero_that_the_gui_hands_on_to_nobody_is_sd_scripts_own_value() -> None:
    found = imported(max_grad_norm=0, prior_loss_weight=0)

    assert found.settings["optimizer.max_grad_norm"] == 1
    assert found.settings["loss.prior_weight"] == 1
    assert {line.key for line in found.of("contradictory")} >= {"max_grad_norm", "prior_loss_weight"}


def test_only_secrets_are_not_shown() -> None:
    found = imported(huggingface_token="hf_abc", keep_tokens_separator="|||", max_token_length="150", token_string="x")

    shown = {line.key: line.found for line in found.lines}
    assert shown["huggingface_token"] == "(not shown)"
    assert (shown["keep_tokens_separator"], shown["max_token_length"], shown["token_string"]) == ("|||", "150", "x")


def test_a_key_that_is_absent_leaves_the_form_and_an_empty_field_is_nothing() -> None:
    absent, empty = imported().effective, imported(caption_extension="", unet_lr="").effective

    assert (absent["dataset.caption_extension"], empty["dataset.caption_extension"]) == (".txt", ".caption")
    assert (absent["optimizer.name"], absent["optimizer.unet_learning_rate"]) == ("adamw8bit", 1e-4)
    assert empty["optimizer.unet_learning_rate"] == 0


def test_a_data_set_in_a_file_of_its_own_counts_before_the_folders() -> None:
    dataset = {"datasets": [{"subsets": [{"image_dir": "/p/girl", "num_repeats": 4}]}]}
    keys = {"LoRA_type": "Standard", "dataset_config": "d.toml", "train_data_dir": "/img", "max_train_steps": 0}

    found = import_gui(keys, GivenFiles(), dataset=dataset)

    assert found.settings["dataset.images"] == "/p/girl"
    assert found.settings["schedule.max_steps"] == 1600


@pytest.mark.parametrize(
    ("key", "value"), [("network_dim", "many"), ("network_dim", [1]), ("epoch", 1.5), ("flip_aug", "maybe"),
                       ("lr_scheduler", "wavy"), ("optimizer", "Sophia"), ("learning_rate", float("inf"))]
)  # fmt: skip
def test_what_cannot_be_read_is_contradictory_and_left_out(key: str, value: object) -> None:
    found = imported(None, **{key: value})

    assert "contradictory" in {line.verdict for line in found.lines if line.key == key}


def test_a_number_beyond_our_limits_is_cut_to_them_and_reported() -> None:
    found = imported(network_dim=100_000)

    assert found.settings["network.rank"] == 512
    assert verdict(found, "network_dim") == "contradictory"


def test_steps_beat_epochs_as_in_the_gui() -> None:
    local = GivenFiles({"/img": {"10_fox": 12}})

    found = imported(local, train_data_dir="/img", max_train_steps=1600, epoch=1, train_batch_size=2)

    assert found.settings["schedule.max_steps"] == 1600
    assert found.settings["schedule.epochs"] == 27  # 60 steps each


def test_an_absent_key_of_steps_means_the_epochs_of_its_time() -> None:
    found = import_gui({"LoRA_type": "Standard", "network_dim": 8, "epoch": 10}, GivenFiles())

    assert found.settings["schedule.epochs"] == 10
    assert "schedule.max_steps" not in found.settings
    assert "1600" in next(line.note for line in found.of("contradictory") if line.key == "max_train_steps")


def test_additional_parameters_count_before_keys() -> None:
    words = "--max_grad_norm=0 --seed 7 --network_train_unet_only"

    found = imported(max_grad_norm=1, seed=0, additional_parameters=words, text_encoder_lr=5e-5, unet_lr=1e-4)

    assert found.settings["optimizer.max_grad_norm"] == 0
    assert found.settings["run.seed"] == 7
    assert found.settings["optimizer.text_encoder_learning_rate"] == 0


def test_both_rates_at_0_train_at_the_learning_rate_and_that_is_reported() -> None:
    found = imported(learning_rate=1e-4, unet_lr=0, text_encoder_lr=0)

    assert found.settings["optimizer.unet_learning_rate"] == 1e-4
    assert verdict(found, "unet_lr") == "kept"
    assert any(line.key == "unet_lr" for line in found.of("contradictory"))


def test_a_seed_of_0_is_random_there() -> None:
    found = imported(seed=0)

    assert "run.seed" not in found.settings
    assert verdict(found, "seed") == "dropped"


def test_a_rectangle_becomes_the_square_of_its_area() -> None:
    found = imported(max_resolution="512,768")

    assert found.settings["dataset.resolution_px"] == 640
    assert verdict(found, "max_resolution") == "translated"


def test_without_buckets_the_square_is_the_only_size() -> None:
    found = imported(max_resolution="768,768", enable_bucket=False)

    assert found.settings["dataset.min_bucket_px"] == found.settings["dataset.max_bucket_px"] == 768


def test_sdxl_and_its_words_are_understood() -> None:
    found = imported(sdxl=True, max_resolution="1024,1024", sdxl_cache_text_encoder_outputs=True, clip_skip=2)

    assert found.settings["model.family"] == "sdxl"
    assert found.settings["memory.cache_text"] is True


def test_an_optimizer_that_we_do_not_have_becomes_the_nearest() -> None:
    found = imported(optimizer="DAdaptAdam", optimizer_args='"decouple=True" "weight_decay=0.2" betas=0.9,0.99')

    assert found.settings["optimizer.name"] == "prodigy"
    assert found.settings["optimizer.weight_decay"] == 0.2
    assert found.settings["optimizer.arguments"] == ("decouple=True", "betas=0.9,0.99")
    assert verdict(found, "optimizer") == "translated"


def test_a_dreambooth_file_is_named_and_only_what_makes_sense_is_taken() -> None:
    tree = {"pretrained_model_name_or_path": "/m/a.ckpt", "learning_rate": 1e-5, "train_data_dir": "/img", "epoch": 3,
            "no_token_padding": False, "stop_text_encoder_training": 0, "max_resolution": "512,512"}  # fmt: skip

    found = import_gui(tree, GivenFiles())

    assert found.meant_for == "Dreambooth"
    assert found.settings["model.path"] == "/m/a.ckpt"
    assert found.settings["dataset.images"] == "/img"
    assert not [path for path in found.settings if path.startswith(("optimizer.", "network.", "schedule.epochs"))]
    assert verdict(found, "learning_rate") == "dropped"


def test_other_tabs_are_told_apart() -> None:
    assert other_tab({"train_dir": "", "learning_rate": 1e-5}) == "fine-tuning"
    assert other_tab({"token_string": "x", "train_data_dir": ""}) == "textual inversion"
    assert other_tab({"train_data_dir": "", "no_token_padding": True}) == "Dreambooth"
    assert other_tab({"network_dim": 8, "train_data_dir": ""}) == ""


def test_prompts_lose_their_options_to_the_settings() -> None:
    text = "a fox --n blurry --w 512 --h 512 --d 5 --l 7.5 --s 28\n# no prompt\n\na cat --n blurry"

    found = imported(sample_prompts=text, sample_every_n_epochs=2, sample_sampler="k_euler_a")

    assert found.settings["sampling.prompts"] == ("a fox", "a cat")
    assert found.settings["sampling.negative"] == "blurry"
    assert found.settings["sampling.seed"] == 5
    assert found.settings["sampling.guidance"] == 7.5
    assert found.settings["sampling.steps"] == 28
    assert found.settings["sampling.sampler"] == "euler_a"


def test_the_old_key_of_the_optimizer_changes_nothing_beside_the_new_one() -> None:
    found = imported(optimizer="Lion", use_8bit_adam=True)

    assert found.settings["optimizer.name"] == "lion"
    assert "use_8bit_adam" not in {line.key for line in found.of("unknown")}


def test_a_constant_rate_has_no_warm_up_left() -> None:
    found = imported(lr_scheduler="constant", lr_warmup=10)

    assert found.effective["schedule.warmup_share"] == 0
    assert [line.key for line in found.of("contradictory") if line.key == "lr_warmup"] == ["lr_warmup"]


def test_another_tabs_own_keys_are_named_as_such() -> None:
    tree = {"train_data_dir": "/p", "no_token_padding": False, "learning_rate_te": 5e-7}

    found = import_gui(tree, GivenFiles())

    assert found.meant_for == "Dreambooth"
    assert found.of("unknown") == ()
    assert "meant for Dreambooth" in next(line.note for line in found.lines if line.key == "learning_rate_te")
