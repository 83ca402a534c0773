"""Runs the trainer in a child process: starts it, follows its events, passes Ctrl-C on, and explains its exit code."""

from __future__ import annotations

import errno
import os
import subprocess
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

from advisor.errors import BrokenImages, LoraError, MemoryFacts, OutOfMemory, RunError, TrainingStopped
from advisor.files import is_there, open_regular
from advisor.run_folder.event_file import EventTail
from advisor.run_folder.events import AnyEvent, LoraMoved, LoraSaved, Resumed, WarningGiven
from advisor.run_folder.paths import TRAINER_LOG_NAME
from advisor.run_folder.place import PLACE_VARIABLE, RunPlace
from trainer.runtime.machine_limits import limit_sentence
from wizard.exit_codes import INTERRUPTED, TrainerBroke
from wizard.processes.child import WINDOWS_CTRL_C, child_environment, crash_name, interrupt, start_apart
from wizard.processes.interrupt_count import InterruptCount
from wizard.processes.trainer_job import TrainerJob
from wizard.show.progress import TrainingProgress
from wizard.show.screen import Screen

POLL_SECONDS = 0.1
OUTPUT_GONE = (errno.EPIPE, errno.EIO)
"""`| head`, another program that has ended, or a terminal that was closed."""
GRACE_SECONDS = 20.0
"""A trainer that still runs so long after the second Ctrl-C is killed."""
LOG_LINES = 20
"""The end of the trainer's log that an error message quotes."""


class TrainerCrashed(TrainingStopped):
    """The trainer was killed, or crashed below Python; what it trained alone may not be why."""


def run_trainer(
    job: TrainerJob,
    screen: Screen,
    *,
    command: Callable[[TrainerJob], list[str]] = TrainerJob.command,
    interrupts: InterruptCount | None = None,
) -> TrainingProgress:
    """Start the trainer once and follow it until it exits.

    Args:
        command: makes the command line; the demo, the probe and tests pass another than the trainer's.
        interrupts: counts the requests to end it; None: the job's own, else this process's signals.

    Returns:
        The progress after the last event. Whatever the process did after its event `finished` is no error any more.

    Raises:
        OutOfMemory: memory ran out; `wizard.processes.retry_on_oom` handles it.
        LoraError: the trainer refused the run, stopped itself, or crashed.
        KeyboardInterrupt: Ctrl-C, after the work was saved.
        TrainerBroke: the trainer failed by a bug of ours.
    """
    count, place = interrupts or job.interrupts or InterruptCount(), job.held_place or RunPlace.of(job.run.path)
    if job.interrupts is not None and job.interrupts.received:
        raise KeyboardInterrupt("Ended before its process was started.")
    environment = child_environment(
        os.environ, gpu_uuid=",".join(job.gpu_uuids) or job.gpu_uuid, on_processor=job.on_processor,
        is_alone=job.sharing == 1,
    )  # fmt: skip
    environment[PLACE_VARIABLE] = (job.place or place).mark
    log = job.run.trainer_log
    tail = job.run.new_events()
    place.check()
    with count.listening():
        try:
            began = log.stat().st_size if is_there(log) else 0
            child = start_apart(command(job), environment, log, is_followed=True)
        except OSError as error:
            raise RunError(f"the trainer cannot be started in {job.run.path}: {error.strerror or error}") from error
        try:
            progress = _watch(child, tail, screen, count, place)
        except OSError as error:
            if error.errno not in OUTPUT_GONE:
                raise
            raise KeyboardInterrupt("Ended, because what read the output has: the work is saved.") from None
    if child.returncode != 0 and progress.finished is None:
        place.check()
    if place is not job.held_place:
        place.close()
    if count.passed_on > 1 and child.returncode not in (0, INTERRUPTED):
        raise KeyboardInterrupt(f"Ended at once, as you wished. {_last_lora(progress)}")
    if child.returncode != 0:
        failure = error_of_exit(child.returncode, progress, log_tail(log, began))
        if progress.finished is None:
            raise failure
        screen.note(f"! All is trained and saved, but its process did not end well: {failure}")
    return progress


def _watch(
    child: subprocess.Popen[bytes], tail: EventTail, screen: Screen, count: InterruptCount, place: RunPlace
) -> TrainingProgress:
    """Show the events until the process ends; those of another run that took the folder's place are not its own."""
    progress = TrainingProgress(phase="start")
    try:
        screen.show(progress)
        while True:
            ended = child.poll() is not None  # asked before reading, so that nothing written last is missed
            for event in tail.new() if place.is_there else ():
                progress = progress.after(event)
                screen.show(progress)
                if note := event_note(event):
                    screen.note(note)
            if ended:
                return progress
            _pass_on(child, count, screen, is_training=progress.phase == "train")
            time.sleep(POLL_SECONDS)
    finally:
        _let_go(child)
        screen.close()


def _let_go(child: subprocess.Popen[bytes]) -> None:
    """Close the pipe by which the trainer knows that it is followed: one that still runs, because following it failed
    (e.g. at a terminal that is gone), saves its work and ends; a while is waited for that.
    """
    if child.stdin is not None:
        child.stdin.close()
    with suppress(subprocess.TimeoutExpired):
        child.wait(GRACE_SECONDS)


def _pass_on(child: subprocess.Popen[bytes], count: InterruptCount, screen: Screen, *, is_training: bool) -> None:
    """Send the trainer each Ctrl-C once; kill it at the third, or GRACE_SECONDS after the second."""
    is_over = count.received > count.passed_on or time.monotonic() - count.passed_on_at > GRACE_SECONDS
    if count.passed_on >= 2 and is_over:
        child.kill()
    elif count.received > count.passed_on:
        count.passed_on += 1
        count.passed_on_at = time.monotonic()
        interrupt(child)
        if count.passed_on == 1:
            what = "Finishing this step, then saving" if is_training else "Finishing what is under way"
            screen.note(f"{what}. Ctrl-C once more ends at once, without saving.")
        else:
            screen.note("Ending at once.")


def event_note(event: AnyEvent) -> str:
    """The line about an event that stays on the screen; empty: none."""
    match event:
        case WarningGiven():
            return f"! {event.message}"
        case LoraSaved():
            return f"Saved {event.path}"
        case LoraMoved():
            return f"Kept {event.before} of the earlier training as {event.after}"
        case Resumed():
            return f"There is room again in {event.folder}: going on."
        case _:
            return ""


def error_of_exit(code: int, progress: TrainingProgress, log: str) -> BaseException:
    """The exception for a trainer's exit code, whose message says what to do.

    Args:
        code: not 0.
        log: the end of what the trainer printed.
    """
    message = progress.failed.message if progress.failed else ""
    if code in (INTERRUPTED, WINDOWS_CTRL_C):
        is_interrupt = progress.failed is not None and progress.failed.code == "interrupted"
        if is_interrupt and not progress.step and not progress.loras:
            message = "Training was interrupted before a step was taken: there was nothing new to save."
        return KeyboardInterrupt(message or f"Interrupted. {_last_lora(progress)}")
    if code == 2 and progress.failed is not None and progress.failed.code == "broken_images":
        return BrokenImages(message)
    if code == 2:
        return LoraError(message or log or "the trainer refused the configuration without a word")
    if code == 75:
        seen = progress.failed.memory if progress.failed else None
        facts = replace(seen or MemoryFacts(), step=progress.step)
        return OutOfMemory(message or log or "memory ran out without a word", facts)
    if code == 3:
        return TrainingStopped(message or log or "training stopped itself without a word")
    if progress.failed is None and (limit := limit_sentence(log)):
        return TrainingStopped(f"{limit} {_last_lora(progress)}")
    if (crash := crash_name(code)) is not None:
        return TrainerCrashed(f"{_crash_sentence(crash)} {_last_lora(progress)}{_log_part(log)}")
    return TrainerBroke(f"{message or 'The trainer broke.'} {_last_lora(progress)}{_log_part(log)}")


def _crash_sentence(crash: str) -> str:
    if crash == "SIGKILL":
        return (
            "The system ended the training (SIGKILL), most likely because the machine's memory (RAM) ran out: close "
            "other programs, or give it less to do (schedule.batch_size, dataset.resolution_px)."
        )
    if crash == "SIGTERM":
        return "Something asked the training to end (SIGTERM), e.g. a shutdown."
    return (
        f"The training crashed below Python ({crash}); usually the graphics driver or a broken package: "
        "`loracle doctor` looks for it."
    )


def _last_lora(progress: TrainingProgress) -> str:
    return f"The last LoRA saved is {progress.loras[-1]}." if progress.loras else "No LoRA was saved yet."


def _log_part(log: str) -> str:
    return f"\nThe end of {TRAINER_LOG_NAME}:\n{log}" if log else ""


def log_tail(log: Path, began: int) -> str:
    """The last LOG_LINES lines of a log, from byte `began` on."""
    try:
        with open_regular(log) as file:
            file.seek(max(began, file.seek(0, os.SEEK_END) - 100_000))
            text = file.read().decode("utf-8", "replace")
    except OSError:
        return ""
    return "\n".join(text.rstrip().splitlines()[-LOG_LINES:])
