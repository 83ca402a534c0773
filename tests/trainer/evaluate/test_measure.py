from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from PIL import Image, ImageDraw

from advisor.choosing.cells import BASE_EPOCH, Cell, MeasureName
from advisor.settings.config import DatasetConfig, TrainingConfig
from tests.support.runs import make_config
from tests.support.tiny import tiny_sd1
from trainer.evaluate.drawn import Drawn
from trainer.evaluate.measure import Watch, measure
from trainer.evaluate.references import References
from trainer.evaluate.seen import Viewer
from trainer.models.families.family import BaseModel
from trainer.runtime.interrupts import Interrupted

PROMPTS = ("mia, blue", "mia, green", "man, blue", "man, green", "mia")
GROUNDS = ("blue", "green", "blue", "green", "gray")
CALLED = (0, 1, 4)
SEEDS = (1, 2, 3)
HAIR = ("black", "orange", "white", "brown", "gold", "gray")

Scores = Mapping[MeasureName, float]
Draw = Callable[[int, int], Image.Image]
"""The picture of a prompt and a seed."""


def person(ground: str, seed: int, *, hair: str, coat: str, ears: bool) -> Image.Image:
    """A head with hair and a coat before a plain ground, a little moved by the seed."""
    picture = Image.new("RGB", (128, 128), ground)
    pen, x, y = ImageDraw.Draw(picture), 4 * (seed % 4) - 6, 3 * (seed % 3) - 3
    pen.ellipse((34 + x, 24 + y, 94 + x, 84 + y), fill=hair, outline="black", width=3)
    pen.ellipse((42 + x, 36 + y, 86 + x, 88 + y), fill="tan", outline="black", width=3)
    pen.rectangle((30 + x, 92 + y, 98 + x, 127), fill=coat, outline="black", width=3)
    if ears:
        pen.polygon([(36 + x, 36 + y), (44 + x, 4 + y), (58 + x, 26 + y)], fill="purple", outline="black")
        pen.polygon([(92 + x, 36 + y), (84 + x, 4 + y), (70 + x, 26 + y)], fill="purple", outline="black")
    return picture


def anybody(prompt: int, seed: int) -> Image.Image:
    """What the base model draws: someone else each time, before the ground that is asked for."""
    number = 3 * prompt + seed
    return person(GROUNDS[prompt], seed, hair=HAIR[number % 6], coat=HAIR[(number + 2) % 6], ears=False)


def mia(prompt: int, seed: int) -> Image.Image:
    return person(GROUNDS[prompt], seed + 1, hair="purple", coat="teal", ears=True)


def good(prompt: int, seed: int) -> Image.Image:
    return mia(prompt, seed) if prompt in CALLED else anybody(prompt, seed)


def deaf(prompt: int, seed: int) -> Image.Image:
    """Always before the same ground."""
    return mia(4, seed)


def burnt(prompt: int, seed: int) -> Image.Image:
    pixels = torch.randint(0, 256, (128, 128, 3), generator=torch.Generator().manual_seed(9 * prompt + seed))
    return Image.fromarray(pixels.to(torch.uint8).numpy())


@pytest.fixture(scope="module")
def base() -> BaseModel:
    return tiny_sd1()


@pytest.fixture
def config(tmp_path: Path) -> TrainingConfig:
    """Of a set of pictures of her, before other grounds too."""
    config = make_config(tmp_path)
    images = tmp_path / "set"
    images.mkdir()
    for number in range(8):
        ground = ("blue", "green", "gray", "pink", "yellow")[number % 5]
        person(ground, number, hair="purple", coat="teal", ears=True).save(images / f"{number}.png")
    dataset = replace_images(config, images)
    return config.model_copy(update={"dataset": dataset})


def replace_images(config: TrainingConfig, images: Path) -> DatasetConfig:
    return config.dataset.model_copy(update={"images": str(images)})


def grid(folder: Path, *epochs: Draw, prompts: tuple[str, ...] = PROMPTS, seeds: tuple[int, ...] = SEEDS) -> Drawn:
    (folder / "pictures").mkdir(exist_ok=True)
    cells = []
    for epoch, draw in enumerate((anybody, *epochs)):
        for prompt in range(len(prompts)):
            for seed in seeds:
                path = f"pictures/{epoch}{prompt}{seed}.png"
                draw(prompt, seed).save(folder / path)
                cells.append(Cell(epoch, float(epoch > 0), prompt, seed, path))
    return Drawn(cells, prompts, folder, "mia")


def means(
    base: BaseModel, config: TrainingConfig, drawn: Drawn, references: References | None
) -> dict[tuple[int, bool], Scores]:
    """Of each epoch's prompts with the trigger and of those without, the mean of each measure."""
    scores = measure(Viewer(base, config, model_key="tiny"), drawn, references)
    found: dict[tuple[int, bool], dict[MeasureName, list[float]]] = {}
    for one in scores:
        row = found.setdefault((one.epoch, drawn.calls(one.prompt)), {})
        for name, value in one.values.items():
            row.setdefault(name, []).append(value)
    return {key: {name: sum(values) / len(values) for name, values in row.items()} for key, row in found.items()}


def test_pictures_that_are_the_bases_own_are_changed_in_nothing(
    base: BaseModel, config: TrainingConfig, tmp_path: Path
) -> None:
    scores = measure(
        Viewer(base, config, model_key="tiny"), grid(tmp_path, anybody), References.of_run(tmp_path, config)
    )

    for one in scores:
        assert one.values.get("leak", 0.0) == 0
        assert one.values["likeness"] == one.values["colour"] == 0
        assert one.values["variety"] == pytest.approx(1)
        assert one.epoch == BASE_EPOCH or one.values["damage"] == 0


def test_a_good_lora_shows_the_character_obeys_and_leaves_the_rest(
    base: BaseModel, config: TrainingConfig, tmp_path: Path
) -> None:
    found = means(base, config, grid(tmp_path, good), References.of_run(tmp_path, config))
    called, uncalled = found[1, True], found[1, False]

    assert called["likeness"] == pytest.approx(1, abs=0.25)
    assert called["colour"] == pytest.approx(1, abs=0.25)
    assert called["obedience"] > 0.9
    assert called["damage"] < 0.2
    assert (uncalled["leak"], uncalled["damage"], uncalled["likeness"]) == (0, 0, 0)
    assert uncalled["obedience"] > 0.9


def test_a_lora_that_always_draws_the_same_ground_obeys_less(
    base: BaseModel, config: TrainingConfig, tmp_path: Path
) -> None:
    found = means(base, config, grid(tmp_path, good, deaf), None)

    assert found[2, True]["obedience"] < found[1, True]["obedience"] - 0.5


def test_a_character_that_comes_unasked_is_leak(base: BaseModel, config: TrainingConfig, tmp_path: Path) -> None:
    found = means(base, config, grid(tmp_path, mia), References.of_run(tmp_path, config))

    assert found[1, False]["leak"] > 0.2
    assert found[1, False]["likeness"] > 0.7


def test_noise_is_damage_and_neither_likeness_nor_obedience(
    base: BaseModel, config: TrainingConfig, tmp_path: Path
) -> None:
    found = means(base, config, grid(tmp_path, good, burnt), References.of_run(tmp_path, config))

    for called in (True, False):
        assert found[2, called]["damage"] > 1
        assert found[2, called]["obedience"] < 0.5
    assert found[2, True]["likeness"] < 0.3
    assert found[2, False]["leak"] > 0.5


def test_a_copy_of_a_training_picture_is_memorised_and_a_new_one_is_not(
    base: BaseModel, config: TrainingConfig, tmp_path: Path
) -> None:
    def copy(prompt: int, seed: int) -> Image.Image:
        return Image.open(tmp_path / "set" / f"{prompt}.png")

    found = means(base, config, grid(tmp_path, good, copy), References.of_run(tmp_path, config))

    assert found[2, True]["memorised"] == pytest.approx(1, abs=0.01)
    assert found[1, True]["memorised"] < 0.5


def test_without_pictures_of_the_set_the_rest_is_measured(
    base: BaseModel, config: TrainingConfig, tmp_path: Path
) -> None:
    found = means(base, config, grid(tmp_path, good), None)

    assert found[1, True].keys() == {"obedience", "variety", "damage"}
    assert found[1, False].keys() == {"obedience", "variety", "damage", "leak"}


def test_one_prompt_and_one_seed_give_what_they_can(base: BaseModel, config: TrainingConfig, tmp_path: Path) -> None:
    drawn = grid(tmp_path, good, prompts=PROMPTS[:1], seeds=(1,))

    found = means(base, config, drawn, References.of_run(tmp_path, config))

    assert found[1, True].keys() == {"likeness", "colour", "damage", "memorised"}
    assert found[1, True]["likeness"] > 0.5


def test_cells_without_one_of_the_base_model_are_left_out(
    base: BaseModel, config: TrainingConfig, tmp_path: Path
) -> None:
    drawn = grid(tmp_path, good)
    some = [cell for cell in drawn.cells if cell.epoch or cell.seed != 2]

    scores = measure(Viewer(base, config, model_key="tiny"), replace(drawn, cells=some), None)

    assert {one.seed for one in scores} == {1, 3}


def test_measuring_tells_how_far_it_is_and_can_be_broken_off(
    base: BaseModel, config: TrainingConfig, tmp_path: Path
) -> None:
    drawn, told = grid(tmp_path, good, prompts=PROMPTS[:1]), list[tuple[int, int]]()

    def stop() -> None:
        if len(told) == 4:
            raise Interrupted

    with pytest.raises(Interrupted):
        measure(
            Viewer(base, config, model_key="tiny"),
            drawn,
            None,
            Watch(report=lambda *done: told.append(done), check=stop),
        )

    assert told == [(1, 6), (2, 6), (3, 6), (4, 6)]
