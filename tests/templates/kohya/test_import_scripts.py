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


@pytest.mark.parametrize("other", [{}, {"flip_aug": False}])
def test_what_only_some_subsets_say_is_never_spread_to_all_and_is_told(other: dict[str, object]) -> None:
    dataset = {"datasets": [{"subsets": [{"image_dir": "/d/1_a", "num_repeats": 1, "flip_aug": True},
                                         {"image_dir": "/d/1_b", "num_repeats": 1, **other}]}]}  # fmt: skip

    found = imported(dataset=dataset)

    assert found.settings["dataset.flip"] is False
    (line,) = found.of("contradictory")
    assert line.key.endswith("subsets[0].flip_aug")
    assert line.note == "1 of 2 folders have it so; ours is one for all pictures, and is off"


def test_pictures_held_out_of_one_data_set_only_are_not_held_out_of_all() -> None:
    subset = {"image_dir": "/d/a", "num_repeats": 1}
    dataset = {"datasets": [{"validation_split": 0.2, "subsets": [subset]},
                            {"subsets": [{**subset, "image_dir": "/d/b"}]}]}  # fmt: skip

    found = imported(dataset=dataset)

    assert found.settings["validation.share"] == 0
    assert [line.key for line in found.of("contradictory")] == ["dataset.toml datasets[0].validation_split"]


def test_what_a_subset_leaves_out_its_data_set_general_and_the_configuration_say() -> None:
    dataset = {
        "general": {"shuffle_caption": True, "num_repeats": 3, "keep_tokens": 2},
        "datasets": [{"keep_tokens": 1, "subsets": [{"image_dir": "/d/a"}, {"image_dir": "/d/b", "flip_aug": True}]}],
    }

    found = imported(dataset=dataset, flip_aug=True)

    assert found.effective["dataset.shuffle_captions"] is True
    assert found.effective["dataset.keep_tokens"] == 1
    assert found.effective["dataset.flip"] is True
    assert [one.repeats for one in found.settings["dataset.folders"]] == [3, 3]
    assert found.of("contradictory") == ()


def test_folders_on_other_disks_are_named_whole_and_a_disks_root_is_never_taken() -> None:
    subsets = [{"image_dir": "C:\\hoge", "keep_tokens": 2}, {"image_dir": "C:\\piyo", "num_repeats": 10},
               {"image_dir": "D:\\x\\fuga"}]  # fmt: skip

    found = imported(dataset={"datasets": [{"subsets": subsets}]})

    assert found.settings["dataset.images"] == "C:\\hoge"
    named = [(one.path, one.repeats, one.subfolders) for one in found.settings["dataset.folders"]]
    assert named == [(".", 1, False), ("C:/piyo", 10, False), ("D:/x/fuga", 1, False)]
    assert found.settings["dataset.only_folders"] is True


def test_the_class_is_not_trained_as_the_character() -> None:
    subsets = [{"image_dir": "/p/girl", "num_repeats": 4, "class_tokens": "zephyrine girl"},
               {"image_dir": "/p/reg", "is_reg": True, "class_tokens": "girl"}]  # fmt: skip

    found = imported(dataset={"datasets": [{"subsets": subsets}]})

    assert found.settings["dataset.images"] == "/p/girl"
    assert [one.model_dump() for one in found.settings["dataset.folders"]] == [
        {"path": ".", "repeats": 4, "subfolders": False, "caption": "zephyrine girl"}
    ]
    assert found.settings["dataset.regularization_images"] == "/p/reg"
    assert found.settings["run.trigger"] == "zephyrine"


def test_a_folder_that_two_data_sets_name_is_shown_as_often_as_in_both() -> None:
    subset = {"image_dir": "/p/girl", "num_repeats": 4}
    dataset = {"datasets": [{"resolution": 512, "subsets": [subset]}, {"resolution": 768, "subsets": [subset]}]}

    found = imported(dataset=dataset)

    assert [one.repeats for one in found.settings["dataset.folders"]] == [8]
    assert found.settings["dataset.resolution_px"] == 512
    assert [line.key for line in found.of("contradictory")] == ["dataset.toml datasets[1].resolution"]


def test_without_enable_bucket_the_square_is_the_only_size() -> None:
    found = imported(resolution=768)

    sizes = ("dataset.min_bucket_px", "dataset.max_bucket_px", "dataset.bucket_upscale")
    assert [found.effective[path] for path in sizes] == [768, 768, True]
    assert [imported(enable_bucket=True).effective[path] for path in sizes] == [256, 1024, True]


def test_the_schedule_of_adafactor_may_bear_a_rate() -> None:
    found = imported(lr_scheduler="adafactor:0.0001", optimizer_type="Adafactor")

    assert found.settings["schedule.name"] == "adafactor"
    assert found.of("contradictory") == ()


def test_empty_texts_and_nothing_are_absent() -> None:
    found = imported(caption_extension="", max_grad_norm=None, unet_lr="")

    assert found.effective["dataset.caption_extension"] == ".caption"
    assert found.effective["optimizer.max_grad_norm"] == 1
    assert found.effective["optimizer.unet_learning_rate"] == 2e-6


@pytest.mark.parametrize(
    ("key", "given"), [("learning_rate", "0,0001"), ("network_alpha", "0,5"), ("unet_lr", "1,5e-4")]
)
def test_a_decimal_comma_is_refused_with_the_number_meant(key: str, given: str) -> None:
    keys: dict[str, Any] = {key: given}
    found = imported(**keys)

    (line,) = found.of("contradictory")
    assert line.key == key
    assert given.replace(",", ".") in line.note


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


def test_sizes_of_buckets_count_whichever_file_turns_buckets_on() -> None:
    dataset = {"datasets": [{"enable_bucket": True, "subsets": [{"image_dir": "/d/a"}]}]}

    found = imported(dataset=dataset, min_bucket_reso=320, bucket_no_upscale=True).effective

    sizes = ("dataset.min_bucket_px", "dataset.max_bucket_px", "dataset.bucket_upscale")
    assert [found[path] for path in sizes] == [320, 1024, False]


@pytest.mark.parametrize(("every", "last", "kept"), [(1, 0, 1), (10, 9, 1), (10, 0, 1), (10, 29, 3), (10, None, 0)])
def test_a_number_of_steps_that_is_there_says_how_many_saves_are_kept(every: int, last: int | None, kept: int) -> None:
    more: dict[str, Any] = {} if last is None else {"save_last_n_steps": last}

    assert imported(save_every_n_steps=every, **more).effective["saving.keep_last"] == kept
