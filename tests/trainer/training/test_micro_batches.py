from __future__ import annotations

from pathlib import Path

import pytest
import torch

from advisor.run_folder.ladder_file import Ladder
from advisor.run_folder.layout import RunFolder
from advisor.tensor_files.header import read_header
from tests.support.runs import events_of, make_config, run_training
from trainer.models.families.family import Conditioning
from trainer.training.micro_batches import micro_batch, micro_batch_slices
from trainer.training.step import Batch


@pytest.mark.parametrize(
    ("count", "parts", "sizes"),
    [(4, 1, [4]), (4, 2, [2, 2]), (5, 2, [2, 3]), (3, 8, [1, 1, 1]), (1, 2, [1]), (7, 3, [2, 2, 3])],
)
def test_parts_are_as_equal_as_can_be_and_none_is_empty(count: int, parts: int, sizes: list[int]) -> None:
    found = micro_batch_slices(count, parts)

    assert [part.stop - part.start for part in found] == sizes
    assert (found[0].start, found[-1].stop) == (0, count)


def test_a_part_has_the_pictures_and_their_text() -> None:
    batch = Batch(
        latents=torch.arange(4.0).view(4, 1, 1, 1),
        noise=torch.zeros(4, 1, 1, 1),
        times=torch.arange(4),
        levels=torch.ones(4),
        loss_weights=torch.ones(4),
        token_ids=(torch.arange(4).view(4, 1, 1), torch.arange(4).view(4, 1, 1) + 10),
        text=Conditioning({"states": torch.arange(4.0).view(4, 1, 1), "pooled": torch.arange(4.0).view(4, 1)}),
    )

    part = micro_batch(batch, slice(1, 3))

    assert part.latents.flatten().tolist() == [1, 2]
    assert part.times.tolist() == [1, 2]
    assert [ids.flatten().tolist() for ids in part.token_ids] == [[1, 2], [11, 12]]
    assert part.text is not None
    assert (part.text["states"].flatten().tolist(), part.text["pooled"].flatten().tolist()) == ([1, 2], [1, 2])
    assert part.mask is None


def test_a_run_in_parts_trains_as_one_in_whole_batches(tmp_path: Path) -> None:
    config = make_config(tmp_path, schedule__batch_size=3)
    whole, parts = tmp_path / "whole", tmp_path / "parts"
    RunFolder(parts).write_ladder(Ladder(batch_parts=2))

    for run in (whole, parts):
        run_training(run, config)

    losses = [[event["loss"] for event in events_of(run, "step")] for run in (whole, parts)]
    assert losses[1] == pytest.approx(losses[0], rel=1e-4)


def test_what_the_ladder_changed_is_laid_over_the_configuration(tmp_path: Path) -> None:
    config = make_config(tmp_path, schedule__epochs=1)
    run = tmp_path / "run"
    RunFolder(run).write_ladder(Ladder(settings={"memory.gradient_checkpointing": True}))

    run_training(run, config)

    (lora,) = (run / "model").glob("*.safetensors")
    assert not config.memory.gradient_checkpointing
    assert read_header(lora).metadata["ss_gradient_checkpointing"] == "True"
    (finished,) = events_of(run, "finished")
    assert finished["ladder"] == []
