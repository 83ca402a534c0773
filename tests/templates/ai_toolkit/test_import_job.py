from __future__ import annotations

from typing import Any

from templates.ai_toolkit.import_job import import_job
from templates.importing.imported import Imported
from tests.support.given_files import GivenFiles


def imported(*datasets: dict[str, Any], local: GivenFiles | None = None, **groups: Any) -> Imported:
    process = {"type": "sd_trainer", "network": {"type": "lora", "linear": 16}, "datasets": list(datasets), **groups}
    tree = {"job": "extension", "config": {"name": "mira", "process": [process]}}
    return import_job(tree, local or GivenFiles())


def test_what_a_job_leaves_out_is_as_ai_toolkit_has_it() -> None:
    found = imported().effective

    assert (found["schedule.max_steps"], found["schedule.name"], found["network.alpha"]) == (1000, "constant", 1)
    assert found["optimizer.text_encoder_learning_rate"] == 0
    assert (found["memory.base_dtype"], found["memory.gradient_checkpointing"]) == ("float16", True)
    assert found["loss.min_snr_gamma"] == 0


def test_a_step_of_its_older_accumulation_is_one_batch() -> None:
    train = {"steps": 2000, "gradient_accumulation_steps": 4, "lr_scheduler_params": {"num_warmup_steps": 100}}

    found = imported(train=train, save={"save_every": 400}).effective

    assert found["schedule.gradient_accumulation"] == 4
    assert found["schedule.max_steps"] == 500
    assert found["saving.every_steps"] == 100
    assert found["schedule.warmup_steps"] == 25


def test_the_length_that_a_job_leaves_out_is_counted_in_batches_too() -> None:
    assert imported(train={"gradient_accumulation_steps": 4}).effective["schedule.max_steps"] == 250


def test_an_empty_resolution_is_none() -> None:
    assert imported({"folder_path": "/d/a", "resolution": []}).effective["dataset.resolution_px"] == 512


def test_a_data_set_without_a_resolution_has_the_usual_one() -> None:
    found = imported({"folder_path": "/d/a"}, {"folder_path": "/d/b", "resolution": 768})

    assert found.effective["dataset.resolution_px"] == 512
    assert [line.key for line in found.of("contradictory")] == ["datasets[1].resolution"]


def test_a_step_of_its_newer_accumulation_is_ours() -> None:
    found = imported(train={"steps": 2000, "gradient_accumulation": 4}).effective

    assert (found["schedule.gradient_accumulation"], found["schedule.max_steps"]) == (4, 2000)


def test_its_data_sets_are_these_folders_and_all_below_them() -> None:
    found = imported(
        {"folder_path": "/data/girl", "num_repeats": 2, "default_caption": "mira, a girl"},
        {"folder_path": "/other/extra"},
        {"folder_path": "/data/class", "is_reg": True},
    )

    named = [(one.path, one.repeats, one.subfolders, one.caption) for one in found.settings["dataset.folders"]]
    assert found.settings["dataset.images"] == "/data/girl"
    assert named == [(".", 2, True, "mira, a girl"), ("/other/extra", 1, True, "")]
    assert found.settings["dataset.regularization_images"] == "/data/class"


def test_what_only_some_data_sets_do_is_told_and_not_spread() -> None:
    found = imported({"folder_path": "/d/a", "flip_x": True, "caption_dropout_rate": 0.05}, {"folder_path": "/d/b"})

    assert found.effective["dataset.flip"] is False
    assert found.effective["dataset.caption_dropout"] == 0
    told = {line.key for line in found.of("contradictory")}
    assert told == {"datasets[0].flip_x", "datasets[0].caption_dropout_rate"}


def test_latents_are_cached_in_whichever_way_and_crops_with_them() -> None:
    dataset = {"folder_path": "/d", "cache_latents": False, "cache_latents_to_disk": True, "random_crop": True}

    found = imported(dataset)

    assert found.settings["memory.cache_latents"] is True
    assert found.effective["dataset.random_crop"] is False
    assert found.of("contradictory") == ()


def test_pictures_are_counted_where_they_are_here_at_each_of_several_resolutions() -> None:
    local = GivenFiles({"/d": {"girl": 20}})
    dataset = {"folder_path": "/d/girl", "num_repeats": 2, "resolution": [512, 768]}

    found = imported(dataset, local=local, train={"steps": 800, "batch_size": 1})

    assert (found.settings["schedule.epochs"], found.settings["schedule.max_steps"]) == (10, 0)


def test_its_sizes_are_told_to_be_others() -> None:
    assert ["steps of the base's VAE (8 px)" in note for note in imported({"bucket_tolerance": 64}).notes] == [True]
