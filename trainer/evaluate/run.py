"""`python -P -m trainer.evaluate.run DIR`: draws the grid that DIR/request.json asks for, and judges it.

Events go to DIR; the pictures and the record lie in the run, or in the folder of a single LoRA's grid.
"""

from __future__ import annotations

import argparse
import platform
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

import torch

from advisor.choosing.further import Further
from advisor.errors import HardwareError, LoraError, TrainingStopped
from advisor.estimate.vram import decode_bytes
from advisor.machine.driver_spill import drivers_spill
from advisor.run_folder.grids.grid_record import GridRecord, write_grid
from advisor.run_folder.grids.grid_request import GridRequest, read_request
from advisor.run_folder.layout import RunFolder
from advisor.settings.config import TrainingConfig, changed
from advisor.tensor_files.digests import lora_digest
from trainer.device.choose import Place, choose_place, usable_gpu, use_threads
from trainer.device.device_memory import cap_memory, is_out_of_memory, room_of
from trainer.device.mover import mover_for
from trainer.device.offload import offload_device
from trainer.device.swapped_blocks import swap_blocks
from trainer.evaluate.cells import EpochLora, PlannedCell, planned_cells
from trainer.evaluate.drawn import Drawn
from trainer.evaluate.grid import MOST_AT_ONCE, Drawing, Watch
from trainer.evaluate.judge import judged
from trainer.evaluate.sheet import write_sheet
from trainer.models.families.family import BaseModel
from trainer.models.load import load_base_model
from trainer.runtime.child_process import Work, run_process
from trainer.runtime.events import Events
from trainer.runtime.interrupts import Interrupt
from trainer.runtime.machine_limits import limit_error

NO_MEMORY = (
    "There is not enough memory to load the base model and draw with it: close other programs that use the same "
    "memory, or draw on the processor (--device cpu). What was drawn is kept"
)
KEPT = "The drawing was interrupted; the pictures that were drawn are kept, and the next start goes on"


def evaluate(request: GridRequest, events: Events, interrupt: Interrupt) -> GridRecord:
    """Draw what is missing of the grid, judge it, and keep record and contact sheet. Where that does not tell which
    epoch is the best, more is drawn and judged, as far as the request lets it; the sheet has the first pictures.

    Raises:
        LoraError: something that the user can mend.
        Interrupted: the user wanted to stop; what was drawn is kept.
    """

    def check() -> None:
        interrupt.check()
        events.check()

    place = _place(request)
    config, folder = place.config, request.paths
    events.phase("load", 1)
    planned = _planned(request, config)
    interrupt.check()
    base = _loaded(place, events)
    interrupt.check()
    drawing = Drawing(base, config, folder, _watch(events, check), _at_once(place, base))

    def drawn(planned: Sequence[PlannedCell]) -> GridRecord:
        events.phase("grid", len(planned))
        drawing.draw(planned)
        check()
        return _record(request, planned)

    def kept_with_choice(record: GridRecord) -> GridRecord:
        record = judged(record, request, base, config=config, events=events, interrupt=interrupt)
        check()
        write_grid(folder.record, record)
        return record

    record = drawn(planned)
    write_sheet(record.cells, record.prompts, folder)
    write_grid(folder.record, record)
    record = kept_with_choice(record)
    number, further = len(request.seeds), _further(request)
    while (wanted := further.seeds_after(number, record.choice)) > number:
        number = wanted
        record = kept_with_choice(drawn(_planned(request, config, number)))
    return record


def _watch(events: Events, check: Callable[[], None]) -> Watch:
    return Watch(
        report=lambda done, total: events.progress("grid", done, total),
        check=check,
        warn=lambda message: events.warning("lora_in_part", message),
    )


def _planned(request: GridRequest, config: TrainingConfig, seeds: int = 0) -> tuple[PlannedCell, ...]:
    """The cells, from so many seeds at prompts with the trigger; 0: from those of all prompts."""
    loras = [EpochLora(lora.epoch, Path(lora.path)) for lora in request.loras]
    more = max(0, seeds - len(request.seeds))
    asked = request.prompts, request.seeds, request.weights
    return planned_cells(loras, *asked, config=config, more_seeds=more, deep=_calling(request))


def _calling(request: GridRequest) -> tuple[int, ...]:
    """The numbers of the prompts that ask for the character."""
    drawn = Drawn((), request.prompts, request.paths.path, request.config.run.trigger)
    return tuple(filter(drawn.calls, range(len(request.prompts))))


def _further(request: GridRequest) -> Further:
    """What may be drawn beyond the first seeds."""
    drawers = 1 + len(request.loras) * len(request.weights)
    return Further(len(request.seeds), drawers * len(_calling(request)), request.most_further)


def _place(request: GridRequest) -> Place:
    try:
        return choose_place(request.config, request.device, usable_gpu())
    except HardwareError:
        raise HardwareError(
            "This is to be drawn on a graphics card, but torch finds none that it can use: see `loracle doctor`, or "
            "draw on the processor (--device cpu)"
        ) from None


def _record(request: GridRequest, planned: Sequence[PlannedCell]) -> GridRecord:
    config = request.config
    return GridRecord(
        model=config.model.path,
        lora="" if request.is_run else request.loras[0].path,
        lora_digest="" if request.is_run else lora_digest(Path(request.loras[0].path)),
        trigger=config.run.trigger,
        prompts=request.prompts,
        negative=config.sampling.negative,
        seeds=request.seeds,
        width_px=config.dataset.resolution_px,
        height_px=config.dataset.resolution_px,
        steps=config.sampling.steps,
        guidance=config.sampling.guidance,
        sampler=config.sampling.sampler,
        cells=tuple(one.cell for one in planned),
    )


def _loaded(place: Place, events: Events) -> BaseModel:
    """The base model: its denoiser on the device, the rest where it waits until it is used."""
    cap_memory(place.device, room_of(place.device), spills=drivers_spill(platform.system(), platform.release()))
    base = load_base_model(
        place.config.model,
        dtype=place.dtype,
        vae_dtype=torch.float32,
        device=offload_device(place.device),
        quantised=place.config.memory.quantised,
    ).whole()
    swap_blocks(base.denoiser, base.structure, place.config, mover_for(place.device))
    base.denoiser.to(place.device)
    use_threads(None, place.device, base.denoiser)
    for note in base.notes:
        events.warning("base_model", note)
    events.progress("load", 1, 1)
    return base.with_slices(place.config.memory)


def _at_once(place: Place, base: BaseModel) -> int:
    """How many pictures of a batch fit into what is free: denoising one takes less than decoding it whole."""
    each = decode_bytes(changed(place.config, "memory.decode_slices", 1), base.structure)
    return max(1, min(MOST_AT_ONCE, room_of(place.device).free_bytes // each))


def main(arguments: Sequence[str] | None = None) -> int:
    """Draw and judge, and give the exit code (docs/interface.md)."""
    parser = argparse.ArgumentParser(prog="python -P -m trainer.evaluate.run", description="Draws a grid of pictures.")
    parser.add_argument("folder", type=Path, help="where request.json lies, and events go")
    folder = parser.parse_args(arguments).folder

    def prepare() -> tuple[RunFolder, Work]:
        request = read_request(folder)
        return RunFolder(Path(request.folder)), lambda events, interrupt: evaluate(request, events, interrupt)

    return run_process(folder, prepare, what="the drawing", kept=KEPT, stopped_by=_stopped_by)


def _stopped_by(error: Exception) -> LoraError | None:
    return TrainingStopped(NO_MEMORY) if is_out_of_memory(error) else limit_error(error)


if __name__ == "__main__":
    sys.exit(main())
