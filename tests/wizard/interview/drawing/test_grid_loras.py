from __future__ import annotations

from pathlib import Path

import pytest

from advisor.errors import RunError
from advisor.run_folder.layout import RunFolder
from advisor.settings.config import blank_config, changed
from tests.support.headers import write_model
from wizard.interview.drawing.grid_loras import chosen_loras, loras_by_epoch, thinned

CONFIG = changed(blank_config(name="fox"), "schedule.epochs", 12)


def lora(path: Path, **metadata: str) -> Path:
    path.parent.mkdir(exist_ok=True)
    return write_model(path, {"lora_unet_x.lora_up.weight": (1, 1)}, metadata=metadata)


@pytest.fixture
def run(tmp_path: Path) -> RunFolder:
    run = RunFolder(tmp_path)
    for epoch in (2, 1):
        lora(run.lora_of_epoch("fox", epoch))
    lora(run.lora_of_step("fox", 30))
    lora(run.lora_of_epoch("fox-old", 7))
    return run


def test_the_loras_of_epochs_are_found_and_those_of_steps_are_left_out(run: RunFolder) -> None:
    assert loras_by_epoch(run, CONFIG) == {1: run.lora_of_epoch("fox", 1), 2: run.lora_of_epoch("fox", 2)}


@pytest.mark.parametrize(
    ("metadata", "epoch"), [({"ss_epoch": "3"}, 3), ({}, 12), ({"ss_epoch": "many"}, 12), ({"ss_epoch": "1000001"}, 12)]
)
def test_the_last_is_of_the_epoch_that_it_tells_else_of_the_last(
    run: RunFolder, metadata: dict[str, str], epoch: int
) -> None:
    lora(run.lora("fox"), **metadata)

    assert list(loras_by_epoch(run, CONFIG)) == [1, 2, epoch]


def test_a_run_without_loras_is_to_be_trained_first(tmp_path: Path) -> None:
    with pytest.raises(RunError, match=r"has no LoRAs of epochs yet to draw with: train it first"):
        loras_by_epoch(RunFolder(tmp_path), CONFIG)


def test_an_epoch_that_is_not_there_is_named_with_those_that_are(run: RunFolder) -> None:
    found = loras_by_epoch(run, CONFIG)

    assert list(chosen_loras(found, (2,))) == [2]
    assert list(chosen_loras(found, ())) == [1, 2]
    with pytest.raises(RunError, match="there is no LoRA of epoch 3, 9; there are those of 1, 2"):
        chosen_loras(found, (1, 3, 9))


@pytest.mark.parametrize(
    ("epochs", "kept"),
    [
        (range(1, 4), (1, 2, 3)),
        (range(1, 11), tuple(range(1, 11))),
        (range(1, 13), (1, 2, 3, 4, 6, 7, 8, 9, 10, 12)),
        (range(1, 101), tuple(range(10, 101, 10))),
    ],
)
def test_of_many_epochs_ten_are_taken_evenly_spread_with_the_last(epochs: range, kept: tuple[int, ...]) -> None:
    assert thinned(tuple(epochs)) == kept
