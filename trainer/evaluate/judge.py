"""What is made of a drawn grid: each picture measured, and an epoch chosen by that."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from advisor.choosing.cells import EpochExtras
from advisor.choosing.choice import choose
from advisor.dataset.captions import has_word
from advisor.errors import ConfigError, DatasetError, RunError
from advisor.run_folder.events import Validated
from advisor.run_folder.grids.grid_record import GridRecord
from advisor.run_folder.grids.grid_request import GridRequest
from advisor.run_folder.layout import RunFolder
from advisor.settings.config import TrainingConfig
from advisor.tensor_files.digests import model_digest
from trainer.adapters.file_network import attach_file
from trainer.data.tensor_cache import TensorCache
from trainer.evaluate.drawn import Drawn
from trainer.evaluate.measure import Watch, measure
from trainer.evaluate.references import References
from trainer.evaluate.seen import Viewer
from trainer.models.families.family import BaseModel
from trainer.runtime.events import Events
from trainer.runtime.interrupts import Interrupt


def judged(
    record: GridRecord,
    request: GridRequest,
    base: BaseModel,
    *,
    config: TrainingConfig,
    events: Events,
    interrupt: Interrupt,
) -> GridRecord:
    """The record with scores, and for a run whose pictures are there with a choice.

    Args:
        base: without adapters.
        config: as it was drawn.

    Raises:
        LoraError: a picture cannot be read.
        Interrupted: the user wanted to stop.
    """
    drawn = Drawn(record.cells, record.prompts, request.paths.path, record.trigger)
    references = _references(request, config, events)
    events.phase("judge", 1)
    cache = TensorCache(RunFolder(Path(request.folder)).cache("seen")) if request.is_run else None
    viewer = Viewer(base, config, model_key=model_digest(config.model), cache=cache)
    watch = Watch(lambda done, total: events.progress("judge", done, total), interrupt.check)
    pictures = measure(viewer, drawn, references, watch)
    with_trigger = [number for number in range(len(record.prompts)) if drawn.calls(number)]
    chosen = choose(
        pictures,
        with_trigger,
        config=request.config if request.is_run else None,
        share_called=None if references is None else share_called(references, record.trigger),
    )
    return record.model_copy(
        update={
            "picture_scores": pictures,
            "extras": tuple(_extras(request, base, interrupt)),
            "scores": chosen.scores,
            "choice": None if references is None else chosen.choice,
        }
    )


def share_called(references: References, trigger: str) -> float | None:
    """The share of the trained captions that have the trigger; None where there is none or nothing was trained."""
    captions = [item.caption for item in references.trained]
    if not trigger.strip() or not captions:
        return None
    return sum(has_word(caption, trigger) for caption in captions) / len(captions)


def _references(request: GridRequest, config: TrainingConfig, events: Events) -> References | None:
    """The pictures that a run was trained on; None, after a warning, where they are gone, and for a single LoRA."""
    if not request.is_run:
        return None
    try:
        return References.of_run(Path(request.folder), config)
    except (ConfigError, DatasetError, RunError) as error:
        events.warning(
            "not_compared", f"The pictures are not compared with those of the training, so no epoch is chosen: {error}"
        )
        return None


def _extras(request: GridRequest, base: BaseModel, interrupt: Interrupt) -> Iterator[EpochExtras]:
    """What is known of each epoch beside its pictures."""
    losses = _validation_losses(request)
    for lora in request.loras:
        interrupt.check()
        network = attach_file(base, Path(lora.path))
        norm = sum(float(adapter.norm()) ** 2 for adapter in network.layers.values()) ** 0.5
        network.detach()
        yield EpochExtras(lora.epoch, norm, losses.get(lora.epoch))


def _validation_losses(request: GridRequest) -> dict[int, float]:
    if not request.is_run:
        return {}
    found = RunFolder(Path(request.folder)).read_events().events
    return {one.epoch: one.loss for one in found if isinstance(one, Validated) and one.loss is not None}
