"""Drawing a grid: each epoch's LoRA at each weight, prompt and seed, beside the base model alone.

A picture lies under a digest of all that it is made of (`trainer.evaluate.cells`), is written whole or not at all, and
is not drawn again: a grid that was broken off goes on where it was.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import groupby
from pathlib import Path

from PIL import Image

from advisor.choosing.cells import BASE_WEIGHT, Cell
from advisor.errors import ModelError, TrainingStopped
from advisor.files import replacing
from advisor.run_folder.grids.grid_paths import GridPaths
from advisor.settings.config import TrainingConfig
from trainer.adapters.file_network import attach_file
from trainer.device.choose import free_memory
from trainer.device.device_memory import is_out_of_memory
from trainer.diffusion.sampling import draw_batch
from trainer.evaluate.cells import EpochLora, PlannedCell, is_drawn, picture_of, planned_cells
from trainer.models.families.family import BaseModel
from trainer.runtime.events import ReportProgress

MOST_AT_ONCE = 8
"""Pictures of one batch: more gain no time."""


@dataclass(frozen=True)
class Watch:
    """What follows the drawing, and may break it off."""

    report: ReportProgress = lambda *_: None
    """Gets how many cells of how many are there."""
    check: Callable[[], None] = lambda: None
    """Called before each denoising step; raises to break off. What was drawn before stays."""
    warn: Callable[[str], None] = lambda _: None
    """Gets what of a LoRA is not applied."""


def draw_grid(
    base: BaseModel,
    loras: Sequence[EpochLora],
    prompts: Sequence[str],
    seeds: Sequence[int],
    weights: Sequence[float] = (1.0,),
    *,
    config: TrainingConfig,
    folder: GridPaths,
    most_at_once: int = MOST_AT_ONCE,
    watch: Watch = Watch(),
) -> tuple[Cell, ...]:
    """Draw what of a grid is not there yet; its cells, the base model's first.

    Args:
        base: without adapters; it is left as it was.
        config: how pictures are drawn: `model`, `sampling`, the resolution's square.
        most_at_once: pictures of one batch; fewer where memory runs out.

    Raises:
        ModelError: a LoRA cannot be read or does not fit, or draws no finite numbers.
        RunError: a picture cannot be written.
        TrainingStopped: there is not enough memory for a single picture.
    """
    planned = planned_cells(loras, prompts, seeds, weights, config=config)
    Drawing(base, config, folder, watch, most_at_once).draw(planned)
    return tuple(one.cell for one in planned)


@dataclass
class Drawing:
    """Draws the cells of a grid."""

    base: BaseModel
    config: TrainingConfig
    folder: GridPaths
    watch: Watch = field(default_factory=Watch)
    at_once: int = MOST_AT_ONCE
    """Pictures of the next batch."""

    def draw(self, planned: Sequence[PlannedCell]) -> None:
        """Draw those that are not there; errors as of `draw_grid`."""
        missing = {one.cell.path: one for one in planned if not is_drawn(one, self.folder)}
        done, total = len(planned) - len(missing), len(planned)
        self.watch.report(done, total)
        for lora, of_lora in groupby(missing.values(), key=lambda one: one.lora):
            with self._attached(lora) as set_weight:
                for weight, of_weight in groupby(of_lora, key=lambda one: one.cell.weight):
                    set_weight(weight)
                    for number in self._draw_all(list(of_weight)):
                        done += number
                        self.watch.report(done, total)

    @contextmanager
    def _attached(self, lora: Path | None) -> Iterator[Callable[[float], None]]:
        """Within, the LoRA is on the base model; gives what sets its weight."""
        if lora is None:
            yield lambda _: None
            return
        network = attach_file(self.base, lora)
        for note in network.start_notes:
            self.watch.warn(note)

        def set_weight(weight: float) -> None:
            network.multiplier = weight

        try:
            yield set_weight
        finally:
            network.detach()

    def _draw_all(self, cells: list[PlannedCell]) -> Iterator[int]:
        """Draw cells of one LoRA and weight in batches; gives how many were drawn, after each batch."""
        while cells:
            batch = cells[: self.at_once]
            if (images := self._drawn(batch)) is None:
                free_memory(self.base.device)
                self.at_once = max(1, len(batch) // 2)
                continue
            for one, image in zip(batch, images, strict=True):
                self.watch.check()
                with replacing(picture_of(one.cell, self.folder)) as temporary:
                    image.save(temporary, format="PNG")
            cells = cells[len(batch) :]
            yield len(batch)

    def _drawn(self, batch: list[PlannedCell]) -> tuple[Image.Image, ...] | None:
        """The pictures of a batch; None where memory ran out and fewer may fit."""
        cell = batch[0].cell
        try:
            return draw_batch(self.base, [one.request for one in batch], self.config, self.watch.check)
        except ModelError as error:
            who = "the base model" if cell.weight == BASE_WEIGHT else f"epoch {cell.epoch} at weight {cell.weight:g}"
            raise ModelError(f"With {who} {error}") from None
        except Exception as error:
            if not is_out_of_memory(error):
                raise
            if len(batch) > 1:
                return None
            side = self.config.dataset.resolution_px
            raise TrainingStopped(
                f"There is not enough memory to draw a picture of {side} x {side} px: close other programs that use "
                "the same memory, or draw smaller ones (dataset.resolution_px). What was drawn is kept"
            ) from None
