"""Drawing a grid in a child process: what is asked for goes in as a file, the record comes back as one."""

from __future__ import annotations

from advisor.run_folder.grids.grid_record import GridRecord, read_grid
from advisor.run_folder.grids.grid_request import GridRequest, write_request
from advisor.run_folder.layout import RunFolder
from advisor.run_folder.place import RunPlace
from wizard.processes.child import child_command
from wizard.processes.interrupt_count import InterruptCount
from wizard.processes.launch import run_trainer
from wizard.processes.temporary_folder import temporary_folder
from wizard.processes.trainer_job import TrainerJob, is_on_processor
from wizard.show.screen import Screen

KEPT = "Drawing was interrupted; the pictures that were drawn are kept, and the same command goes on"


def run_grid(
    request: GridRequest,
    screen: Screen,
    *,
    gpu_uuid: str = "",
    place: RunPlace | None = None,
    interrupts: InterruptCount | None = None,
) -> GridRecord:
    """Draw and judge a grid; what it keeps. Whoever calls holds the folder's lock.

    Args:
        gpu_uuid: the only GPU that is used; empty: torch's first.
        place: the folder that the grid is drawn in, as it is held.
        interrupts: counts the requests to end it, where another thread hears them.

    Raises:
        LoraError: a LoRA or the base model does not fit, memory does not suffice, or something cannot be written.
        KeyboardInterrupt: Ctrl-C; what was drawn is kept.
    """
    with temporary_folder("grid") as folder:
        write_request(folder, request)
        on_processor = is_on_processor(request.config, request.device)
        job = TrainerJob(
            RunFolder(folder), gpu_uuid=gpu_uuid, on_processor=on_processor, interrupts=interrupts, place=place
        )
        try:
            run_trainer(job, screen, command=lambda _: child_command("trainer.evaluate.run", str(folder)))
        except KeyboardInterrupt:
            raise KeyboardInterrupt(KEPT) from None
    if place is not None:
        place.check()
    return read_grid(request.paths.record)
