"""Where the runs of a list are trained at the same time: on a card each, or so many on the processor."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace

from advisor.errors import LoraError, MemoryFacts
from advisor.estimate.ram import ram_bytes
from advisor.estimate.vram import Phase, encoding_phases
from advisor.machine.hardware import Gpu, Hardware
from advisor.memory_ladder.rungs import Situation
from advisor.planning.card_of_run import CardNeeds, card_for
from advisor.run_folder.layout import RunFolder
from advisor.units import gib
from wizard.processes.memory_situation import situation_of
from wizard.processes.process_options import ProcessOptions
from wizard.processes.several_processes import cards_asked_for
from wizard.processes.trainer_job import TrainerJob, is_on_processor

USUAL_IMAGES = 1000
"""In a data set; how many there are changes the need of RAM by some hundredths."""


@dataclass(frozen=True)
class Slot:
    """Where a run is trained."""

    gpu: Gpu | None = None
    """The card that it is given; None: the processor, or the card that it was planned for."""
    on_processor: bool = False
    sharing: int = 1
    """So many runs share the processor's cores at most."""

    @property
    def name(self) -> str:
        """For the user; empty where it is the planned card, whichever that is."""
        if self.gpu is not None:
            return f"{self.gpu.name} (card {self.gpu.index})"
        return "the processor" if self.on_processor else ""


@dataclass(frozen=True)
class Slots:
    """How many runs are trained at the same time, and where."""

    gpus: tuple[Gpu, ...] = ()
    """The cards, each of which trains a run; none: runs that were planned for a card are trained one after another, as
    without the options."""
    on_processor: int = 1
    """So many runs that are planned for the processor."""

    def slot_for(self, demand: Demand, taken: Sequence[Slot], hardware: Hardware, *, is_settled: bool) -> Slot | None:
        """Where a run is trained now; None: it waits, or `why_nowhere` tells why not.

        Args:
            taken: by other runs.
            hardware: as it is now.
            is_settled: as `card_for` has it.
        """
        if not self.is_any_free(demand, taken):
            return None
        if demand.needs is None:
            return Slot(on_processor=True, sharing=self.on_processor)
        if not self.gpus:
            return Slot()
        busy = {slot.gpu.uuid for slot in taken if slot.gpu is not None}
        gpu = card_for(demand.needs, self.cards(hardware), busy, is_settled=is_settled)
        return None if gpu is None else Slot(gpu)

    def is_any_free(self, demand: Demand, taken: Sequence[Slot]) -> bool:
        """Whether any slot of the kind that a run needs is left beside these, which others have."""
        on_processor = sum(slot.on_processor for slot in taken)
        if demand.needs is None:
            return on_processor < self.on_processor
        return len(taken) - on_processor < max(1, len(self.gpus))

    def cards(self, hardware: Hardware) -> tuple[Gpu, ...]:
        """The cards as they are now, in the driver's order; one that it does not tell of is not among them."""
        uuids = {gpu.uuid for gpu in self.gpus}
        return tuple(gpu for gpu in hardware.gpus if gpu.uuid in uuids)

    def unfit(self, demand: Demand) -> tuple[str, ...]:
        """For each card that cannot train a run, which it is and why."""
        if demand.needs is None:
            return ()
        found = ((gpu, demand.needs.why_not(gpu)) for gpu in self.gpus)
        return tuple(f"{Slot(gpu).name}: {why}" for gpu, why in found if why)

    def why_nowhere(self, demand: Demand) -> str:
        """Why no card can train a run; empty: one can, if perhaps not now."""
        unfit = self.unfit(demand)
        return f"no card can train it: {'; '.join(unfit)}" if unfit and len(unfit) == len(self.gpus) else ""

    def is_there(self, demand: Demand, hardware: Hardware) -> bool:
        """Whether the driver still tells of any of the cards that can train a run."""
        needs = demand.needs
        return needs is None or not self.gpus or any(not needs.why_not(gpu) for gpu in self.cards(hardware))


@dataclass(frozen=True)
class Demand:
    """What a run asks of where it is trained."""

    needs: CardNeeds | None
    """Of a card; None: it is trained on the processor."""
    ram_bytes: int = 0
    """Of the machine's memory, at its peak, predicted; 0: nothing is known."""


def demand_of(run: RunFolder, device: str | None, hardware: Hardware) -> Demand:
    """What a run asks for, with what the memory ladder has changed of it.

    Args:
        device: `cpu`, or None for what was planned.

    Raises:
        LoraError: its configuration cannot be read.
    """
    config = run.read_config()
    on_processor = is_on_processor(config, device)
    needs = CardNeeds(run.read_ladder().applied(config).memory.compute_dtype, config.machine.gpu_uuid)
    try:
        facts = MemoryFacts(device="cpu" if on_processor else "cuda")
        found = situation_of(TrainerJob(run, device=device), facts, hardware=hardware)
    except LoraError:  # of the base model: the trainer tells what is wrong with it
        return Demand(None if on_processor else needs)
    ram = ram_bytes(found.config, found.structure, num_images=USUAL_IMAGES, on_gpu=not on_processor)
    if on_processor:
        return Demand(None, ram)
    phases: tuple[Phase, ...] = (*encoding_phases(found.config), "step")
    return Demand(replace(needs, needed_bytes=max(_bytes_of(phase, found) for phase in phases)), ram)


def _bytes_of(phase: Phase, situation: Situation) -> int:
    return replace(situation, phase=phase).predicted_bytes


def tight_text(demand: Demand, slot: Slot) -> str:
    """What is said where less of the card's memory is free than the run needs; empty: there is enough."""
    if slot.gpu is None or demand.needs is None or demand.needs.has_room(slot.gpu):
        return ""
    needed = gib(demand.needs.needed_bytes or 0)
    return f"only {gib(slot.gpu.free_bytes)} of {slot.name} are free, and the run needs about {needed}"


def slots_asked_for(options: ProcessOptions, hardware: Hardware, *, planned: Collection[str] = ()) -> Slots | None:
    """Where runs are trained by these options; None: one after another, where each was planned.

    Args:
        planned: the UUIDs of the cards that the runs were planned for, each as often as it is one's.

    Raises:
        LoraError: what is asked for is not there, or contradicts itself.
    """
    if not options.is_given:
        return None
    if options.processes is not None:
        return Slots(on_processor=options.processes)
    cards = cards_asked_for(options, hardware, planned=tuple(planned))
    return Slots(tuple(sorted(cards, key=lambda gpu: gpu.index)))
