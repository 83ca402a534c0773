"""What Loracle says of a run: its grid measured, and an epoch chosen from the measures, as `loracle grid` does."""

from __future__ import annotations

from pathlib import Path

import torch

from advisor.choosing.cells import PictureScores
from advisor.choosing.choice import choose
from advisor.dataset.captions import has_word
from advisor.run_folder.layout import RunFolder
from advisor.settings.config import TrainingConfig
from benchmarks.choice.outcome import Chosen
from benchmarks.choice.pictures import load
from benchmarks.choice.prompts import CALLING, SEEDS, prompts_of
from benchmarks.choice.train import epoch_loras
from trainer.data.tensor_cache import TensorCache
from trainer.evaluate.cells import planned_cells
from trainer.evaluate.digests import model_digest
from trainer.evaluate.drawn import Drawn
from trainer.evaluate.grid import draw_grid
from trainer.evaluate.measure import measure
from trainer.evaluate.references import References
from trainer.evaluate.seen import Viewer
from trainer.models.load import load_base_model

CALLING_PROMPTS = range(len(CALLING))
"""The first of the grid's prompts have the trigger."""


def draw(run: Path, config: TrainingConfig, trigger: str) -> None:
    """Draws the grid into the run folder; pictures that are there are kept."""
    folder = RunFolder(run).grid
    prompts = prompts_of(trigger)
    at_once = len(prompts) * len(SEEDS)
    draw_grid(load(config), epoch_loras(run), prompts, SEEDS, config=config, folder=folder, most_at_once=at_once)


def measured(run: Path, config: TrainingConfig, trigger: str) -> tuple[PictureScores, ...]:
    """The measures of the grid's pictures."""
    folder, prompts = RunFolder(run), prompts_of(trigger)
    planned = planned_cells(epoch_loras(run), prompts, SEEDS, (1.0,), config=config)
    drawn = Drawn([one.cell for one in planned], prompts, folder.grid.path, trigger)
    cache = TensorCache(folder.cache("grid"))
    base = load_base_model(config.model, dtype=torch.float32, vae_dtype=torch.float32, device=torch.device("cpu"))
    viewer = Viewer(base, config, model_key=model_digest(config.model), cache=cache)
    return measure(viewer, drawn, References.of_run(run, config))


def chosen_of(run: Path, config: TrainingConfig, pictures: tuple[PictureScores, ...]) -> Chosen:
    """The epoch that is recommended, and what is said of the run."""
    captions = [item.caption for item in References.of_run(run, config).trained]
    called = sum(has_word(caption, config.run.trigger) for caption in captions) / len(captions)
    choice = choose(pictures, CALLING_PROMPTS, config=config, share_called=called).choice
    return Chosen(choice.verdict, choice.epoch, choice.tied, choice.confidence, choice.reason)
