"""`loracle train A B C --gpus all`: runs of a list trained at the same time, each on a card or processor of its own."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path

from advisor.errors import ConfigError, HardwareError, Mistakes
from advisor.machine.hardware import Hardware
from advisor.run_folder.layout import RunFolder
from wizard.commands.train_listed import ListedOptions, outcome_of
from wizard.output import named_output, print_json_line, say, show_if_possible
from wizard.processes.interrupt_count import InterruptCount
from wizard.processes.process_options import ProcessOptions
from wizard.processes.run_status import has_made_steps
from wizard.processes.side_by_side import SideBySide
from wizard.processes.slots import Demand, Slot, Slots, demand_of, slots_asked_for
from wizard.processes.trainer_job import is_on_processor
from wizard.show.list_summary import RunOutcome, began_document, ended_document
from wizard.show.run_view import short_path


@dataclass
class ListTurns:
    """The runs of a list by their places in it, from 0."""

    paths: Sequence[Path]
    options: ListedOptions
    train: Callable[..., RunOutcome]
    what: str
    as_json: bool = False
    outcomes: dict[Path, RunOutcome] = field(default_factory=dict)
    """Of the runs that were trained, or refused."""

    def waiting(self) -> Sequence[int]:
        """Those without an outcome."""
        return [number for number, path in enumerate(self.paths) if path not in self.outcomes]

    def key(self, one: int) -> Hashable:
        """The place."""
        return one

    def name(self, one: int) -> str:
        """The run's path, from here."""
        return short_path(self.paths[one], Path.cwd())

    def demand(self, one: int, hardware: Hardware) -> Demand:
        """Where it can be trained.

        Raises:
            LoraError: its configuration cannot be read.
        """
        return demand_of(RunFolder.given(self.paths[one]), self.options.device, hardware)

    def has_loaded(self, one: int, since: float) -> bool:
        """Whether it makes steps."""
        return has_made_steps(RunFolder.given(self.paths[one]), since)

    def is_ready(self, one: int, at_work: Sequence[int]) -> bool:  # noqa: ARG002
        """None waits for another."""
        return True

    def refuse(self, one: int, why: str) -> None:
        """Note that it has failed."""
        path = self.paths[one]
        say(f"! {path}: {why}")
        self._note(RunOutcome(path, "failed", HardwareError.exit_code, why))

    def begin(self, one: int, slot: Slot) -> int:
        """Tell whose turn it is, and where."""
        path, where = self.paths[one], slot.name
        if self.as_json:
            print_json_line(began_document(path, one + 1, len(self.paths), gpu=slot.gpu))
        else:
            with named_output(self.name(one)):
                show_if_possible(f"Run {one + 1} of {len(self.paths)}{f', on {where}' if where else ''}")
        return one

    def turn(self, one: int, slot: Slot, interrupts: InterruptCount) -> bool:
        """Train it; whether the user ended the list.

        Raises:
            BrokenPipeError: what read the output has gone.
        """
        path, options = self.paths[one], replace(self.options, slot=slot, interrupts=interrupts)
        outcome = outcome_of(path, partial(self.train, path, options, what=self.what, as_json=self.as_json))
        self._note(outcome)
        return outcome.was_ended

    def _note(self, outcome: RunOutcome) -> None:
        self.outcomes[outcome.run] = outcome
        if self.as_json:
            print_json_line(ended_document(outcome))


def at_once(turns: ListTurns, slots: Slots) -> dict[Path, RunOutcome]:
    """Train a list, as many runs at the same time as there are slots; what came of each that was begun."""
    with suppress(BrokenPipeError):
        SideBySide(turns, slots).work()
    return turns.outcomes


def slots_of_list(
    runs: Sequence[RunFolder], device: str | None, options: ProcessOptions, hardware: Hardware
) -> Slots | None:
    """Where the runs of a list are trained; None: one after another.

    Raises:
        LoraError: what is asked for is not there, contradicts itself, or cannot train one of the runs.
    """
    options.refuse_contradictions(on_processor=True if device == "cpu" else None)
    configs = [run.read_config() for run in runs]
    on_cards = [run for run, config in zip(runs, configs, strict=True) if not is_on_processor(config, device)]
    mistakes = Mistakes()
    if options.processes is not None:
        mend = "it is for trainings on the processor (--device cpu), several cards are --gpus all, or --gpu 0,1; for"
        for run in on_cards:
            mistakes.add(ConfigError("--processes", options.processes, f"{mend} a card is planned {run.path}"))
    slots = slots_asked_for(options, hardware, planned=[config.machine.gpu_uuid for config in configs])
    if slots is not None:
        for run in on_cards:
            if why := slots.why_nowhere(demand_of(run, device, hardware)):
                mistakes.add(HardwareError(f"{run.path}: {why}"))
    mistakes.refuse()
    return slots
