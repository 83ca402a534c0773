"""Whole trainings of a tiny model, in this process."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors import safe_open
from safetensors.torch import load_file

from advisor.config import TrainingConfig
from advisor.errors import ConfigErrors, DatasetError, HardwareError, OutOfMemory, RunError, TrainingStopped
from advisor.families import family
from advisor.size import lora_bytes
from tests.pictures import draw_picture, make_pictures
from tests.tiny import TINY_SD1
from tests.trainer.runs import SIZES, events_of, make_config, train
from trainer import stepper
from trainer.interrupts import Interrupt, Interrupted


@pytest.fixture(scope="module")
def material(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a base model and pictures that tests only read."""
    folder = tmp_path_factory.mktemp("material")
    make_config(folder)
    return folder


@pytest.fixture(scope="module")
def finished(material: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, TrainingConfig]:
    """A run of two epochs, and its configuration."""
    run, config = tmp_path_factory.mktemp("finished") / "run", make_config(material)
    train(run, config)
    return run, config


def weights(run: Path, name: str = "tok") -> dict[str, torch.Tensor]:
    return load_file(run / "model" / f"{name}.safetensors")


def metadata(path: Path) -> dict[str, str]:
    with safe_open(path, framework="pt") as file:
        return dict(file.metadata())


def same(one: dict[str, torch.Tensor], other: dict[str, torch.Tensor]) -> bool:
    return one.keys() == other.keys() and all(torch.equal(one[key], other[key]) for key in one)


def test_there_is_a_lora_for_each_epoch_and_one_without_a_number(finished: tuple[Path, TrainingConfig]) -> None:
    run, _ = finished

    assert sorted(path.name for path in (run / "model").iterdir()) == ["tok-000001.safetensors", "tok.safetensors"]


def test_its_keys_are_kohyas_and_its_dtype_the_configured_one(finished: tuple[Path, TrainingConfig]) -> None:
    run, _ = finished

    state = weights(run)

    targets = family("sd1").lora_targets(TINY_SD1, conv=False)
    suffixes = ("alpha", "lora_down.weight", "lora_up.weight")
    assert set(state) == {f"{target.name}.{suffix}" for target in targets for suffix in suffixes}
    assert {tensor.dtype for tensor in state.values()} == {torch.float16}
    assert float(state[f"{targets[0].name}.alpha"]) == 2.0


def test_its_size_is_the_planned_one_to_the_byte(finished: tuple[Path, TrainingConfig]) -> None:
    run, config = finished

    sizes = {path.stat().st_size for path in (run / "model").iterdir()}

    assert sizes == {lora_bytes(config, TINY_SD1)}


def test_training_changes_both_parts(finished: tuple[Path, TrainingConfig]) -> None:
    run, _ = finished

    ups = {key: tensor for key, tensor in weights(run).items() if key.endswith("lora_up.weight")}

    assert all(bool(tensor.any()) for tensor in ups.values())
    assert not same(weights(run), weights(run, "tok-000001"))


def test_the_metadata_tell_of_the_training_in_strings(finished: tuple[Path, TrainingConfig]) -> None:
    run, _ = finished

    told = metadata(run / "model" / "tok-000001.safetensors")

    expected = {
        "ss_output_name": "tok", "ss_network_module": "networks.lora", "ss_network_dim": "4",
        "ss_network_alpha": "2.0", "ss_steps": "4", "ss_epoch": "1", "ss_num_epochs": "2",
        "ss_max_train_steps": "8", "ss_num_train_images": "6", "ss_learning_rate": "0.001",
        "ss_text_encoder_lr": "0.0005", "ss_base_model_version": "sd_v1", "ss_v2": "False",
        "ss_mixed_precision": "no", "ss_resolution": "(128, 128)", "ss_min_snr_gamma": "None",
        "ss_dataset_dirs": '{"pictures": {"n_repeats": 1, "img_count": 6}}', "ss_keep_tokens": "1",
        "ss_sd_model_name": "tiny-sd1.safetensors", "ss_cache_latents": "True",
        "modelspec.architecture": "stable-diffusion-v1/lora", "modelspec.title": "tok",
        "modelspec.resolution": "128x128", "modelspec.prediction_type": "epsilon",
    }  # fmt: skip
    assert {name: told.get(name) for name in expected} == expected
    assert json.loads(told["ss_tag_frequency"])["pictures"]["tok"] == 6
    assert sum(bucket["count"] for bucket in json.loads(told["ss_bucket_info"])["buckets"].values()) == 6


def test_every_metadata_entry_of_kohyas_is_there(finished: tuple[Path, TrainingConfig]) -> None:
    run, _ = finished
    names = """session_id training_started_at training_finished_at output_name training_comment seed steps epoch
        num_epochs max_train_steps num_batches_per_epoch num_train_images num_reg_images num_validation_images
        learning_rate unet_lr text_encoder_lr optimizer lr_scheduler lr_warmup_steps max_grad_norm
        gradient_checkpointing gradient_accumulation_steps mixed_precision full_fp16 network_module network_dim
        network_alpha network_dropout network_args scale_weight_norms v2 base_model_version sd_model_name sd_model_hash
        new_sd_model_hash clip_skip max_token_length zero_terminal_snr min_snr_gamma noise_offset adaptive_noise_scale
        multires_noise_iterations multires_noise_discount ip_noise_gamma debiased_estimation loss_type huber_c
        huber_schedule prior_loss_weight dataset_dirs reg_dataset_dirs tag_frequency bucket_info resolution
        enable_bucket bucket_no_upscale min_bucket_reso max_bucket_reso batch_size_per_device total_batch_size
        cache_latents color_aug flip_aug random_crop shuffle_caption keep_tokens caption_dropout_rate
        caption_tag_dropout_rate face_crop_aug_range"""

    told = metadata(run / "model" / "tok.safetensors")

    assert [name for name in names.split() if f"ss_{name}" not in told] == []
    assert {"sshs_model_hash", "sshs_legacy_hash"} <= set(told)


def test_the_events_tell_the_whole_training(finished: tuple[Path, TrainingConfig]) -> None:
    run, _ = finished

    events = events_of(run)

    assert events[0]["event"] == "started"
    assert [event["name"] for event in events if event["event"] == "phase"] == [
        "load", "cache_latents", "train", "save", "save", "check"
    ]  # fmt: skip
    assert [event["step"] for event in events_of(run, "step")] == list(range(1, 9))
    assert [event["epoch"] for event in events_of(run, "step")] == [1] * 4 + [2] * 4
    assert [event["path"] for event in events_of(run, "saved")] == [
        "model/tok-000001.safetensors", "model/tok.safetensors"
    ]  # fmt: skip
    assert events_of(run, "warning") == []
    assert events[-1]["event"] == "finished"


def test_the_end_tells_that_the_saved_lora_was_read_back_and_works(finished: tuple[Path, TrainingConfig]) -> None:
    run, _ = finished

    end = events_of(run, "finished")[0]

    check = end["reload_check"]
    assert (check["missing"], check["unexpected"], check["zero_change"]) == (0, 0, 0.0)
    assert check["unet_change"] > 1e-3
    assert check["text_change"] > 1e-3
    assert 0 < check["difference"] < check["tolerance"] < 1e-3
    assert (end["steps"], end["epochs"]) == (8, 2)
    assert end["seconds_per_step"] > 0
    assert end["peak_memory_bytes"] > 50_000_000
    assert end["loras"] == ["model/tok-000001.safetensors", "model/tok.safetensors"]


def test_the_pictures_are_listed_and_in_several_buckets(finished: tuple[Path, TrainingConfig]) -> None:
    run, _ = finished

    lines = (run / "images" / "manifest.jsonl").read_text(encoding="utf-8").splitlines()

    assert len({tuple(json.loads(line)["bucket"]) for line in lines}) >= 2
    assert len(lines) == 6


def test_diffusers_loads_it_and_its_output_changes(finished: tuple[Path, TrainingConfig], caplog: Any) -> None:
    from diffusers import DDIMScheduler, StableDiffusionPipeline

    from tests.tiny import tiny_sd1
    from trainer.base_model import load_base_model

    run, config = finished
    cpu = torch.device("cpu")
    base = load_base_model(config.model, dtype=torch.float32, vae_dtype=torch.float32, device=cpu)
    pipeline = StableDiffusionPipeline(
        vae=base.vae, text_encoder=base.text_encoders[0], tokenizer=base.tokenizers[0].clip, unet=base.denoiser,
        scheduler=DDIMScheduler(steps_offset=1, clip_sample=False),
        safety_checker=None, feature_extractor=None, requires_safety_checker=False,
    )  # fmt: skip
    assert tiny_sd1().structure == base.structure
    noisy, times = torch.ones(1, 4, 16, 16), torch.tensor([500])
    ids = base.tokenizers[0](["tok, 1girl"])[:, 0]

    def outputs() -> tuple[torch.Tensor, torch.Tensor]:
        with torch.no_grad():
            states = pipeline.text_encoder(ids).last_hidden_state
            return states, pipeline.unet(noisy, times, states).sample

    plain_states, plain = outputs()
    pipeline.load_lora_weights(str(run / "model" / "tok.safetensors"))
    states, changed = outputs()
    ours = events_of(run, "finished")[0]["reload_check"]

    assert not [record for record in caplog.records if "key" in record.getMessage().lower()]
    assert float((changed - plain).norm() / plain.norm()) > 0.2 * ours["unet_change"]
    assert float((states - plain_states).norm() / plain_states.norm()) > 0.2 * ours["text_change"]


def test_the_same_seed_gives_the_same_weights_with_a_cold_or_a_warm_cache(
    finished: tuple[Path, TrainingConfig], tmp_path: Path
) -> None:
    run, config = finished
    (tmp_path / "run").mkdir()
    (run / "cache").rename(tmp_path / "run" / "cache")
    try:
        train(tmp_path / "run", config)
    finally:
        (tmp_path / "run" / "cache").rename(run / "cache")

    assert same(weights(tmp_path / "run"), weights(run))


def test_another_seed_gives_other_weights(finished: tuple[Path, TrainingConfig], tmp_path: Path) -> None:
    run, _ = finished

    train(tmp_path / "run", make_config(run_material(finished), run__seed=7))

    assert not same(weights(tmp_path / "run"), weights(run))


def run_material(finished: tuple[Path, TrainingConfig]) -> Path:
    return Path(finished[1].model.path).parent


def test_an_edited_picture_is_encoded_anew_and_a_damaged_cache_too(tmp_path: Path) -> None:
    config = make_config(tmp_path, schedule__max_steps=1)
    train(tmp_path / "first", config)
    cache = tmp_path / "first" / "cache"
    before = sorted(cache.rglob("*.safetensors"))
    before[0].write_bytes(b"broken")
    draw_picture(tmp_path / "pictures" / "picture-002.png", SIZES[1], seed=99)
    (tmp_path / "second").mkdir()
    cache.rename(tmp_path / "second" / "cache")

    train(tmp_path / "second", config)

    after = sorted((tmp_path / "second" / "cache").rglob("*.safetensors"))
    assert len(after) == len(before) + 1
    assert min(path.stat().st_size for path in after) > 100


@pytest.mark.parametrize("at_step", [3, 4])
def test_an_interrupted_run_saves_its_work_and_goes_on_as_if_nothing_had_been(
    finished: tuple[Path, TrainingConfig], tmp_path: Path, at_step: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    run, config = finished
    interrupt = Interrupt()
    make_step = stepper.Stepper.step

    def step(self: stepper.Stepper, batches: Any, *, step: int, epoch: int) -> stepper.StepResult:
        if step == at_step - 1:
            interrupt.ask()
        return make_step(self, batches, step=step, epoch=epoch)

    monkeypatch.setattr(stepper.Stepper, "step", step)
    with pytest.raises(Interrupted):
        train(tmp_path, config, interrupt=interrupt)
    monkeypatch.undo()

    assert (tmp_path / "model" / f"tok-step{at_step:08d}.safetensors").exists()
    with pytest.raises(RunError, match="--resume"):
        train(tmp_path, config)
    train(tmp_path, config, resume=True)
    assert same(weights(tmp_path), weights(run))
    assert [event["resumed_from"] for event in events_of(tmp_path, "started")] == [None, at_step]


def test_the_second_resume_is_as_good_as_the_first(finished: tuple[Path, TrainingConfig], tmp_path: Path) -> None:
    material = run_material(finished)
    for number, steps in enumerate((1, 3)):
        short = make_config(material, schedule__max_steps=steps, schedule__name="constant")
        train(tmp_path / "cut", short, resume=number > 0)
    whole = make_config(material, schedule__max_steps=5, schedule__name="constant")

    train(tmp_path / "cut", whole, resume=True)
    train(tmp_path / "whole", whole)

    assert same(weights(tmp_path / "cut"), weights(tmp_path / "whole"))
    assert [event["code"] for event in events_of(tmp_path / "cut", "warning")] == ["config_changed"] * 2


def test_resuming_a_finished_run_changes_no_weight(finished: tuple[Path, TrainingConfig]) -> None:
    run, config = finished
    before = weights(run)
    log = run / "log" / "events.jsonl"
    events = log.read_bytes()

    train(run, config, resume=True)

    log.write_bytes(events)
    assert same(weights(run), before)


def test_resuming_with_another_rank_is_refused(finished: tuple[Path, TrainingConfig], tmp_path: Path) -> None:
    material = run_material(finished)
    train(tmp_path, make_config(material, schedule__max_steps=1))

    with pytest.raises(Exception, match="another LoRA than"):
        train(tmp_path, make_config(material, network__rank=8), resume=True)


def test_a_loss_that_is_no_number_stops_and_the_last_good_lora_stays(
    material: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = stepper.training_loss
    calls = list[int]()

    def bad(*arguments: Any) -> torch.Tensor:
        calls.append(1)
        return real(*arguments) * (float("nan") if len(calls) == 6 else 1.0)

    monkeypatch.setattr(stepper, "training_loss", bad)

    with pytest.raises(TrainingStopped, match=r"step 6 .*last good LoRA is model/tok-000001\.safetensors") as stopped:
        train(tmp_path, make_config(material))

    assert stopped.value.exit_code == 3
    assert all(bool(torch.isfinite(tensor).all()) for tensor in weights(tmp_path, "tok-000001").values())
    assert events_of(tmp_path, "step")[-1]["loss"] is None


@pytest.mark.parametrize(
    "error",
    [
        torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 20.00 MiB"),
        RuntimeError("[enforce fail at alloc_cpu.cpp:127] DefaultCPUAllocator: can't allocate memory"),
        MemoryError(),
    ],
)
def test_out_of_memory_says_what_to_change(
    material: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    def full(*arguments: Any) -> torch.Tensor:
        raise error

    monkeypatch.setattr(stepper, "training_loss", full)

    with pytest.raises(OutOfMemory, match=r"While training.*batch_size 1.*gradient_checkpointing true") as stopped:
        train(tmp_path, make_config(material))

    assert stopped.value.exit_code == 75


def test_other_errors_are_not_taken_for_lack_of_memory(
    material: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*arguments: Any) -> torch.Tensor:
        raise RuntimeError("shapes cannot be multiplied")

    monkeypatch.setattr(stepper, "training_loss", broken)

    with pytest.raises(RuntimeError, match="shapes"):
        train(tmp_path, make_config(material))


def test_all_rates_of_zero_run_the_loop_and_change_nothing(material: Path, tmp_path: Path) -> None:
    config = make_config(
        material, optimizer__unet_learning_rate=0.0, optimizer__text_encoder_learning_rate=0.0,
        optimizer__learning_rate=0.0,
    )  # fmt: skip

    train(tmp_path, config)

    assert [event["code"] for event in events_of(tmp_path, "warning")] == ["all_rates_zero"]
    assert len(events_of(tmp_path, "step")) == 8
    assert not any(bool(up.any()) for key, up in weights(tmp_path).items() if "lora_up" in key)


def test_a_text_encoder_rate_of_zero_leaves_the_text_encoder_out(material: Path, tmp_path: Path) -> None:
    config = make_config(
        material, optimizer__text_encoder_learning_rate=0.0, dataset__shuffle_captions=False, memory__cache_text=True,
        schedule__max_steps=2, dataset__caption_dropout=0.5,
    )  # fmt: skip

    train(tmp_path, config)

    assert all(key.startswith("lora_unet_") for key in weights(tmp_path))
    check = events_of(tmp_path, "finished")[0]["reload_check"]
    assert (check["missing"], check["text_change"]) == (0, 0.0)
    assert events_of(tmp_path, "warning") == []
    assert list((tmp_path / "cache" / "text").rglob("*.safetensors"))


def test_cached_text_gives_the_same_training_as_text_encoded_each_time(material: Path, tmp_path: Path) -> None:
    for cached in (False, True):
        config = make_config(
            material, optimizer__text_encoder_learning_rate=0.0, dataset__shuffle_captions=False,
            memory__cache_text=cached, schedule__batch_size=1, schedule__max_steps=3,
        )  # fmt: skip
        train(tmp_path / str(cached), config)

    assert same(weights(tmp_path / "True"), weights(tmp_path / "False"))


def test_text_that_cannot_be_cached_is_encoded_each_time_with_a_warning(material: Path, tmp_path: Path) -> None:
    train(tmp_path, make_config(material, memory__cache_text=True, schedule__max_steps=1))

    assert [event["code"] for event in events_of(tmp_path, "warning")] == ["text_not_cached"]


def test_max_steps_ends_in_the_middle_of_an_epoch(material: Path, tmp_path: Path) -> None:
    train(tmp_path, make_config(material, schedule__max_steps=5))

    assert events_of(tmp_path, "finished")[0]["steps"] == 5
    assert metadata(tmp_path / "model" / "tok.safetensors")["ss_steps"] == "5"


def test_accumulation_makes_one_step_of_several_batches(material: Path, tmp_path: Path) -> None:
    train(tmp_path, make_config(material, schedule__gradient_accumulation=3))

    assert len(events_of(tmp_path, "step")) == 4


def test_step_saves_and_keep_last(material: Path, tmp_path: Path) -> None:
    train(tmp_path, make_config(material, saving__every_steps=2, saving__every_epochs=0, saving__keep_last=2))

    assert sorted(path.name for path in (tmp_path / "model").iterdir()) == [
        "tok-step00000004.safetensors", "tok-step00000006.safetensors", "tok.safetensors"
    ]  # fmt: skip


def test_samples_are_drawn_and_do_not_change_the_training(
    finished: tuple[Path, TrainingConfig], tmp_path: Path
) -> None:
    run, _ = finished
    config = make_config(run_material(finished), sampling__prompts=("tok, smile", "tok"), sampling__steps=3)

    train(tmp_path, config)

    samples = events_of(tmp_path, "sample")
    assert [(event["epoch"], event["seed"]) for event in samples] == [(1, 42), (1, 43), (2, 42), (2, 43)]
    assert all((tmp_path / event["path"]).stat().st_size > 100 for event in samples)
    assert events_of(tmp_path, "warning") == []
    assert same(weights(tmp_path), weights(run))


def test_a_sample_that_fails_is_a_warning_and_no_more(
    finished: tuple[Path, TrainingConfig], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*arguments: Any) -> None:
        raise torch.OutOfMemoryError("CUDA out of memory")

    monkeypatch.setattr("trainer.duties.draw", broken)

    train(tmp_path, make_config(run_material(finished), sampling__prompts=("tok",)))

    assert {event["code"] for event in events_of(tmp_path, "warning")} == {"sample_failed"}
    assert same(weights(tmp_path), weights(finished[0]))


def test_random_crops_and_flips_train_without_a_cache(material: Path, tmp_path: Path) -> None:
    train(tmp_path, make_config(material, dataset__random_crop=True, dataset__flip=True, schedule__max_steps=2))

    assert [event["code"] for event in events_of(tmp_path, "warning")] == ["latents_not_cached"]
    assert not (tmp_path / "cache").exists()


def test_flips_are_cached_beside_the_pictures(material: Path, tmp_path: Path) -> None:
    train(tmp_path, make_config(material, dataset__flip=True, schedule__max_steps=1))

    assert len(list((tmp_path / "cache").rglob("*.safetensors"))) == 12


@pytest.mark.parametrize("name", ["adafactor", "lion"])
def test_other_optimizers_train_and_resume(material: Path, tmp_path: Path, name: str) -> None:
    settings = {"optimizer__name": name, "schedule__name": "constant"}
    config = make_config(material, schedule__max_steps=3, **settings)
    train(tmp_path / "cut", make_config(material, schedule__max_steps=1, **settings))
    train(tmp_path / "cut", config, resume=True)
    train(tmp_path / "whole", config)

    assert same(weights(tmp_path / "cut"), weights(tmp_path / "whole"))


def test_checkpointing_gives_the_same_weights(finished: tuple[Path, TrainingConfig], tmp_path: Path) -> None:
    run, _ = finished

    train(tmp_path, make_config(run_material(finished), memory__gradient_checkpointing=True))

    for key, tensor in weights(tmp_path).items():
        torch.testing.assert_close(tensor, weights(run)[key], rtol=1e-2, atol=1e-4)


@pytest.mark.parametrize("dtype", ["bfloat16", "float16"])
def test_half_precision_trains_on_a_processor_too(material: Path, tmp_path: Path, dtype: str) -> None:
    train(tmp_path, make_config(material, memory__compute_dtype=dtype, memory__base_dtype=dtype, schedule__max_steps=3))

    losses = [event["loss"] for event in events_of(tmp_path, "step")]
    assert all(0 < loss < 10 for loss in losses)
    assert events_of(tmp_path, "warning") == []


def test_a_plan_for_a_card_is_refused_without_one_unless_the_processor_is_asked_for(
    material: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("trainer.training.usable_gpu", lambda: None)
    config = make_config(
        material, memory__preset="medium", memory__compute_dtype="bfloat16", memory__base_dtype="bfloat16",
        schedule__max_steps=1,
    )  # fmt: skip

    with pytest.raises(HardwareError, match="--device cpu"):
        train(tmp_path, config)
    train(tmp_path, config, device="cpu")

    assert metadata(tmp_path / "model" / "tok.safetensors")["ss_mixed_precision"] == "no"


def test_what_is_not_built_yet_is_refused_by_name(material: Path, tmp_path: Path) -> None:
    config = make_config(material, network__kind="loha", network__dropout=0.1)

    with pytest.raises(ConfigErrors) as refused:
        train(tmp_path, config)

    assert {error.path for error in refused.value.errors} == {"network.dropout"}


def test_a_folder_without_pictures_is_the_users_error(tmp_path: Path) -> None:
    config = make_config(tmp_path)
    (tmp_path / "empty").mkdir()

    with pytest.raises(DatasetError):
        train(tmp_path / "run", config.model_copy(update={"dataset": make_dataset(config, tmp_path / "empty")}))


def make_dataset(config: TrainingConfig, images: Path) -> Any:
    return config.dataset.model_copy(update={"images": str(images)})


def test_unusable_pictures_are_named_and_left_out(tmp_path: Path) -> None:
    make_pictures(tmp_path / "pictures", 3, sizes=SIZES)
    (tmp_path / "pictures" / "empty.png").write_bytes(b"")

    train(tmp_path / "run", make_config(tmp_path, schedule__max_steps=1))

    (warning,) = events_of(tmp_path / "run", "warning")
    assert "empty.png" in warning["message"]
