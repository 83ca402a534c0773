from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from advisor.errors import ConfigErrors, HardwareError
from advisor.machine.hardware import Gpu
from advisor.run_folder.layout import RunFolder
from advisor.settings.config import TrainingConfig, with_values
from tests.support.factories import make_gpu, make_hardware, make_plan_config
from tests.support.tiny import tiny_sd1_checkpoint
from wizard.processes import several_processes
from wizard.processes.child import child_environment
from wizard.processes.process_options import ProcessOptions
from wizard.processes.several_processes import cards_asked_for, job_in_processes
from wizard.processes.trainer_job import TrainerJob

CARDS = (
    make_gpu(8.0, uuid="GPU-0", index=0, name="NVIDIA GeForce RTX 3070"),
    make_gpu(24.0, uuid="GPU-1", index=1, name="NVIDIA GeForce RTX 3090"),
    make_gpu(12.0, uuid="GPU-2", index=2, name="NVIDIA GeForce RTX 3060"),
)
HERE = make_hardware(gpus=CARDS)


@pytest.fixture
def config(tmp_path: Path) -> TrainingConfig:
    planned = make_plan_config(vram_gib=12.0)
    return with_values(
        planned,
        {
            "model.path": str(tiny_sd1_checkpoint(tmp_path)),
            "schedule.batch_size": 4,
            "schedule.gradient_accumulation": 1,
            "memory.compute_dtype": "bfloat16",
        },
    )


def job(tmp_path: Path, **fields: object) -> TrainerJob:
    return replace(TrainerJob(RunFolder(tmp_path / "run"), gpu_uuid="GPU-2"), **fields)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("options", "indexes"),
    [
        (ProcessOptions(gpus="all"), [2, 1, 0]),
        (ProcessOptions(gpus="2"), [2, 1]),
        (ProcessOptions(gpu="0,2"), [0, 2]),
        (ProcessOptions(gpu="1"), [1]),
    ],
    ids=str,
)
def test_the_cards_are_those_named_else_the_planned_one_and_those_with_most_room(
    options: ProcessOptions, indexes: list[int]
) -> None:
    assert [gpu.index for gpu in cards_asked_for(options, HERE, planned=("GPU-2",))] == indexes


@pytest.mark.parametrize(
    ("options", "told"),
    [
        (ProcessOptions(gpus="4"), "how many of 3 cards"),
        (ProcessOptions(gpus="0"), "how many of 3 cards"),
        (ProcessOptions(gpus="some"), "take `all`"),
        (ProcessOptions(gpu="0,0"), "each card once"),
        (ProcessOptions(gpu="0,7"), "There are 0 (NVIDIA GeForce RTX 3070), 1 "),
    ],
    ids=str,
)
def test_cards_that_are_not_there_are_refused(options: ProcessOptions, told: str) -> None:
    with pytest.raises(HardwareError) as caught:
        cards_asked_for(options, HERE, planned=())

    assert told in str(caught.value)


@pytest.mark.parametrize("gpus", [(), (make_gpu(16.0, uuid="", vendor="amd"),)])
def test_other_cards_than_nvidias_are_refused(gpus: tuple[Gpu, ...]) -> None:
    with pytest.raises(HardwareError, match="need NVIDIA's cards"):
        cards_asked_for(ProcessOptions(gpus="all"), make_hardware(gpus=gpus), planned=())


@pytest.mark.parametrize(
    ("options", "on_processor", "wrong"),
    [
        (ProcessOptions(gpus="2", gpu="0"), False, ["--gpus"]),
        (ProcessOptions(gpus="2"), True, ["--gpus"]),
        (ProcessOptions(gpu="0,1"), True, ["--gpu"]),
        (ProcessOptions(processes=2), False, ["--processes"]),
        (ProcessOptions(processes=0), True, ["--processes"]),
        (ProcessOptions(gpus="2", processes=65), False, ["--gpus", "--processes", "--processes"]),
    ],
    ids=str,
)
def test_what_cannot_be_meant_together_is_refused_by_name(
    options: ProcessOptions, on_processor: bool, wrong: list[str]
) -> None:
    with pytest.raises(ConfigErrors) as caught:
        options.refuse_contradictions(on_processor=on_processor)

    assert [line.split()[0] for line in str(caught.value).splitlines()] == wrong


def test_several_cards_train_with_what_each_needs_told(tmp_path: Path, config: TrainingConfig) -> None:
    made, told = job_in_processes(job(tmp_path), config, ProcessOptions(gpus="2"), HERE)

    assert (made.processes, made.gpu_uuids, made.gpu_uuid) == (2, ("GPU-2", "GPU-1"), "GPU-2")
    assert made.command()[-2:] == ["--processes", "2"]
    assert told[0].startswith("2 processes: each takes 2 of the 4 pictures of a step; a step should be about ")
    assert "times as fast as on NVIDIA GeForce RTX 3060 alone" in told[0]
    assert len(told) == 1


def test_the_trainer_sees_these_cards_in_this_order() -> None:
    environment = child_environment({}, gpu_uuid="GPU-2,GPU-1")

    assert environment["CUDA_VISIBLE_DEVICES"] == "GPU-2,GPU-1"


def test_the_smallest_card_is_the_one_that_memory_is_looked_for_on(tmp_path: Path, config: TrainingConfig) -> None:
    made, _ = job_in_processes(job(tmp_path), config, ProcessOptions(gpus="all"), HERE)

    assert (made.processes, made.gpu_uuid) == (3, "GPU-0")


def test_more_cards_than_pictures_are_left_alone(tmp_path: Path, config: TrainingConfig) -> None:
    small = with_values(config, {"schedule.batch_size": 2})

    made, told = job_in_processes(job(tmp_path), small, ProcessOptions(gpus="all"), HERE)

    assert (made.processes, made.gpu_uuids) == (2, ("GPU-2", "GPU-1"))
    assert told[-1] == "A step has 2 pictures, so 2 of the 3 cards train"


def test_a_second_card_is_told_to_have_nothing_to_do_with_one_picture_a_step(
    tmp_path: Path, config: TrainingConfig
) -> None:
    one = with_values(config, {"schedule.batch_size": 1})

    made, told = job_in_processes(job(tmp_path), one, ProcessOptions(gpus="2"), HERE)

    assert (made.processes, made.gpu_uuids, made.gpu_uuid) == (1, (), "GPU-2")
    assert "--processes" not in made.command()
    assert told[0].startswith("A step has one picture (batch 1 without accumulation), so a second card would have")


def test_a_card_with_too_little_memory_is_named(tmp_path: Path, config: TrainingConfig) -> None:
    full = replace(CARDS[0], free_bytes=1024)
    here = make_hardware(gpus=(full, *CARDS[1:]))

    _, told = job_in_processes(job(tmp_path), config, ProcessOptions(gpu="0,1"), here)

    assert told[1] == "! NVIDIA GeForce RTX 3070 (card 0) has only 0.0 GiB free"


def test_a_card_without_the_planned_dtype_is_refused(tmp_path: Path, config: TrainingConfig) -> None:
    old = make_gpu(16.0, uuid="GPU-3", index=3, compute_capability=(7, 5), name="Tesla T4")

    with pytest.raises(HardwareError, match=r"Tesla T4 \(card 3\) has no bfloat16"):
        job_in_processes(job(tmp_path), config, ProcessOptions(gpus="all"), make_hardware(gpus=(*CARDS, old)))


def test_another_card_than_the_planned_one_may_be_named(tmp_path: Path, config: TrainingConfig) -> None:
    made, told = job_in_processes(job(tmp_path), config, ProcessOptions(gpu="1"), HERE)

    assert (made.processes, made.gpu_uuid, made.gpu_uuids) == (1, "GPU-1", ())
    assert told == ("Training on NVIDIA GeForce RTX 3090 (card 1)",)


def test_processes_share_a_processor_and_are_no_faster(tmp_path: Path, config: TrainingConfig) -> None:
    made, told = job_in_processes(
        job(tmp_path, on_processor=True), config, ProcessOptions(processes=8), make_hardware(None)
    )

    assert made.processes == 4
    assert told == (
        "4 processes: each takes 1 of the 4 pictures of a step. They share the processor's cores, so it is no faster",
        "A step has 4 pictures, so 4 of the 8 processes train",
    )


def test_without_a_base_model_to_look_at_only_the_shares_are_told(
    tmp_path: Path, config: TrainingConfig, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(several_processes, "_structure", lambda _: None)

    _, told = job_in_processes(job(tmp_path), config, ProcessOptions(gpus="2"), HERE)

    assert told == ("2 processes: each takes 2 of the 4 pictures of a step",)
