from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

import trainer.evaluate.grid as module
from advisor.choosing.cells import Cell
from advisor.errors import ModelError, TrainingStopped
from advisor.run_folder.grids.grid_paths import GridPaths
from tests.support.grids import epoch_loras, grid_config, grid_folder, random_lora
from tests.support.tiny import tiny_sd1
from trainer.diffusion.sampling import Request, draw, draw_batch
from trainer.evaluate.cells import EpochLora, picture_of
from trainer.evaluate.grid import Watch, draw_grid
from trainer.models.families.family import BaseModel
from trainer.runtime.interrupts import Interrupted

PROMPTS, SEEDS, WEIGHTS = ("tok, hat", "a house"), (5, 6, 7), (0.6, 1.0)
Loras = tuple[EpochLora, ...]


@pytest.fixture(scope="module")
def base() -> BaseModel:
    return tiny_sd1()


@pytest.fixture(scope="module")
def loras(base: BaseModel, tmp_path_factory: pytest.TempPathFactory) -> Loras:
    return epoch_loras(base, tmp_path_factory.mktemp("loras"))


def grid(base: BaseModel, folder: Path, loras: Loras, *, weights: Sequence[float] = WEIGHTS, **given: Any) -> Any:
    config = grid_config(folder.parent)
    return draw_grid(base, loras, PROMPTS, SEEDS, weights, config=config, folder=grid_folder(folder), **given)


def pictures(cells: Sequence[Cell], folder: GridPaths) -> dict[tuple[int, float, int, int], Any]:
    return {
        (one.epoch, one.weight, one.prompt, one.seed): np.asarray(Image.open(picture_of(one, folder)), dtype=np.int16)
        for one in cells
    }


@pytest.fixture(scope="module")
def drawn(base: BaseModel, loras: Loras, tmp_path_factory: pytest.TempPathFactory) -> dict[Any, Any]:
    folder = tmp_path_factory.mktemp("grid") / "first"
    return pictures(grid(base, folder, loras), grid_folder(folder))


def alike(one: dict[Any, Any], other: dict[Any, Any]) -> bool:
    return one.keys() == other.keys() and all(abs(one[key] - other[key]).max() <= 1 for key in one)


class Counting:
    """`draw_batch`, which counts its batches' pictures and may fail first."""

    def __init__(self, fail: Callable[[Sequence[Request]], None] = lambda _: None) -> None:
        self.sizes, self.fail = list[int](), fail

    def __call__(self, base: Any, requests: Sequence[Request], *more: Any) -> Any:
        self.fail(requests)
        self.sizes.append(len(requests))
        return draw_batch(base, requests, *more)


def test_a_grid_has_the_base_model_and_each_epoch_weight_prompt_and_seed(drawn: dict[Any, Any]) -> None:
    assert len(drawn) == (1 + 2 * 2) * 2 * 3
    assert len({picture.tobytes() for picture in drawn.values()}) == len(drawn)


def test_a_cell_is_what_is_drawn_alone_without_a_grid(
    base: BaseModel, loras: Loras, drawn: dict[Any, Any], tmp_path: Path
) -> None:
    from trainer.adapters.file_network import attach_file

    config = grid_config(tmp_path)
    network = attach_file(base, loras[1].path)
    network.multiplier = 0.6
    alone = draw(base, Request.of(config.sampling, PROMPTS[1], seed=70, side_px=64), config)
    network.detach()
    plain = draw(base, Request.of(config.sampling, PROMPTS[1], seed=70, side_px=64), config)

    assert abs(np.asarray(alone, dtype=np.int16) - drawn[2, 0.6, 1, 70]).max() <= 1
    assert abs(np.asarray(plain, dtype=np.int16) - drawn[0, 0.0, 1, 70]).max() <= 1


def test_the_order_and_the_size_of_batches_change_nothing(
    base: BaseModel, loras: Loras, drawn: dict[Any, Any], tmp_path: Path
) -> None:
    backwards = grid(base, tmp_path / "grid", tuple(reversed(loras)), weights=(1.0, 0.6), most_at_once=1)

    assert alike(pictures(backwards, grid_folder(tmp_path / "grid")), drawn)


def test_what_is_there_is_not_drawn_again(
    base: BaseModel, loras: Loras, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    counting = Counting()
    monkeypatch.setattr(module, "draw_batch", counting)
    grid(base, tmp_path / "grid", loras[:1])
    assert counting.sizes == [6, 6, 6]
    told = list[tuple[int, int]]()

    cells = grid(base, tmp_path / "grid", loras, weights=(1.0,), watch=Watch(report=lambda *one: told.append(one)))

    assert counting.sizes[3:] == [6]
    assert told == [(12, 18), (18, 18)]
    assert len(cells) == 18


def test_a_grid_that_is_broken_off_goes_on_and_ends_in_the_same_pictures(
    base: BaseModel, loras: Loras, drawn: dict[Any, Any], tmp_path: Path
) -> None:
    rng, runs = random.Random(3), 0
    while True:
        left = rng.randrange(1, 30)

        def check() -> None:
            nonlocal left
            left -= 1
            if left < 0:
                raise Interrupted

        runs += 1
        try:
            cells = grid(base, tmp_path / "grid", loras, most_at_once=2, watch=Watch(check=check))
            break
        except Interrupted:
            continue

    assert runs > 2
    assert len(list(grid_folder(tmp_path / "grid").pictures.iterdir())) == len(cells)
    assert alike(pictures(cells, grid_folder(tmp_path / "grid")), drawn)


def test_breaking_off_leaves_the_base_model_as_it_was(base: BaseModel, loras: Loras, tmp_path: Path) -> None:
    layer = base.denoiser.mid_block.attentions[0].proj_in

    def check() -> None:
        if "forward" in vars(layer):
            raise Interrupted

    with pytest.raises(Interrupted):
        grid(base, tmp_path / "grid", loras, watch=Watch(check=check))

    assert "forward" not in vars(layer)


def test_where_memory_runs_out_batches_get_smaller_and_stay_so(
    base: BaseModel, loras: Loras, drawn: dict[Any, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(requests: Sequence[Request]) -> None:
        if len(requests) > 2:
            raise torch.OutOfMemoryError("out of memory")

    counting = Counting(fail)
    monkeypatch.setattr(module, "draw_batch", counting)

    cells = grid(base, tmp_path / "grid", loras)

    assert counting.sizes == [1] * len(cells)
    assert alike(pictures(cells, grid_folder(tmp_path / "grid")), drawn)


def test_without_memory_for_one_picture_it_ends_with_what_to_do(
    base: BaseModel, loras: Loras, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(requests: Sequence[Request]) -> None:
        raise torch.OutOfMemoryError("out of memory")

    monkeypatch.setattr(module, "draw_batch", Counting(fail))

    with pytest.raises(TrainingStopped, match="not enough memory to draw a picture of 64 x 64 px: close") as caught:
        grid(base, tmp_path / "grid", loras)
    assert caught.value.exit_code == 3


def test_who_draws_no_finite_numbers_is_named(base: BaseModel, tmp_path: Path) -> None:
    wild = EpochLora(3, random_lora(base, tmp_path / "wild.safetensors", seed=1, size=1e18))

    with pytest.raises(ModelError, match=r"^With epoch 3 at weight 0\.6 'tok, hat' gives no finite numbers"):
        grid(base, tmp_path / "grid", (wild,))


def test_a_lora_without_change_draws_what_the_base_model_draws(base: BaseModel, tmp_path: Path) -> None:
    calm = EpochLora(1, random_lora(base, tmp_path / "calm.safetensors", seed=1, size=0.0))

    found = pictures(grid(base, tmp_path / "grid", (calm,), weights=(1.0,)), grid_folder(tmp_path / "grid"))

    assert all(
        abs(found[1, 1.0, prompt, seed] - found[0, 0.0, prompt, seed]).max() <= 1 for _, _, prompt, seed in found
    )
