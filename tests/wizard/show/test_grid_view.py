from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

from rich.console import Console

from advisor.choosing.cells import Cell, Choice, EpochScores, Interval
from advisor.estimate.drawing import DrawingCost
from advisor.run_folder.grids.grid_paths import GridPaths
from advisor.run_folder.grids.grid_record import GridRecord
from advisor.run_folder.grids.grid_request import GridRequest, RequestedLora
from advisor.settings.config import blank_config
from wizard.show.grid_view import MEASURES, announcement, grid_document, places, scores_table

GIB = 2**30
COST = DrawingCost(num_images=36, seconds=600.0, peak_bytes=4 * GIB, free_bytes=7 * GIB)
PATH = f"pictures/{'0' * 64}.png"
CHOICE = Choice("tied", 6, 1.0, (6, 8), 8, None, 0.75, "Take epoch 6", {"schedule.epochs": 6})
RECORD = GridRecord(
    model="/models/a.safetensors",
    prompts=("zuvi",),
    seeds=(42,),
    cells=(Cell(0, 0.0, 0, 42, PATH), Cell(6, 1.0, 0, 42, PATH)),
    scores=(
        EpochScores(6, 1.0, {"likeness": Interval(0.8, 0.75, 0.85), "leak": Interval(0.1, 0.05, 0.15)}),
        EpochScores(8, 1.0, {"likeness": Interval(0.82, 0.77, 0.87)}),
    ),
    choice=CHOICE,
)


def request(**fields: Any) -> GridRequest:
    values: dict[str, Any] = {
        "config": blank_config(), "loras": (RequestedLora(epoch=3, path="/a"), RequestedLora(epoch=6, path="/b")),
        "prompts": ("zuvi", "a park"), "seeds": (1, 2), "weights": (0.6, 1.0), "folder": "/run",
    }  # fmt: skip
    return GridRequest(**values | fields)


def text_of(renderable: object) -> list[str]:
    console = Console(width=80)
    with console.capture() as capture:
        console.print(renderable)
    return [line.rstrip() for line in capture.get().splitlines()]


def test_what_will_be_drawn_is_told_with_time_and_memory() -> None:
    assert announcement(request(), COST).splitlines() == [
        "Drawing with epochs 3, 6 at weight 0.6, 1 and with the base model alone: 2 prompts, 2 seeds each, 36 pictures "
        "of 512 px.",
        "- zuvi",
        "- a park",
        "That takes about 10 minutes and 4.0 GiB of memory; what was drawn before is not drawn again.",
    ]


def test_what_may_be_drawn_on_is_told_with_its_time() -> None:
    told = announcement(request(most_further=36), COST).splitlines()

    assert told[-1] == (
        "Up to 36 more pictures from further seeds, about 10 minutes, if these do not tell which epoch is the best."
    )


def test_a_single_lora_has_no_epochs_and_a_card_of_unknown_speed_no_time() -> None:
    told = announcement(request(is_run=False), replace(COST, seconds=None))

    assert told.startswith("Drawing with the LoRA at weight 0.6, 1 ")
    assert "a time that is not known for this card and 4.0 GiB" in told


def test_where_memory_does_not_suffice_it_is_said_before() -> None:
    told = announcement(request(), replace(COST, free_bytes=GIB)).splitlines()

    assert told[-1].startswith("! It needs about 4.0 GiB of memory, and 1.0 GiB are free: close other programs")


def test_scores_stand_in_a_row_for_each_epoch_with_the_chosen_one_marked() -> None:
    assert text_of(scores_table(RECORD)) == [
        "  epoch  likeness      leak",
        ">     6      0.80      0.10",
        "        0.75-0.85 0.05-0.15",
        "      8      0.82",
        "        0.77-0.87",
    ]


def test_weights_have_a_column_where_there_are_several_and_the_base_model_no_row() -> None:
    more = (EpochScores(0, 0.0, {"likeness": Interval(0.0, 0.0, 0.0)}), replace(RECORD.scores[0], weight=0.6))
    record = RECORD.model_copy(update={"scores": (*RECORD.scores, *more)})

    lines = text_of(scores_table(record))

    assert lines[0].split()[:2] == ["epoch", "weight"]
    assert [line.split()[0] for line in lines[1::2]] == [">", "8", "6"]


def test_all_measures_fit_a_terminal_of_80_columns() -> None:
    scores = {name: Interval(-0.5, -0.75, -0.25) for name in MEASURES}
    record = RECORD.model_copy(update={"scores": (EpochScores(100, 0.6, scores), EpochScores(100, 1.0, scores))})

    lines = text_of(scores_table(record))

    assert max(map(len, lines)) <= 80
    assert not any("\u2026" in line for line in lines)


def test_the_document_has_cells_scores_and_choice() -> None:
    paths = GridPaths.alone(Path("/fox"))

    assert grid_document(RECORD, paths) == {
        "model": "/models/a.safetensors",
        "lora": None,
        "folder": str(Path("/fox")),
        "prompts": ["zuvi"],
        "seeds": [42],
        "cells": [
            {"epoch": 0, "weight": 0.0, "prompt": 0, "seed": 42, "path": PATH},
            {"epoch": 6, "weight": 1.0, "prompt": 0, "seed": 42, "path": PATH},
        ],
        "scores": [
            {
                "epoch": 6,
                "weight": 1.0,
                "likeness": {"value": 0.8, "low": 0.75, "high": 0.85},
                "leak": {"value": 0.1, "low": 0.05, "high": 0.15},
            },
            {"epoch": 8, "weight": 1.0, "likeness": {"value": 0.82, "low": 0.77, "high": 0.87}},
        ],
        "choice": {
            "verdict": "tied",
            "epoch": 6,
            "weight": 1.0,
            "tied": [6, 8],
            "runner_up": 8,
            "burnt_from": None,
            "confidence": 0.75,
            "reason": "Take epoch 6",
            "changes": {"schedule.epochs": 6},
        },
    }
    unmeasured = RECORD.model_copy(update={"scores": (), "choice": None})
    assert (grid_document(unmeasured, paths)["scores"], grid_document(unmeasured, paths)["choice"]) == (None, None)


def test_where_the_pictures_are_is_told() -> None:
    folder = Path("/fox")

    assert places(RECORD, GridPaths.alone(folder)).splitlines() == [
        f"All in one: {folder / 'grid.png'}",
        f"Pictures:   {folder / 'pictures'} (2 pictures)",
    ]
