"""The validation loss: always the same noise at the same timesteps on the same images, so that what moves it is the
training alone. Measured on images that are held out it falls, then rises again once they are learned by heart.
"""

from __future__ import annotations

from collections.abc import Iterator

import torch

from advisor.settings.config import LossConfig
from trainer.data.training_set import Item, SampleRef
from trainer.diffusion.processes import process_of
from trainer.runtime.events import ReportProgress
from trainer.seeds import generator
from trainer.training.context import TrainingContext
from trainer.training.step import Batch, sample_losses

TIMESTEPS_PER_IMAGE = 5
"""For each image: the loss differs far more between timesteps than between images."""


def fixed_timesteps(loss: LossConfig) -> tuple[int, ...]:
    """The middles of equal parts of the range that is trained."""
    width = loss.max_timestep - loss.min_timestep
    return tuple(
        loss.min_timestep + (2 * part + 1) * width // (2 * TIMESTEPS_PER_IMAGE) for part in range(TIMESTEPS_PER_IMAGE)
    )


@torch.no_grad()
def validation_loss(context: TrainingContext, progress: ReportProgress) -> float:
    """The mean loss over the measured images and fixed timesteps, weighed as in training, without any dropout."""
    network, measured = context.network, context.training_set.measured
    network.eval()
    try:
        total = 0.0
        for done, item in enumerate(measured, start=1):
            losses = [
                sample_losses(context.base, network, batch.to(context.device), context.config)
                for batch in _batches(context, item)
            ]
            total += float(torch.cat(losses).mean())
            progress(done, len(measured))
        return total / len(measured)
    finally:
        network.train()


def _batches(context: TrainingContext, item: Item) -> Iterator[Batch]:
    """An image at all fixed timesteps, in batches no larger than the training's."""
    config, ref = context.config, SampleRef(item.index, 0)
    process = process_of(config)
    latents = context.latents.of([ref], 0)
    mask = None if context.masks is None else context.masks.of([ref], 0)
    times, most = fixed_timesteps(config.loss), config.schedule.batch_size
    draws = [
        process.draw_at(latents, time, generator(config.run.seed, "validation", item.index, time)) for time in times
    ]
    for start in range(0, len(times), most):
        drawn = draws[start : start + most]
        count = len(drawn)
        text = context.texts.plain(item, count)
        yield Batch(
            latents=latents.expand(count, -1, -1, -1),
            noise=torch.cat([draw.noise for draw in drawn]),
            times=torch.cat([draw.times for draw in drawn]),
            levels=torch.cat([draw.levels for draw in drawn]),
            loss_weights=torch.ones(count),
            token_ids=text.token_ids,
            text=text.states,
            text_weights=text.weights,
            sizes=context.crops.sizes([ref], 0).expand(count, -1),
            mask=None if mask is None else mask.expand(count, -1, -1, -1),
        )
