from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest

from advisor.choosing.cells import Cell, Choice
from advisor.estimate.drawing import DrawingCost
from advisor.run_folder.events import SampleDrawn, Started
from advisor.run_folder.grids.grid_record import GridRecord, write_grid
from advisor.run_folder.grids.grid_request import GridRequest
from advisor.run_folder.grids.picks_file import PickedSide, PickLine, append_pick
from advisor.run_folder.layout import RunFolder
from advisor.settings.config import blank_config
from tests.support.fake_trainer import run_folder
from wizard.interview.drawing import evaluation
from wizard.interview.drawing.evaluation import (
    Recommended,
    drawing_sentence,
    picked_grid,
    recommendation_document,
    seconds_each,
    wishes,
    within,
)
from wizard.interview.drawing.grid_options import GridWish
from wizard.interview.drawing.grid_plan import GridPlan, with_further
from wizard.processes.trainer_job import TrainerJob
from wizard.show.screen import make_screen


def drawn(*times: float, epoch: int = 1) -> list[SampleDrawn]:
    return [SampleDrawn(t=time, path="samples/x.png", epoch=epoch) for time in times]  # type: ignore[call-arg]


def test_a_picture_takes_the_time_between_two_of_the_same_epoch() -> None:
    assert seconds_each([*drawn(10, 12, 14, epoch=1), *drawn(100, 102, 104, epoch=2)]) == 2.0


def test_pictures_of_an_earlier_start_do_not_count() -> None:
    assert seconds_each([*drawn(10, 40), Started(t=50), *drawn(60, 61)]) == 1.0  # type: ignore[call-arg]


@pytest.mark.parametrize("times", [(), (10,)])
def test_without_two_pictures_the_time_is_not_known(times: Sequence[float]) -> None:
    assert seconds_each(drawn(*times)) is None


def test_a_clock_that_was_set_back_gives_no_time_below_zero() -> None:
    assert seconds_each(drawn(10, 5)) == 0.0


def planned(wish: GridWish, *, fits: bool = True) -> GridPlan:
    """Four prompts."""
    request = GridRequest(
        config=blank_config(), loras=(), prompts=("a",) * 4, seeds=tuple(range(wish.seeds)), folder="run"
    )
    num_images = 4 * wish.seeds * (1 + len(wish.epochs))
    return GridPlan(request, DrawingCost(num_images, None, peak_bytes=1, free_bytes=2 if fits else 0))


def fitting(budget: float, *, num_epochs: int = 10) -> GridPlan | None:
    """At a second a picture."""
    return within(budget, 1.0, wishes(range(1, num_epochs + 1)), planned)


@pytest.mark.parametrize(
    ("budget", "num_images"),
    [(1000, 132), (131, 88), (87, 80), (40, 40)],
)
def test_with_less_time_seeds_are_left_out_first_and_then_epochs(budget: float, num_images: int) -> None:
    found = fitting(budget)

    assert found is not None
    assert found.cost.num_images == num_images


def test_fewer_than_four_epochs_are_not_looked_at_where_there_are_more() -> None:
    assert fitting(39) is None


def test_a_short_training_is_looked_at_whole() -> None:
    found = fitting(1000, num_epochs=2)

    assert found is not None
    assert found.cost.num_images == 36


def test_a_training_of_many_epochs_is_looked_at_in_ten_places() -> None:
    (first, *_) = wishes(range(1, 41))

    assert first.epochs == (4, 8, 12, 16, 20, 24, 28, 32, 36, 40)


def test_what_does_not_fit_into_memory_is_not_drawn() -> None:
    assert within(1000, 1.0, wishes((1, 2)), lambda wish: planned(wish, fits=False)) is None


@pytest.mark.parametrize(("most_seconds", "further"), [(176, 88), (150, 62), (88, 0), (10, 0)])
def test_what_does_not_tell_is_drawn_on_by_as_much_again_within_the_time(most_seconds: float, further: int) -> None:
    plan = planned(GridWish(epochs=tuple(range(1, 11)), seeds=2))

    assert with_further(plan, most_seconds, 1.0).request.most_further == further
    assert with_further(plan, most_seconds).request.most_further == 0  # the time of a picture is not known


def test_what_does_not_tell_after_a_training_is_drawn_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Six seconds a picture in an hour's training: nine minutes for the grid, and as long again at most."""
    run, asked = RunFolder(run_folder(tmp_path, sampling__prompts=("tok",))), list[GridPlan]()
    with run.event_writer() as writer:
        for time in (10, 16):
            writer.write(SampleDrawn(t=time, path="samples/x.png", epoch=1))  # type: ignore[call-arg]
    monkeypatch.setattr(evaluation, "loras_by_epoch", lambda *_: {1: tmp_path, 2: tmp_path})
    monkeypatch.setattr(evaluation, "plan_of_run", lambda _job, wish, _hardware: planned(wish))
    monkeypatch.setattr(evaluation, "by_grid", lambda _job, _config, plan, _screen: asked.append(plan))

    evaluation.recommended(TrainerJob(run), run.read_config(), 3600.0, make_screen(as_json=True))

    (plan,) = asked
    assert (plan.cost.num_images, plan.request.most_further) == (36, 36)


def test_pictures_that_take_no_time_are_drawn_on_by_as_many_again() -> None:
    assert with_further(planned(GridWish(epochs=(1, 2), seeds=2)), 0.0, 0.0).request.most_further == 24


def test_it_is_told_how_long_it_takes_and_how_much_longer_it_may_take() -> None:
    plan = planned(GridWish(epochs=(1, 2), seeds=2))

    assert drawing_sentence(plan, 5.0) == "Drawing 24 pictures to see which epoch is the best, about 2 minutes ..."
    assert drawing_sentence(with_further(plan, 1000.0, 5.0), 5.0) == (
        "Drawing 24 pictures to see which epoch is the best, about 2 minutes; up to 24 more, 2 minutes, if these do "
        "not tell ..."
    )


CHOICE = Choice("good", 2, 1.0, (2,), None, None, 0.9, "Epoch 2 of 3: 0.8.")


def test_the_document_names_the_choice_and_the_file_to_use() -> None:
    run = RunFolder(Path("runs/mia"))
    found = Recommended(CHOICE, run.path / "model" / "mia-000002.safetensors")

    document = recommendation_document(found, run, ["model/mia-000002.safetensors", "model/mia.safetensors"])

    assert document["use"] == "model/mia-000002.safetensors"
    assert document["choice"] == {
        "verdict": "good", "epoch": 2, "weight": 1.0, "tied": [2], "runner_up": None, "burnt_from": None,
        "confidence": 0.9, "reason": "Epoch 2 of 3: 0.8.", "changes": {},
    }  # fmt: skip


def test_where_nothing_was_drawn_the_last_lora_is_the_one_to_use() -> None:
    document = recommendation_document(None, RunFolder(Path("runs/mia")), ["model/mia-000002.safetensors", "model/mia"])

    assert document == {"choice": None, "use": "model/mia"}


@pytest.mark.parametrize("number", [0, 1])
def test_a_grid_in_which_the_user_picked_is_drawn_on_with_its_prompts_weights_and_seeds(
    tmp_path: Path, number: int
) -> None:
    run, cells = RunFolder(tmp_path), list[Cell]()
    for place, (epoch, weight) in enumerate(((0, 0.0), (1, 0.6), (1, 1.0), (2, 0.6), (2, 1.0))):
        cells.append(Cell(path=f"pictures/{place:064}.png", epoch=epoch, weight=weight, prompt=0, seed=0))
    grid = GridRecord(prompts=("mia in the rain",), seeds=(1, 2, 3, 4, 5), cells=tuple(cells))
    write_grid(run.grid.record, grid)
    for _ in range(number):
        left, right = map(PickedSide.of, cells[1:3])
        append_pick(run.grid.picks, PickLine(left=left, right=right, picked="left"))

    found = list(wishes((1, 2), picked_grid(run)))

    if number:
        assert found[0] == GridWish(epochs=(1, 2), weights=(0.6, 1.0), prompts=("mia in the rain",), seeds=5)
        assert {(wish.prompts, wish.weights) for wish in found} == {(("mia in the rain",), (0.6, 1.0))}
    else:
        assert found[0] == GridWish(epochs=(1, 2), seeds=3)
