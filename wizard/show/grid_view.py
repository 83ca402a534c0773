"""A grid in words: what will be drawn and what that takes, what was measured, where the pictures are."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from rich.table import Table

from advisor.choosing.cells import BASE_EPOCH, Choice, EpochScores, MeasureName
from advisor.choosing.picks import PickRanking
from advisor.estimate.drawing import DrawingCost
from advisor.run_folder.grids.grid_paths import GridPaths
from advisor.run_folder.grids.grid_record import GridRecord
from advisor.run_folder.grids.grid_request import GridRequest
from advisor.units import counted, duration, gib

MEASURES: Mapping[MeasureName, str] = {
    "likeness": "likeness", "obedience": "obedience", "leak": "leak", "colour": "colour", "variety": "variety",
    "damage": "damage", "memorised": "copies",
}  # fmt: skip
"""The columns, in this order."""
WITH_INTERVAL = ("likeness", "obedience", "leak")
"""What is chosen by: its interval stands below the value."""


def announcement(request: GridRequest, cost: DrawingCost) -> str:
    """What will be drawn, and what that takes."""
    epochs = ", ".join(str(lora.epoch) for lora in request.loras)
    what = f"epoch{'s' if len(request.loras) > 1 else ''} {epochs}" if request.is_run else "the LoRA"
    weights = ", ".join(f"{weight:g}" for weight in request.weights)
    lines = [
        f"Drawing with {what} at weight {weights} and with the base model alone: "
        f"{counted(len(request.prompts), 'prompt')}, {counted(len(request.seeds), 'seed')} each, "
        f"{counted(cost.num_images, 'picture')} of {request.config.dataset.resolution_px} px.",
        *(f"- {prompt}" for prompt in request.prompts),
        f"That takes {takes(cost)}; what was drawn before is not drawn again.",
    ]
    if request.most_further:
        more = counted(request.most_further, "more picture")
        time = (
            "" if cost.seconds is None else f", about {duration(request.most_further * cost.seconds / cost.num_images)}"
        )
        lines.append(f"Up to {more} from further seeds{time}, if these do not tell which epoch is the best.")
    if not cost.fits:
        lines.append(
            f"! It needs about {gib(cost.peak_bytes)} of memory, and {gib(cost.free_bytes)} are free: close other "
            "programs that use the same memory, or draw on the processor (--device cpu)"
        )
    return "\n".join(lines)


def takes(cost: DrawingCost) -> str:
    """Time and memory."""
    time = "a time that is not known for this card" if cost.seconds is None else f"about {duration(cost.seconds)}"
    return f"{time} and {gib(cost.peak_bytes)} of memory"


def scores_table(record: GridRecord) -> Table:
    """A row for each epoch and weight, a column for each measure; the chosen one marked. It fits 80 columns."""
    scores = [one for one in record.scores if one.epoch != BASE_EPOCH]
    named = [name for name in MEASURES if any(name in one.scores for one in scores)]
    table = Table(box=None, pad_edge=False, padding=(0, 1, 0, 0))
    table.add_column("")
    table.add_column("epoch", justify="right", no_wrap=True)
    several = len({one.weight for one in scores}) > 1
    if several:
        table.add_column("weight", justify="right", no_wrap=True)
    for name in named:
        table.add_column(MEASURES[name], justify="right", no_wrap=True)
    for one in scores:
        weight = [f"{one.weight:g}"] if several else []
        table.add_row(_mark(one, record.choice), str(one.epoch), *weight, *(_cell(one, name) for name in named))
    return table


def _mark(one: EpochScores, choice: Choice | None) -> str:
    return ">" if choice is not None and (one.epoch, one.weight) == (choice.epoch, choice.weight) else ""


def _cell(one: EpochScores, name: MeasureName) -> str:
    found = one.scores.get(name)
    if found is None:
        return ""
    value = f"{found.value:.2f}"
    return f"{value}\n{found.low:.2f}-{found.high:.2f}" if name in WITH_INTERVAL else value


def places(record: GridRecord, paths: GridPaths) -> str:
    """Where the pictures are."""
    return f"All in one: {paths.sheet}\nPictures:   {paths.pictures} ({counted(len(record.cells), 'picture')})"


def grid_document(record: GridRecord, paths: GridPaths) -> dict[str, object]:
    """The document of `grid --json`."""
    dumped = record.model_dump(mode="json", include={"prompts", "seeds", "cells"})
    return {
        "model": record.model,
        "lora": record.lora or None,
        "folder": str(paths.path),
        **dumped,
        "scores": list(_scores(record)) or None,
        "choice": choice_document(record.choice),
    }


def picks_document(ranking: PickRanking | None, damaged_lines: int) -> dict[str, object] | None:
    """What the user picked blindly, of `grid --json`; None where they picked nothing."""
    if ranking is None:
        return None
    favourite = ranking.favourite
    return {
        "number": ranking.num_picks,
        "favourite": None if favourite is None else {"epoch": favourite.epoch, "weight": favourite.weight},
        "tied": [{"epoch": one.epoch, "weight": one.weight} for one in ranking.tied],
        "confidence": ranking.confidence,
        "standings": [
            {
                "epoch": one.candidate.epoch, "weight": one.candidate.weight, "picks": one.picks,
                "share": {"value": one.share.value, "low": one.share.low, "high": one.share.high},
            }
            for one in ranking.standings
        ],
        "damaged_lines": damaged_lines,
    }  # fmt: skip


def choice_document(choice: Choice | None) -> dict[str, object] | None:
    """The choice as all commands' documents have it; None where nothing was measured."""
    if choice is None:
        return None
    return {
        "verdict": choice.verdict, "epoch": choice.epoch, "weight": choice.weight, "tied": list(choice.tied),
        "runner_up": choice.runner_up, "burnt_from": choice.burnt_from, "confidence": choice.confidence,
        "reason": choice.reason, "changes": dict(choice.changes),
    }  # fmt: skip


def _scores(record: GridRecord) -> Iterator[dict[str, object]]:
    for one in record.scores:
        measures: dict[str, object] = {
            name: {"value": found.value, "low": found.low, "high": found.high} for name, found in one.scores.items()
        }
        yield {"epoch": one.epoch, "weight": one.weight, **measures}
