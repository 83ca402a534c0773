"""`loracle measure`: a short probe run on this machine, beside what was predicted, and what that says of the plan."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

from wizard.output import is_terminal, print_json, show

if TYPE_CHECKING:
    from advisor.errors import MemoryFacts
    from advisor.estimate.calibration import Receipt
    from advisor.machine.hardware import Gpu, Hardware
    from advisor.memory_ladder.adjustment import Trial
    from advisor.run_folder.events import Finished
    from advisor.run_folder.ladder_file import Taken
    from advisor.run_folder.layout import RunFolder
    from wizard.processes.launch import Training
    from wizard.processes.measured_runs import RunFigures
    from wizard.show.screen import Screen


@dataclass(frozen=True)
class Measured:
    """Predicted and real side by side."""

    device: str
    size: tuple[int, int]
    """Width and height of the pictures, in pixels: the run's largest."""
    batch_size: int
    steps: int
    """Timed after the first two; 0 where memory ran out."""
    predicted_bytes: int
    measured_bytes: int
    """The peak: of a card by torch, without the driver's own; on a processor of the process."""
    predicted_seconds_per_step: float | None
    measured_seconds_per_step: float | None
    """None where memory ran out."""
    free_bytes: int = 0
    """Of the card, or of the machine, before it began."""
    fits: bool = True
    """Memory did not run out, and no more was taken than was free."""


def measure(run: Path, *, device: str | None = None, yes: bool = False, as_json: bool = False) -> None:
    """Make some real steps, show both, and offer to change the plan where they say so.

    Args:
        yes: change it without asking.

    Raises:
        LoraError: the run is wrong.
        TrainingStopped: memory ran out, and the plan stays as it is.
        KeyboardInterrupt: the user ended it.
    """
    from advisor.errors import ConfigError
    from advisor.memory_ladder.adjustment import adjustments
    from advisor.run_folder.layout import RunFolder
    from wizard.commands.train import card_here
    from wizard.processes.launch import Training

    if device not in (None, "cpu"):
        raise ConfigError("--device", device, "take cpu, or leave it out for the card that was planned")
    folder = RunFolder.given(run)
    uuid = "" if device == "cpu" else card_here(folder.read_config().machine.gpu_uuid)
    found, trial = _tried(Training(folder, device=device, gpu_uuid=uuid), as_json=as_json)
    steps = () if folder.has_state() else adjustments(trial)
    if not as_json:
        show(measured_text(found))
        show(trial_text(trial, steps, begun=folder.has_state()))
    applies = bool(steps) and (yes or (not as_json and _agreed()))
    if applies:
        _adjust(folder, steps)
    if as_json:
        print_json(asdict(found) | adjustment_document(steps, applied=applies))
    if not found.fits and not applies:
        from advisor.errors import TrainingStopped
        from advisor.memory_ladder.adjustment import nothing_left

        mend = f"`loracle measure {run} --yes` changes the plan so that it should" if steps else nothing_left(trial)
        raise TrainingStopped(f"The plan does not fit here: {mend}")


def _tried(training: Training, *, as_json: bool) -> tuple[Measured, Trial]:
    """What the probe showed of a run."""
    from advisor.errors import MemoryFacts, OutOfMemory
    from advisor.machine.probe import probe_hardware
    from advisor.memory_ladder.adjustment import Trial
    from wizard.commands.train import screen
    from wizard.processes.measured_runs import keep_receipt, known_receipts, probe_figures
    from wizard.processes.retry_on_oom import situation_of

    hardware = probe_hardware(training.run.path)
    took: RunFigures | None = None
    with TemporaryDirectory(prefix="loracle-measure-", ignore_cleanup_errors=True) as folder:
        try:
            took = probe_figures(_probe(training, Path(folder), screen(as_json=as_json)))
            seen = MemoryFacts(device=took.device, largest=took.size, peak_bytes=took.peak_bytes)
        except OutOfMemory as error:
            seen = error.facts
    situation = situation_of(training, seen)
    on_cpu = seen.device == "cpu"
    card = next((gpu for gpu in hardware.gpus if gpu.uuid and gpu.uuid == training.gpu_uuid), hardware.main_gpu)
    free = hardware.ram_free_bytes if on_cpu or card is None else card.free_bytes
    trial = Trial(situation, free, None if took is None else took.peak_bytes, on_cpu)
    known = known_receipts()
    if took is not None:
        keep_receipt(training, took, "measure", hardware=hardware)
    return compared(trial, seen, took, hardware, None if on_cpu else card, receipts=known), trial


def _probe(training: Training, folder: Path, screen: Screen) -> Finished:
    from dataclasses import replace

    from advisor.run_folder.events import Finished
    from advisor.run_folder.layout import RunFolder
    from wizard.processes.child import child_command
    from wizard.processes.launch import train as launch

    more = ["--device", training.device] if training.device else []
    progress = launch(
        replace(training, run=RunFolder(folder)),
        screen,
        command=lambda apart: child_command(
            "trainer.training.short_run", str(training.run.config), "--out", str(apart.run.path), *more
        ),
    )  # fmt: skip
    return progress.finished or Finished()


def compared(
    trial: Trial,
    seen: MemoryFacts,
    took: RunFigures | None,
    hardware: Hardware,
    gpu: Gpu | None,
    *,
    receipts: tuple[Receipt, ...] = (),
) -> Measured:
    """What the probe told beside what the advisor says of the same step.

    Args:
        seen: what the probe saw of the memory.
        took: what its steps took; None: memory ran out.
        gpu: the card; None: the processor.
        receipts: what earlier runs took, by which the time is corrected.
    """
    from advisor.estimate.calibration import corrections, machine_key
    from advisor.estimate.timing import step_seconds

    situation = trial.situation
    config = situation.config
    beyond = 0 if trial.on_cpu else situation.overhead_bytes  # torch does not see what the driver takes
    seconds = step_seconds(config, situation.structure, hardware, gpu, size=situation.size)
    correction = corrections(receipts, machine_key(hardware, gpu), config, step_seconds=seconds).time
    return Measured(
        device=seen.device,
        size=situation.size or (config.dataset.resolution_px,) * 2,
        batch_size=config.schedule.batch_size,
        steps=0 if took is None else took.steps,
        predicted_bytes=situation.predicted_bytes - beyond,
        measured_bytes=seen.peak_bytes,
        predicted_seconds_per_step=None if seconds is None else seconds * correction,
        measured_seconds_per_step=None if took is None else took.seconds_per_step,
        free_bytes=trial.free_bytes,
        fits=trial.fits,
    )


def adjustment_document(steps: tuple[Taken, ...], *, applied: bool) -> dict[str, object]:
    """What `measure --json` adds: how the plan should be changed, and whether it was."""
    changes = [{"rung": step.rung, "from": step.before, "to": step.after, "reason": step.message} for step in steps]
    return {"adjustment": changes, "adjusted": applied}


def trial_text(trial: Trial, steps: tuple[Taken, ...], *, begun: bool) -> str:
    """What that says of the plan."""
    if begun and not trial.fits:
        return f"{trial.seen} The run has begun: `loracle train --resume` steps down by itself where memory runs out."
    if not steps:
        return f"{trial.seen} Nothing in the plan needs to change." if trial.fits else trial.seen
    return "\n".join([f"{trial.seen} The plan should have:", *(f"- {step.message}" for step in steps)])


def _agreed() -> bool:
    """The user's yes, where there is somebody to ask."""
    if not is_terminal():
        show("`--yes` writes that into the plan.")
        return False
    from wizard.interview.ask import TerminalAsk
    from wizard.interview.questions import choice

    question = choice("adjust", "Change the plan so?", ("yes", "Yes"), ("no", "No, leave it"), back=False)
    return TerminalAsk()(question) == "yes"


def _adjust(run: RunFolder, steps: tuple[Taken, ...]) -> None:
    from wizard.output import say
    from wizard.processes.adjust_plan import adjust

    adjust(run, steps)
    say(f"Changed {run.config}; {run.plan} keeps both values.")


def measured_text(found: Measured) -> str:
    """The same for people."""
    from advisor.units import gib

    width, height = found.size
    predicted, real = (
        "unknown" if seconds is None else f"{seconds:.2f} s"
        for seconds in (found.predicted_seconds_per_step, found.measured_seconds_per_step)
    )  # fmt: skip
    done = f"{found.steps} steps" if found.steps else "Memory ran out"
    own = "of the process" if found.device == "cpu" else "by torch; the driver's own comes on top of both"
    return "\n".join(
        [
            f"{done} on the {'processor' if found.device == 'cpu' else 'card'}, "
            f"{width} x {height} px (the largest), batch {found.batch_size}",
            f"{'':14}{'predicted':>12}{'measured':>12}",
            f"{'memory':14}{gib(found.predicted_bytes):>12}{gib(found.measured_bytes):>12}  {own}",
            f"{'a step takes':14}{predicted:>12}{real:>12}",
        ]
    )
