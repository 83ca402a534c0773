from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.support.grids import epoch_loras, grid_config, grid_folder
from tests.support.tiny import tiny_sd1
from trainer.evaluate.cells import EpochLora, PlannedCell, is_drawn, picture_of, planned_cells, seeds_of
from trainer.models.families.family import BaseModel


@pytest.fixture(scope="module")
def base() -> BaseModel:
    return tiny_sd1()


@pytest.fixture(scope="module")
def loras(base: BaseModel, tmp_path_factory: pytest.TempPathFactory) -> tuple[EpochLora, ...]:
    return epoch_loras(base, tmp_path_factory.mktemp("loras"))


def planned(folder: Path, loras: tuple[EpochLora, ...], **settings: Any) -> tuple[PlannedCell, ...]:
    return planned_cells(loras, ("tok", "a house"), (5, 6), (0.6, 1.0), config=grid_config(folder, **settings))


def test_the_base_model_comes_first_then_epochs_weights_prompts_and_seeds(
    tmp_path: Path, loras: tuple[EpochLora, ...]
) -> None:
    cells = [one.cell for one in planned(tmp_path, loras)]

    assert [(cell.epoch, cell.weight, cell.prompt, cell.seed) for cell in cells] == [
        (epoch, weight, prompt, seed)
        for epoch, weight in ((0, 0.0), (1, 0.6), (1, 1.0), (2, 0.6), (2, 1.0))
        for prompt, seeds in enumerate(((5, 6), (69, 70)))
        for seed in seeds
    ]
    assert len({cell.path for cell in cells}) == 20


def test_some_prompts_are_drawn_from_more_seeds_and_the_first_pictures_stay(
    tmp_path: Path, loras: tuple[EpochLora, ...]
) -> None:
    config, prompts = grid_config(tmp_path), ("tok", "tok, hat", "a house")
    first = planned_cells(loras, prompts, (5, 6), (1.0,), config=config)
    deeper = planned_cells(loras, prompts, (5, 6), (1.0,), config=config, more_seeds=3, deep=(0, 1))

    assert {one.cell for one in first} < {one.cell for one in deeper}
    of_base = [(one.cell.prompt, one.cell.seed) for one in deeper if one.cell.epoch == 0]
    assert [seed for prompt, seed in of_base if prompt == 0] == [5, 6, 7, 8, 9]
    assert [sum(prompt == number for prompt, _ in of_base) for number in range(3)] == [5, 5, 2]
    assert len({seed for _, seed in of_base}) == len(of_base)


def test_further_seeds_are_none_that_a_prompt_has() -> None:
    assert seeds_of(0, (5, 7), 2) == (5, 7, 6, 8)
    assert seeds_of(1, (5, 7), 2) == (69, 71, 70, 72)
    assert seeds_of(0, (), 2) == ()


def test_a_prompt_keeps_its_seeds_when_others_are_added() -> None:
    """So that what was drawn before is not drawn again."""
    assert seeds_of(3, (5, 6, 7))[:2] == seeds_of(3, (5, 6))
    assert seeds_of(0, (5, 6)) == (5, 6)
    assert seeds_of(1, (2**32 - 1,)) == (63,)


@pytest.mark.parametrize(
    "setting",
    [
        {"sampling__steps": 3}, {"sampling__guidance": 4.0}, {"sampling__negative": "bad"},
        {"sampling__sampler": "euler"}, {"dataset__resolution_px": 128}, {"model__prediction": "v_prediction"},
        {"model__prediction": "v_prediction", "loss__zero_terminal_snr": True}, {"model__clip_skip": 2},
        {"dataset__max_tokens": 150}, {"memory__compute_dtype": "bfloat16"},
    ],
)  # fmt: skip
def test_whatever_shows_in_a_picture_makes_it_another(
    tmp_path: Path, loras: tuple[EpochLora, ...], setting: dict[str, Any]
) -> None:
    before = {one.cell.path for one in planned(tmp_path, loras)}

    assert before.isdisjoint(one.cell.path for one in planned(tmp_path, loras, **setting))


def test_what_does_not_show_in_a_picture_leaves_it(tmp_path: Path, loras: tuple[EpochLora, ...]) -> None:
    before = [one.cell.path for one in planned(tmp_path, loras)]

    changed = planned(tmp_path, loras, schedule__epochs=9, saving__name="other", sampling__seed=3, network__rank=9)
    assert [one.cell.path for one in changed] == before


def test_a_lora_is_known_by_its_contents_and_not_by_its_epoch(tmp_path: Path, loras: tuple[EpochLora, ...]) -> None:
    renamed = EpochLora(9, tmp_path / "other.safetensors")
    renamed.path.write_bytes(loras[1].path.read_bytes())

    found, before = planned(tmp_path, (renamed,)), planned(tmp_path, (loras[1],))

    assert [one.cell.path for one in found] == [one.cell.path for one in before]
    assert found[-1].cell.epoch == 9


@pytest.mark.parametrize(
    ("content", "drawn"),
    [
        (b"\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR\x00\x00\x00\x40\x00\x00\x00\x40", True),
        (b"\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR\x00\x00\x00\x40\x00\x00\x00\x41", False),
        (b"\x89PNG", False), (b"", False), (b"no picture at all, but long enough", False),
    ],
)  # fmt: skip
def test_only_a_picture_of_the_right_size_counts_as_drawn(
    tmp_path: Path, loras: tuple[EpochLora, ...], content: bytes, drawn: bool
) -> None:
    folder, one = grid_folder(tmp_path), planned(tmp_path, loras)[0]
    assert not is_drawn(one, folder)
    folder.pictures.mkdir(parents=True)
    picture_of(one.cell, folder).write_bytes(content)

    assert is_drawn(one, folder) is drawn
