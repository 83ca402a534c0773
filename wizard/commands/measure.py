"""`loracle measure`: a probe of a few steps on this machine, compared with the prediction, and what to change."""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace
from pathlib import Path

from advisor.errors import MemoryFacts, OutOfMemory, TrainingStopped
from advisor.estimate.calibration import Receipt, corrections, machine_key
from advisor.estimate.timing import step_seconds
from advisor.machine.hardware import Gpu, Hardware
from advisor.machine.probe import probe_hardware
from advisor.memory_ladder.adjustment import Trial, adjustments, nothing_left
from advisor.run_folder.events import Finished
from advisor.run_folder.keep import kept_sentence
from advisor.run_folder.ladder_file import Taken
from advisor.run_folder.layout import RunFolder
from advisor.run_folder.lock import writing
from advisor.run_folder.write_over import MEND_HERE, UsersFiles
from advisor.units import gib
from wizard.interview.ask import TerminalAsk
from wizard.interview.questions import choice
from wizard.output import is_terminal, print_json, say, show
from wizard.own_command import own_command
from wizard.processes.adjust_plan import adjust
from wizard.processes.child import child_command
from wizard.processes.launch import run_trainer
from wizard.processes.measured_runs import RunFigures, probe_figures, save_receipt
from wizard.processes.memory_situation import situation_of
from wizard.processes.receipt_store import known_receipts
from wizard.processes.temporary_folder import temporary_folder
from wizard.processes.trainer_job import TrainerJob, planned_job
from wizard.show.screen import Screen, make_screen

RESERVED = "reserved for it; the driver's own comes on top"
"""Of memory that torch's allocator holds."""


@dataclass(frozen=True)
class Measured:
    """Prediction and measurement side by side; the document of `measure --json`."""

    device: str
    size: tuple[int, int]
    """Width and height of the run's largest images, in pixels."""
    batch_size: int
    steps: int
    """Timed, without the first two; 0 where memory ran out."""
    predicted_bytes: int
    measured_bytes: int
    """The peak: on a GPU torch's, without the driver's share; on a CPU the process's."""
    predicted_seconds_per_step: float | None
    measured_seconds_per_step: float | None
    """None where memory ran out."""
    free_bytes: int = 0
    """Of GPU memory or RAM, before the probe."""
    fits: bool = True
    """Memory did not run out, and the peak was not above `free_bytes`."""
    predicted_reserved_bytes: int = 0
    measured_reserved_bytes: int = 0
    """What torch's allocator held of a card for the peak; 0 on a CPU, and where memory ran out."""


def measure(
    run: Path, *, device: str | None = None, yes: bool = False, overwrite: bool = False, as_json: bool = False
) -> None:
    """Probe a run, print prediction and measurement, and offer to change a plan that does not fit.

    Args:
        yes: change it without asking.
        overwrite: replace a loracle.toml that was changed by hand, after keeping it beside.

    Raises:
        LoraError: the run is wrong, or another process works on it.
        TrainingStopped: it does not fit, and the plan was not changed.
        KeyboardInterrupt: Ctrl-C.
    """
    job, _ = planned_job(run, device=device)
    with writing(job.run, "loracle measure", say) as place:
        _measure(replace(job, place=place), run, yes=yes, overwrite=overwrite, as_json=as_json)


def _measure(job: TrainerJob, run: Path, *, yes: bool, overwrite: bool, as_json: bool) -> None:
    folder = job.run
    found, trial = _probed(job, as_json=as_json)
    steps = () if folder.has_state() else adjustments(trial)
    if not as_json:
        show(measured_text(found))
        show(trial_text(trial, steps, begun=folder.has_state()))
    applies = bool(steps) and (yes or (not as_json and _agreed()))
    if applies and job.place is not None:
        job.place.check()
    if applies:
        _adjust(job, steps, overwrite=overwrite, may_ask=is_terminal() and not (yes or as_json))
    if as_json:
        print_json(asdict(found) | adjustment_document(steps, applied=applies))
    if not found.fits and not applies:
        mend = (
            f"`{own_command('measure', run)} --yes` changes the plan so that it should"
            if steps
            else nothing_left(trial)
        )
        raise TrainingStopped(f"The plan does not fit here: {mend}")


def _probed(job: TrainerJob, *, as_json: bool) -> tuple[Measured, Trial]:
    """Probe a run and save a receipt of it."""
    hardware = probe_hardware(job.run.path)
    took: RunFigures | None = None
    with temporary_folder("measure") as folder:
        try:
            took = probe_figures(_probe(job, folder, make_screen(as_json=as_json)))
            seen = MemoryFacts(device=took.device, largest=took.size, peak_bytes=took.peak_bytes)
        except OutOfMemory as error:
            seen = error.facts
    situation = situation_of(job, seen, hardware=hardware)
    on_cpu = seen.device == "cpu"
    gpu = None if on_cpu else job.gpu(hardware)
    free = hardware.ram_free_bytes if gpu is None else gpu.free_bytes
    trial = Trial(situation, free, None if took is None else took.peak_bytes, on_cpu)
    known = known_receipts()
    if took is not None:
        save_receipt(job, took, "measure", hardware=hardware)
    return compared(trial, seen, took, hardware, gpu, receipts=known), trial


def _probe(job: TrainerJob, folder: Path, screen: Screen) -> Finished:
    """Run the probe, which writes its events into `folder`; returns its last event."""
    more = ["--device", job.device] if job.device else []
    progress = run_trainer(
        replace(job, run=RunFolder(folder)),
        screen,
        command=lambda probe: child_command(
            "trainer.training.short_run", str(job.run.config), "--out", str(probe.run.path), *more
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
    """The probe's measurement and the advisor's prediction of the same step.

    Args:
        seen: the probe's memory figures.
        took: the probe's time figures; None: memory ran out.
        gpu: None: the CPU.
        receipts: of earlier runs, which correct the predicted time.
    """
    situation = trial.situation
    config = situation.config
    driver_bytes = 0 if trial.on_cpu else situation.overhead_bytes  # not in torch's figures
    seconds = step_seconds(config, situation.structure, hardware, gpu, size=situation.size)
    correction = corrections(receipts, machine_key(hardware, gpu), config, step_seconds=seconds).time
    return Measured(
        device=seen.device,
        size=situation.size or (config.dataset.resolution_px,) * 2,
        batch_size=config.schedule.batch_size,
        steps=0 if took is None else took.steps,
        predicted_bytes=situation.predicted_bytes - driver_bytes,
        measured_bytes=seen.peak_bytes,
        predicted_seconds_per_step=None if seconds is None else seconds * correction,
        measured_seconds_per_step=None if took is None else took.seconds_per_step,
        free_bytes=trial.free_bytes,
        fits=trial.fits,
        predicted_reserved_bytes=0 if trial.on_cpu else situation.reserved_bytes,
        measured_reserved_bytes=0 if took is None else took.reserved_bytes,
    )


def adjustment_document(steps: tuple[Taken, ...], *, applied: bool) -> dict[str, object]:
    """What `measure --json` adds: the changes of the plan, and whether they were applied."""
    changes = [{"rung": step.rung, "from": step.before, "to": step.after, "reason": step.message} for step in steps]
    return {"adjustment": changes, "adjusted": applied}


def trial_text(trial: Trial, steps: tuple[Taken, ...], *, begun: bool) -> str:
    """Whether the plan fits and how to change it, as text."""
    if begun and not trial.fits:
        return f"{trial.seen} The run has begun: `loracle train --resume` steps down by itself where memory runs out."
    if not steps:
        return f"{trial.seen} Nothing in the plan needs to change." if trial.fits else trial.seen
    return "\n".join([f"{trial.seen} The plan should have:", *(f"- {step.message}" for step in steps)])


def _agreed() -> bool:
    """Ask whether to change the plan; False without a terminal."""
    if not is_terminal():
        show("`--yes` writes that into the plan.")
        return False
    question = choice("adjust", "Change the plan so?", ("yes", "Yes"), ("no", "No, leave it"), back=False)
    return TerminalAsk()(question) == "yes"


def _adjust(job: TrainerJob, steps: tuple[Taken, ...], *, overwrite: bool, may_ask: bool) -> None:
    """Change the plan; where loracle.toml was changed by hand, the user is asked.

    Raises:
        UsersFiles: it was, and the user did not agree or may not be asked.
        RunMoved: another folder was put in the run's place meanwhile.
    """
    run = job.run
    try:
        kept = adjust(run, steps, overwrite=overwrite)
    except UsersFiles as error:
        if not (may_ask and _agreed_to_replace(error.told)):
            raise UsersFiles(error.files, MEND_HERE) from None
        if job.place is not None:
            job.place.check()
        kept = adjust(run, steps, overwrite=True)
    for path in kept:
        say(kept_sentence(path))
    say(f"Changed {run.config}; {run.plan} keeps both values.")


def _agreed_to_replace(told: str) -> bool:
    yes = "Yes: its values stay but for these, its comments only beside, as NAME.bak"
    return TerminalAsk()(choice("overwrite", f"{told}. Write it anew?", ("no", "No, leave it"), ("yes", yes))) == "yes"


def measured_text(found: Measured) -> str:
    """Prediction and measurement as a small table."""
    width, height = found.size
    predicted, real = (
        "unknown" if seconds is None else f"{seconds:.2f} s"
        for seconds in (found.predicted_seconds_per_step, found.measured_seconds_per_step)
    )  # fmt: skip
    reserved = found.predicted_reserved_bytes, found.measured_reserved_bytes
    done = f"{found.steps} steps" if found.steps else "Memory ran out"
    own = "of the process" if found.device == "cpu" else "allocated by torch"
    return "\n".join(
        [
            f"{done} on the {'processor' if found.device == 'cpu' else 'card'}, "
            f"{width} x {height} px (the largest), batch {found.batch_size}",
            f"{'':14}{'predicted':>12}{'measured':>12}",
            f"{'memory':14}{gib(found.predicted_bytes):>12}{gib(found.measured_bytes):>12}  {own}",
            *([f"{'':14}{gib(reserved[0]):>12}{gib(reserved[1]):>12}  {RESERVED}"] if all(reserved) else []),
            f"{'a step takes':14}{predicted:>12}{real:>12}",
        ]
    )
