"""Trainings by several processes beside the same by one."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch

from advisor.run_folder.ladder_file import Ladder
from advisor.run_folder.layout import RunFolder
from tests.support.ranks import train_in_ranks
from tests.support.runs import events_of, make_config, run_training, same, weights


def losses(run: Path) -> list[float]:
    return [event["loss"] for event in events_of(run, "step")]


def distance(one: Path, other: Path) -> float:
    """The norm of the difference of two runs' last LoRAs, over the norm of the first."""
    first, second = weights(one), weights(other)
    apart = sum(float((second[name].double() - first[name].double()).square().sum()) for name in first)
    return float((apart / sum(float(one.double().square().sum()) for one in first.values())) ** 0.5)


def test_two_processes_train_the_same_bytes_as_one_that_splits_its_batches_in_two(
    material: Path, tmp_path: Path
) -> None:
    config = make_config(material, network__dropout=0.2, network__rank_dropout=0.1, loss__noise_offset=0.1)
    one, two = tmp_path / "one", tmp_path / "two"
    RunFolder(one).write_ladder(Ladder(batch_parts=2))
    run_training(one, config)

    assert train_in_ranks(two, config, 2) == [None, None]

    assert losses(two) == losses(one)
    assert same(weights(two), weights(one))
    assert events_of(two, "started")[0]["processes"] == 2
    assert len(events_of(two, "saved")) == len(events_of(one, "saved"))


@pytest.mark.slow
@pytest.mark.parametrize("count", [2, 3])
@pytest.mark.parametrize(
    "settings",
    [
        {"schedule__gradient_accumulation": 3, "schedule__batch_size": 1, "network__module_dropout": 0.4},
        {"schedule__batch_size": 3, "loss__ema": True, "dataset__flip": True, "sampling__prompts": ("tok",)},
        {"network__kind": "dora", "schedule__batch_size": 3, "dataset__random_crop": True, "validation__share": 1.0},
        {"network__kind": "loha", "network__rank_dropout": 0.3, "schedule__batch_size": 3},
    ],
    ids=["accumulated", "ema", "dora", "loha"],
)  # fmt: skip
def test_so_many_processes_train_as_one(material: Path, tmp_path: Path, count: int, settings: dict[str, Any]) -> None:
    config = make_config(material, schedule__epochs=1, saving__dtype="float32", **settings)
    run_training(tmp_path / "one", config)

    assert train_in_ranks(tmp_path / "more", config, count) == [None] * count

    assert losses(tmp_path / "more") == pytest.approx(losses(tmp_path / "one"), rel=1e-5)
    assert distance(tmp_path / "one", tmp_path / "more") < 1e-5


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_after_a_hundred_steps_of_adamw_they_are_a_thousandth_apart_at_most(material: Path, tmp_path: Path) -> None:
    """As far as one process is from itself when it splits its batches: AdamW makes of the last bit of a small gradient
    a step of the usual length, so that losses drift apart."""
    config = make_config(
        material, schedule__epochs=200, schedule__max_steps=100, schedule__batch_size=3, saving__dtype="float32",
        saving__every_epochs=0, optimizer__learning_rate=1e-4, optimizer__unet_learning_rate=1e-4,
        optimizer__text_encoder_learning_rate=5e-5,
    )  # fmt: skip
    run_training(tmp_path / "one", config)

    for count in (2, 3):
        assert train_in_ranks(tmp_path / f"of {count}", config, count) == [None] * count
        found, alone = losses(tmp_path / f"of {count}"), losses(tmp_path / "one")
        assert len(found) == 100
        assert found[:20] == pytest.approx(alone[:20], rel=1e-6)
        assert found == pytest.approx(alone, rel=1e-2)
        assert distance(tmp_path / "one", tmp_path / f"of {count}") < 1e-3


@pytest.mark.slow
@pytest.mark.parametrize("counts", [(1, 2, 1), (2, 3, 1), (3, 1, 2)])
def test_a_run_goes_on_with_another_number_of_processes(
    material: Path, tmp_path: Path, counts: tuple[int, ...]
) -> None:
    run, whole = tmp_path / "run", tmp_path / "whole"
    more: dict[str, Any] = {
        "schedule__name": "constant",
        "schedule__batch_size": 3,
        "saving__dtype": "float32",
        "network__dropout": 0.1,
    }
    for epochs, count in enumerate(counts, start=1):
        config = make_config(material, schedule__epochs=epochs, **more)
        assert train_in_ranks(run, config, count, resume=epochs > 1) == [None] * count

    run_training(whole, make_config(material, schedule__epochs=3, **more))

    assert losses(run) == pytest.approx(losses(whole), rel=1e-5)
    assert distance(whole, run) < 1e-3
    started = events_of(run, "started")
    assert [event.get("processes", 1) for event in started] == list(counts)
    steps = len(losses(whole)) // 3
    assert [event["resumed_from"] for event in started] == [None, steps, 2 * steps]


@pytest.mark.slow
def test_a_step_with_fewer_pictures_than_processes_trains_all_the_same(material: Path, tmp_path: Path) -> None:
    config = make_config(material, schedule__epochs=1, schedule__batch_size=1, memory__compute_dtype="float16")
    run_training(tmp_path / "one", config)

    assert train_in_ranks(tmp_path / "two", config, 2) == [None, None]

    assert losses(tmp_path / "two") == losses(tmp_path / "one")
    assert all(torch.equal(weights(tmp_path / "two")[name], one) for name, one in weights(tmp_path / "one").items())
