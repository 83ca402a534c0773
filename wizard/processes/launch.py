"""Training in a process of its own: started, watched, interrupted, and its end told."""

from __future__ import annotations

import os
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import FrameType

from advisor.errors import LoraError, MemoryFacts, OutOfMemory, RunError, TrainingStopped
from advisor.run_folder.event_file import EventTail
from advisor.run_folder.events import AnyEvent, LoraSaved, Resumed, WarningGiven
from advisor.run_folder.layout import CONFIG_NAME, TRAINER_LOG_NAME, RunFolder
from wizard.exit_codes import TrainerBroke
from wizard.processes.child import WINDOWS_CTRL_C, child_command, child_environment, crash_name, interrupt, start_apart
from wizard.show.progress import Progress
from wizard.show.screen import Screen

POLL_SECONDS = 0.1
GRACE_SECONDS = 20.0
"""How long a trainer that was told to end at once may take before it is killed."""
LOG_LINES = 20
"""So much of its log is shown when the trainer broke."""
INTERRUPTED = 130


@dataclass(frozen=True)
class Training:
    """What to train."""

    run: RunFolder
    """Absolute."""
    resume: bool = False
    device: str | None = None
    gpu_uuid: str = ""
    tolerate_sysmem_fallback: bool = False
    """Keep training, however slowly, where the GPU's driver moves its memory into system memory."""

    def command(self) -> list[str]:
        """The trainer's command line."""
        given = self.run.path if self.run.config_name == CONFIG_NAME else self.run.config
        more = (["--resume"] if self.resume else []) + (["--device", self.device] if self.device else [])
        more += ["--tolerate-sysmem-fallback"] if self.tolerate_sysmem_fallback else []
        return child_command("trainer", str(given), *more)


@dataclass
class Interrupts:
    """How often the user wanted it to end."""

    heard: int = 0
    told: int = field(default=0)
    """How many of these the trainer was told of."""
    since: float = 0.0

    @contextmanager
    def listening(self) -> Iterator[None]:
        """Within, Ctrl-C and the closing of the terminal only count; in a thread nothing can be heard.

        A hang-up that was ignored from the start (`nohup`) stays ignored: the training outlives the terminal.
        """
        if threading.current_thread() is not threading.main_thread():
            yield
            return
        names = ("SIGINT", "SIGTERM", "SIGHUP", "SIGBREAK")
        numbers = [getattr(signal, name) for name in names if hasattr(signal, name)]
        numbers = [one for one in numbers if one.name != "SIGHUP" or signal.getsignal(one) is not signal.SIG_IGN]
        before = {number: signal.signal(number, self._hear) for number in numbers}
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)

    def _hear(self, number: int, frame: FrameType | None) -> None:  # noqa: ARG002
        self.heard += 1


def train(
    training: Training,
    screen: Screen,
    *,
    command: Callable[[Training], list[str]] = Training.command,
    interrupts: Interrupts | None = None,
) -> Progress:
    """Train to the end, showing it.

    Args:
        command: the trainer's command line; tests pass a trainer of their own.

    Returns:
        What the events said.

    Raises:
        OutOfMemory: memory ran out; `wizard.processes.retry_on_oom` goes on from there.
        LoraError: what else stopped it; `exit_code` is what the process ends with.
        KeyboardInterrupt: the user ended it, and the work is saved.
        TrainerBroke: a defect of ours.
    """
    heard = interrupts or Interrupts()
    environment = child_environment(os.environ, gpu_uuid=training.gpu_uuid)
    log = training.run.trainer_log
    tail = training.run.new_events()
    with heard.listening():
        try:
            began = log.stat().st_size if log.exists() else 0
            child = start_apart(command(training), environment, log, training.run.path)
        except OSError as error:
            raise RunError(
                f"the trainer cannot be started in {training.run.path}: {error.strerror or error}"
            ) from error
        progress = _watch(child, tail, screen, heard)
    if heard.told > 1 and child.returncode not in (0, INTERRUPTED):
        raise KeyboardInterrupt(f"Ended at once, as you wished. {_kept(progress)}")
    if child.returncode != 0:
        raise ending(child.returncode, progress, log_tail(log, began))
    return progress


def _watch(child: subprocess.Popen[bytes], tail: EventTail, screen: Screen, heard: Interrupts) -> Progress:
    progress = Progress(phase="start")
    try:
        screen.show(progress)
        while True:
            ended = child.poll() is not None  # asked before reading, so that nothing written last is missed
            for event in tail.new():
                progress = progress.after(event)
                screen.show(progress)
                if note := event_note(event):
                    screen.note(note)
            if ended:
                return progress
            _pass_on(child, heard, screen, is_training=progress.phase == "train")
            time.sleep(POLL_SECONDS)
    finally:
        screen.close()
        if child.poll() is None:
            child.kill()
            child.wait()


def _pass_on(child: subprocess.Popen[bytes], heard: Interrupts, screen: Screen, *, is_training: bool) -> None:
    """Tell the trainer once for each Ctrl-C; kill it if it does not end after the second."""
    if heard.told >= 2 and (heard.heard > heard.told or time.monotonic() - heard.since > GRACE_SECONDS):
        child.kill()
    elif heard.heard > heard.told:
        heard.told += 1
        heard.since = time.monotonic()
        interrupt(child)
        if heard.told == 1:
            what = "Finishing this step, then saving" if is_training else "Finishing what is under way"
            screen.note(f"{what}. Ctrl-C once more ends at once, without saving.")
        else:
            screen.note("Ending at once.")


def event_note(event: AnyEvent) -> str:
    """What stays on the screen of an event; empty for most."""
    match event:
        case WarningGiven():
            return f"! {event.message}"
        case LoraSaved():
            return f"Saved {event.path}"
        case Resumed():
            return f"There is room again in {event.folder}: going on."
        case _:
            return ""


def ending(code: int, progress: Progress, log: str) -> BaseException:
    """What a trainer's exit code means, as an error that says what to do.

    Args:
        code: the child's, not 0.
        log: the end of what it printed.
    """
    message = progress.failed.message if progress.failed else ""
    if code in (INTERRUPTED, WINDOWS_CTRL_C):
        said_so = progress.failed is not None and progress.failed.code == "interrupted"
        if said_so and not progress.step and not progress.loras:
            message = "Training was interrupted before a step was taken: there was nothing new to save."
        return KeyboardInterrupt(message or f"Interrupted. {_kept(progress)}")
    if code == 2:
        return LoraError(message or log or "the trainer refused the configuration without a word")
    if code == 75:
        seen = progress.failed.memory if progress.failed else None
        facts = replace(seen or MemoryFacts(), step=progress.step)
        return OutOfMemory(message or log or "memory ran out without a word", facts)
    if code == 3:
        return TrainingStopped(message or log or "training stopped itself without a word")
    if (crash := crash_name(code)) is not None:
        return TrainingStopped(f"{_crash_sentence(crash)} {_kept(progress)}{_log_part(log)}")
    return TrainerBroke(f"{message or 'The trainer broke.'} {_kept(progress)}{_log_part(log)}")


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


def _kept(progress: Progress) -> str:
    return f"The last LoRA saved is {progress.loras[-1]}." if progress.loras else "No LoRA was saved yet."


def _log_part(log: str) -> str:
    return f"\nThe end of {TRAINER_LOG_NAME}:\n{log}" if log else ""


def log_tail(log: Path, began: int) -> str:
    """The last lines that were added to a log after the byte `began`."""
    try:
        with log.open("rb") as file:
            file.seek(max(began, file.seek(0, os.SEEK_END) - 100_000))
            text = file.read().decode("utf-8", "replace")
    except OSError:
        return ""
    return "\n".join(text.rstrip().splitlines()[-LOG_LINES:])
