from __future__ import annotations

from typing import Any

import pytest

from advisor.units import shown
from templates.importing.imported import Imported
from templates.kohya.import_scripts import import_scripts, is_scripts, launched
from tests.support.given_files import GivenFiles

BASE = {"pretrained_model_name_or_path": "/m/a.safetensors", "network_module": "networks.lora"}


def imported(*, dataset: Any = None, launch: str = "", local: GivenFiles | None = None, **keys: Any) -> Imported:
    return import_scripts({**BASE, **keys}, local or GivenFiles(), dataset=dataset, launch=launch)


def test_what_the_file_leaves_out_is_as_sd_scripts_has_it() -> None:
    found = imported()

    assert found.effective["network.rank"] == 4
    assert found.effective["schedule.max_steps"] == 1600
    assert found.effective["optimizer.unet_learning_rate"] == 2e-6
    assert found.effective["dataset.caption_extension"] == ".caption"


def test_tables_are_for_readers_only() -> None:
    tables = {"a": BASE, "b": {"network_dim": 8, "unet_lr": 1e-4}, "c": {"network_dim": 16}}

    found = import_scripts(tables, GivenFiles())

    assert found.settings["network.rank"] == 16
    assert any(line.key == "network_dim" for line in found.of("contradictory"))


def test_only_the_unet_is_trained_where_it_says_so() -> None:
    found = imported(learning_rate=1e-4, network_train_unet_only=True)

    assert found.settings["optimizer.unet_learning_rate"] == 1e-4
    assert found.settings["optimizer.text_encoder_learning_rate"] == 0


def test_lycoris_without_a_convolution_rank_takes_that_of_the_rest() -> None:
    found = imported(network_module="lycoris.kohya", network_dim=16, network_args=["algo=loha", "conv_alpha=4"])

    assert found.settings["network.kind"] == "loha"
    assert found.settings["network.conv_rank"] == 16


@pytest.mark.parametrize(
    ("more", "axis"), [([], "output"), (["wd_on_output=False"], "input"), (["wd_on_output=True"], "output")]
)
def test_a_dora_has_lycoris_axis_unless_it_says_otherwise(more: list[str], axis: str) -> None:
    found = imported(network_module="lycoris.kohya", network_args=["algo=locon", "dora_wd=True", *more])

    assert (found.settings["network.kind"], found.settings["network.dora_axis"]) == ("dora", axis)
    assert not [line for line in found.lines if line.verdict in ("unknown", "contradictory", "dropped")]


def test_unknown_network_arguments_are_reported() -> None:
    found = imported(network_args=["conv_dim=8", "sparkle=1", "use_tucker=True", "junk"])

    assert found.settings["network.conv_rank"] == 8
    assert {line.note.split()[0] for line in found.of("contradictory")} == {"sparkle", "junk"}
    assert any("use_tucker" in line.note for line in found.of("dropped"))


def test_data_sets_say_repeats_trigger_and_sizes() -> None:
    dataset = {
        "general": {"shuffle_caption": True, "caption_extension": ".txt"},
        "datasets": [{"resolution": 768, "batch_size": 2, "subsets": [
            {"image_dir": "D:\\pictures\\10_fox", "num_repeats": 10, "class_tokens": "fox"},
            {"image_dir": "D:\\pictures\\5_fox", "num_repeats": 5, "class_tokens": "fox"},
        ]}],
    }  # fmt: skip

    found = imported(dataset=dataset, dataset_config="d.toml")

    assert found.settings["dataset.resolution_px"] == 768
    assert found.settings["schedule.batch_size"] == 2
    assert found.settings["dataset.shuffle_captions"] is True
    assert found.settings["dataset.images"] == "D:/pictures"
    assert [folder.repeats for folder in found.settings["dataset.folders"]] == [10, 5]
    assert found.settings["run.trigger"] == "fox"


def test_one_folder_stays_as_it_is() -> None:
    dataset = {"datasets": [{"subsets": [{"image_dir": "/data/fox", "num_repeats": 4, "keep_tokens": 1}]}]}

    found = imported(dataset=dataset)

    assert found.settings["dataset.images"] == "/data/fox"
    assert found.settings["dataset.repeats"] == 4
    assert found.settings["dataset.keep_tokens"] == 1


def test_what_differs_between_subsets_is_reported() -> None:
    dataset = {"datasets": [{"subsets": [{"image_dir": "/d/1_a", "num_repeats": 1, "flip_aug": True},
                                         {"image_dir": "/d/1_b", "num_repeats": 1, "flip_aug": False}]}]}  # fmt: skip

    found = imported(dataset=dataset)

    assert found.settings["dataset.flip"] is True
    assert any(line.key.endswith("subsets[1].flip_aug") for line in found.of("contradictory"))


def test_the_launch_line_tells_family_threads_and_card() -> None:
    words = "accelerate launch --num_cpu_threads_per_process 4 sdxl_train_network.py --config_file c"

    found = imported(launch=f"CUDA_VISIBLE_DEVICES=GPU-1 {words}")

    assert found.settings["model.family"] == "sdxl"
    assert found.settings["machine.cpu_threads"] == 4
    assert found.settings["machine.gpu_uuid"] == "GPU-1"


def test_a_launch_line_of_nonsense_says_nothing() -> None:
    assert launched("'unfinished").keys == {}


def test_sd_scripts_files_are_recognised() -> None:
    assert is_scripts(BASE)
    assert not is_scripts({"network_dim": 1, "tool": {"black": 1}})


def test_regularization_images_in_several_folders_are_one_folder_above() -> None:
    subsets = [{"image_dir": f"/p/reg/{name}", "num_repeats": 1, "is_reg": True} for name in ("1_girl", "1_woman")]

    found = import_scripts({}, GivenFiles(), dataset={"datasets": [{"subsets": subsets}]})

    assert found.settings["dataset.regularization_images"] == "/p/reg"
    assert found.of("unknown") == found.of("contradictory") == ()


def test_folders_with_their_own_repeats_are_no_contradiction() -> None:
    subsets = [{"image_dir": f"/p/{number}_mira", "num_repeats": number} for number in (3, 5)]

    found = import_scripts({}, GivenFiles(), dataset={"datasets": [{"subsets": subsets}]})

    assert shown(found.settings["dataset.folders"]) == "3_mira x3, 5_mira x5"
    assert found.of("contradictory") == ()
