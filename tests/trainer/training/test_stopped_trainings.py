"""Trainings that are refused, or that stop themselves."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch

from advisor.errors import ConfigErrors, DatasetError, HardwareError, OutOfMemory, TrainingStopped
from advisor.settings.config import TrainingConfig
from tests.support.pictures import make_pictures
from tests.support.runs import SIZES, events_of, make_config, metadata, run_training, weights
from trainer.training.step import training_loss


def test_a_loss_that_is_no_number_stops_and_the_last_good_lora_stays(
    material: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls = list[int]()

    def bad(*arguments: Any) -> torch.Tensor:
        calls.append(1)
        return training_loss(*arguments) * (float("nan") if len(calls) == 6 else 1.0)

    monkeypatch.setattr("trainer.training.stepper.training_loss", bad)

    with pytest.raises(TrainingStopped, match=r"step 6 .*last good LoRA is model/tok-000001\.safetensors") as stopped:
        run_training(tmp_path, make_config(material))

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

    monkeypatch.setattr("trainer.training.stepper.training_loss", full)

    with pytest.raises(OutOfMemory, match=r"While training.*batch_size 1.*gradient_checkpointing true") as stopped:
        run_training(tmp_path, make_config(material))

    assert stopped.value.exit_code == 75


def test_other_errors_are_not_taken_for_lack_of_memory(
    material: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*arguments: Any) -> torch.Tensor:
        raise RuntimeError("shapes cannot be multiplied")

    monkeypatch.setattr("trainer.training.stepper.training_loss", broken)

    with pytest.raises(RuntimeError, match="shapes"):
        run_training(tmp_path, make_config(material))


@pytest.mark.parametrize(("has_bfloat16", "told"), [(False, "no"), (True, "bf16")])
def test_a_plan_for_a_card_is_refused_without_one_unless_the_processor_is_asked_for(
    material: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, has_bfloat16: bool, told: str
) -> None:
    monkeypatch.setattr("trainer.training.prepare.usable_gpu", lambda: None)
    monkeypatch.setattr("trainer.device.choose.has_bfloat16", lambda: has_bfloat16)
    config = make_config(
        material, memory__preset="medium", memory__compute_dtype="bfloat16", memory__base_dtype="bfloat16",
        schedule__max_steps=1,
    )  # fmt: skip

    with pytest.raises(HardwareError, match="--device cpu"):
        run_training(tmp_path, config)
    run_training(tmp_path, config, device="cpu")

    assert metadata(tmp_path / "model" / "tok.safetensors")["ss_mixed_precision"] == told


def test_a_plan_of_another_machine_is_told_where_this_processor_is_slow_in_its_numbers(
    material: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("trainer.device.choose.has_bfloat16", lambda: False)
    half = make_config(material, memory__compute_dtype="bfloat16", memory__base_dtype="bfloat16", schedule__max_steps=1)

    run_training(tmp_path, half)

    told = [event["message"] for event in events_of(tmp_path, "warning") if event["code"] == "slow_half_precision"]
    assert len(told) == 1
    assert "to float32 in loracle.toml" in told[0]


def test_what_is_not_built_yet_is_refused_by_name(material: Path, tmp_path: Path) -> None:
    config = make_config(material, network__kind="loha", network__dropout=0.1)

    with pytest.raises(ConfigErrors) as refused:
        run_training(tmp_path, config)

    assert {error.path for error in refused.value.errors} == {"network.dropout"}


def test_a_folder_without_pictures_is_the_users_error(tmp_path: Path) -> None:
    config = make_config(tmp_path)
    (tmp_path / "empty").mkdir()

    with pytest.raises(DatasetError):
        run_training(tmp_path / "run", config.model_copy(update={"dataset": make_dataset(config, tmp_path / "empty")}))


def make_dataset(config: TrainingConfig, images: Path) -> Any:
    return config.dataset.model_copy(update={"images": str(images)})


def test_unusable_pictures_are_named_and_left_out(tmp_path: Path) -> None:
    make_pictures(tmp_path / "pictures", 3, sizes=SIZES)
    (tmp_path / "pictures" / "empty.png").write_bytes(b"")

    run_training(tmp_path / "run", make_config(tmp_path, schedule__max_steps=1))

    (warning,) = events_of(tmp_path / "run", "warning")
    assert "empty.png" in warning["message"]
