"""`python -P -m trainer.evaluate.run DIR`: draws the grid that DIR/request.json asks for, and judges it.

Events go to DIR; the pictures and the record lie in the run, or in the folder of a single LoRA's grid.
"""

from __future__ import annotations

import argparse
import platform
import sys
from collections.abc import Sequence
from pathlib import Path

import torch

from advisor.errors import HardwareError, LoraError, TrainingStopped
from advisor.estimate.vram import decode_bytes
from advisor.machine.driver_spill import drivers_spill
from advisor.run_folder.grids.grid_record import GridRecord, write_grid
from advisor.run_folder.grids.grid_request import GridRequest, read_request
from advisor.run_folder.layout import RunFolder
from trainer.device.choose import Place, choose_place, usable_gpu, use_threads
from trainer.device.device_memory import cap_memory, is_out_of_memory, room_of
from trainer.device.offload import offload_device
from trainer.evaluate.cells import EpochLora, PlannedCell, planned_cells
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
    """Draw what is missing of the grid, judge it, and keep record and contact sheet.

    Raises:
        LoraError: something that the user can mend.
        Interrupted: the user wanted to stop; what was drawn is kept.
    """

    def check() -> None:
        interrupt.check()
        events.check()

    place = _place(request)
    config, folder = place.config, request.paths
    loras = [EpochLora(lora.epoch, Path(lora.path)) for lora in request.loras]
    events.phase("load", 1)
    planned = planned_cells(loras, request.prompts, request.seeds, request.weights, config=config)
    record = _record(request, planned)
    interrupt.check()
    base = _loaded(place, events)
    interrupt.check()
    events.phase("grid", len(planned))
    watch = Watch(
        report=lambda done, total: events.progress("grid", done, total),
        check=check,
        warn=lambda message: events.warning("lora_in_part", message),
    )
    Drawing(base, config, folder, watch, _at_once(place, base)).draw(planned)
    check()
    write_sheet(record.cells, record.prompts, folder)
    write_grid(folder.record, record)
    record = judged(record, request, base, config=config, events=events, interrupt=interrupt)
    check()
    write_grid(folder.record, record)
    return record


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
    base.denoiser.to(place.device)
    use_threads(None, place.device, base.denoiser)
    for note in base.notes:
        events.warning("base_model", note)
    events.progress("load", 1, 1)
    return base


def _at_once(place: Place, base: BaseModel) -> int:
    """How many pictures of a batch fit into what is free: denoising one takes less than decoding it."""
    each = decode_bytes(place.config, base.structure)
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
