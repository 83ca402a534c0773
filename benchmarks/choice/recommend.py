"""What Loracle says of a run: its grid measured, and an epoch chosen from the measures, as `loracle grid` does."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import torch

from advisor.choosing.cells import Choice, PictureScores
from advisor.choosing.choice import choose
from advisor.choosing.further import Further
from advisor.dataset.captions import has_word
from advisor.run_folder.layout import RunFolder
from advisor.settings.config import TrainingConfig
from advisor.tensor_files.digests import model_digest
from benchmarks.choice.outcome import Chosen
from benchmarks.choice.pictures import load
from benchmarks.choice.prompts import CALLING, SEEDS, prompts_of
from benchmarks.choice.train import epoch_loras
from trainer.data.tensor_cache import TensorCache
from trainer.evaluate.cells import PlannedCell, planned_cells
from trainer.evaluate.drawn import Drawn
from trainer.evaluate.grid import Drawing
from trainer.evaluate.measure import measure
from trainer.evaluate.references import References
from trainer.evaluate.seen import Viewer
from trainer.models.load import load_base_model

CALLING_PROMPTS = range(len(CALLING))
"""The first of the grid's prompts have the trigger."""


def draw(run: Path, config: TrainingConfig, trigger: str, seeds: int = len(SEEDS)) -> None:
    """Draws the grid into the run folder, with so many seeds at prompts with the trigger; pictures that are there are
    kept.
    """
    drawing = Drawing(load(config), config, RunFolder(run).grid, at_once=len(prompts_of(trigger)) * len(SEEDS))
    drawing.draw(_planned(run, config, trigger, seeds))


def measured(run: Path, config: TrainingConfig, trigger: str) -> tuple[PictureScores, ...]:
    """The measures of the grid's pictures, and of those that are drawn on where they do not tell which epoch is the
    best: as many again, at most, as after a training.
    """
    folder, prompts = RunFolder(run), prompts_of(trigger)
    base = load_base_model(config.model, dtype=torch.float32, vae_dtype=torch.float32, device=torch.device("cpu"))
    cache = TensorCache(folder.cache("grid"))
    viewer = Viewer(base, config, model_key=model_digest(config.model), cache=cache)
    references = References.of_run(run, config)

    def measures(seeds: int) -> tuple[PictureScores, ...]:
        cells = [one.cell for one in _planned(run, config, trigger, seeds)]
        return measure(viewer, Drawn(cells, prompts, folder.grid.path, trigger), references)

    number, pictures = len(SEEDS), measures(len(SEEDS))
    drawers = 1 + len(epoch_loras(run))
    further = Further(number, drawers * len(CALLING), drawers * len(prompts) * number)
    while (wanted := further.seeds_after(number, _choice(run, config, pictures))) > number:
        number = wanted
        draw(run, config, trigger, number)
        pictures = measures(number)
    return pictures


def _planned(run: Path, config: TrainingConfig, trigger: str, seeds: int) -> tuple[PlannedCell, ...]:
    prompts, more = prompts_of(trigger), seeds - len(SEEDS)
    loras = epoch_loras(run)
    return planned_cells(loras, prompts, SEEDS, (1.0,), config=config, more_seeds=more, deep=CALLING_PROMPTS)


def chosen_of(run: Path, config: TrainingConfig, pictures: tuple[PictureScores, ...]) -> Chosen:
    """The epoch that is recommended, and what is said of the run."""
    choice = _choice(run, config, pictures)
    seeds = len({one.seed for one in pictures if one.prompt == 0})
    return Chosen(choice.verdict, choice.epoch, choice.tied, choice.confidence, choice.reason, seeds)


def _choice(run: Path, config: TrainingConfig, pictures: Sequence[PictureScores]) -> Choice:
    captions = [item.caption for item in References.of_run(run, config).trained]
    called = sum(has_word(caption, config.run.trigger) for caption in captions) / len(captions)
    return choose(pictures, CALLING_PROMPTS, config=config, share_called=called).choice
