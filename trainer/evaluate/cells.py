"""Which pictures a grid has, and by what each is known: all that it is made of."""

from __future__ import annotations

import json
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from hashlib import sha256
from itertools import islice
from pathlib import Path

from advisor.choosing.cells import BASE_EPOCH, BASE_WEIGHT, MOST_SEEDS, Cell
from advisor.run_folder.grids.grid_paths import GridPaths
from advisor.settings.config import TrainingConfig
from advisor.tensor_files.digests import lora_digest, model_digest
from trainer.diffusion.sampling import Request

DRAWING = 1
"""Counted up where the same settings begin to draw another picture."""
PNG_START = b"\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR"


@dataclass(frozen=True)
class EpochLora:
    """A LoRA to draw with."""

    epoch: int
    """Counted from 1."""
    path: Path


@dataclass(frozen=True)
class PlannedCell:
    """A cell, and what draws it."""

    cell: Cell
    lora: Path | None
    """None: the base model alone."""
    request: Request


def planned_cells(
    loras: Sequence[EpochLora],
    prompts: Sequence[str],
    seeds: Sequence[int],
    weights: Sequence[float],
    *,
    config: TrainingConfig,
    more_seeds: int = 0,
    deep: Collection[int] = (),
) -> tuple[PlannedCell, ...]:
    """The cells of a grid in the order in which they are drawn: epochs, weights, prompts, seeds; the base model first.

    Args:
        seeds: of the first prompt; each further prompt has seeds of its own (`seeds_of`).
        more_seeds: how many more the prompts whose numbers are `deep` are drawn from.
        config: says which base model it is and how pictures are drawn: `model`, `sampling`, the resolution's square.

    Raises:
        ModelError: a LoRA or the base model cannot be read.
    """
    base = _of_base(config)
    found = list[PlannedCell]()
    drawers: list[tuple[int, Path | None, tuple[float, ...]]] = [(BASE_EPOCH, None, (BASE_WEIGHT,))]
    drawers += [(lora.epoch, lora.path, tuple(map(float, weights))) for lora in loras]
    for epoch, path, own_weights in drawers:
        lora = "" if path is None else lora_digest(path)
        for weight in own_weights:
            for number, prompt in enumerate(prompts):
                for seed in seeds_of(number, seeds, more_seeds if number in deep else 0):
                    request = Request.of(config.sampling, prompt, seed=seed, side_px=config.dataset.resolution_px)
                    key = _key(base, lora, weight, request)
                    found.append(PlannedCell(Cell(epoch, weight, number, seed, f"pictures/{key}.png"), path, request))
    return tuple(found)


def seeds_of(prompt: int, seeds: Sequence[int], more: int = 0) -> tuple[int, ...]:
    """The seeds that a prompt is drawn from, by its number and the seeds of the first prompt: no two prompts share one.

    What an epoch makes of one seed's noise it makes of it at every prompt that calls the character: from epoch to epoch
    the likeness shifts five times as far by the seed as by the prompt (docs/decisions/0039-which-epoch.md).

    Args:
        more: how many it has beyond these, at most `MOST_SEEDS` together: those that follow the first and are none of
            them.
    """
    following = (seeds[0] + number for number in range(MOST_SEEDS)) if seeds else ()
    further = islice((seed for seed in following if seed not in seeds), more)
    return tuple((seed + MOST_SEEDS * prompt) % 2**32 for seed in (*seeds, *further))


def is_drawn(planned: PlannedCell, folder: GridPaths) -> bool:
    """Whether its picture is there, of the right size."""
    size = planned.request.width_px.to_bytes(4, "big") + planned.request.height_px.to_bytes(4, "big")
    try:
        with picture_of(planned.cell, folder).open("rb") as file:
            return file.read(len(PNG_START) + len(size)) == PNG_START + size
    except OSError:
        return False


def picture_of(cell: Cell, folder: GridPaths) -> Path:
    """Where a cell's picture lies.

    Raises:
        RunError: a link leads out of the run there.
    """
    return folder.picture(Path(cell.path).stem)


def _of_base(config: TrainingConfig) -> dict[str, object]:
    """What of the base model and the settings shows in a picture."""
    return {
        "drawing": DRAWING,
        "model": model_digest(config.model),
        "prediction": config.model.prediction,
        "zero_terminal_snr": config.loss.zero_terminal_snr,
        "clip_skip": config.model.clip_skip,
        "chunks": config.dataset.chunks,
        "dtype": config.memory.compute_dtype,
        "base_dtype": config.memory.base_dtype,
    }


def _key(base: dict[str, object], lora: str, weight: float, request: Request) -> str:
    made_of = {**base, "lora": lora, "weight": weight, **vars(request)}
    return sha256(json.dumps(made_of, sort_keys=True).encode("ascii")).hexdigest()
