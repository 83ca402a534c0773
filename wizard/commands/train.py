"""`loracle train`: the training, and what comes after it."""

from __future__ import annotations

import shutil
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

from wizard.output import is_terminal, print_json, say, show
from wizard.own_command import own_command

if TYPE_CHECKING:
    from advisor.run_folder.layout import RunFolder
    from advisor.settings.config import TrainingConfig
    from wizard.processes.launch import Training
    from wizard.show.progress import Progress
    from wizard.show.screen import Screen


def train(run: Path, *, resume: bool = False, device: str | None = None, as_json: bool = False) -> None:
    """Train, then tell how to use the LoRA and offer to copy it.

    Raises:
        LoraError: the run or its configuration is wrong, or training stopped itself.
        KeyboardInterrupt: the user ended it; the work is saved.
    """
    from advisor.errors import ConfigError
    from advisor.run_folder.layout import RunFolder
    from wizard.processes.disk_check import short_of_room
    from wizard.processes.launch import Training
    from wizard.processes.measured_runs import keep_run_receipt
    from wizard.processes.retry_on_oom import train as launch
    from wizard.show.run_report import keep_run_report

    if device not in (None, "cpu"):
        raise ConfigError("--device", device, "take cpu, or leave it out for the card that was planned")
    folder = RunFolder.given(run)
    config = folder.read_config()
    uuid = "" if device == "cpu" else card_here(config.machine.gpu_uuid)
    training = Training(folder, resume=resume, device=device, gpu_uuid=uuid)
    if (short := short_of_room(folder)) is not None:
        say(short)
    began = time.time()
    try:
        progress = launch(training, screen(as_json=as_json))
    except KeyboardInterrupt as interrupted:
        raise KeyboardInterrupt(f"{interrupted}{_how_to_go_on(folder)}") from None
    finally:
        keep_run_receipt(training, config, since=began)
        keep_run_report(folder)
    if as_json:
        print_json(training_document(progress))
    else:
        _finish(training, config, progress)


def _how_to_go_on(run: RunFolder) -> str:
    """The command that resumes, where there is a state to resume from."""
    return f"\nGo on with: {own_command('train', run.path)} --resume" if run.has_state() else ""


def card_here(uuid: str) -> str:
    """The card's identifier, if it is in this machine; empty otherwise, and for a card that was only imagined."""
    if not uuid:
        return ""
    from advisor.machine.probe import probe_hardware

    if any(gpu.uuid == uuid for gpu in probe_hardware(Path.cwd()).gpus):
        return uuid
    say("The card that this run was planned for is not in this machine; taking what is there.")
    return ""


def training_document(progress: Progress) -> dict[str, object]:
    """What `train --json` prints; what the trainer counted itself goes before what we saw."""
    finished = {} if progress.finished is None else progress.finished.told()
    seen = {
        "steps": progress.step,
        "epochs": progress.epoch,
        "loras": list(progress.loras),
        "seconds_per_step": progress.seconds_per_step or 0.0,
        "peak_memory_bytes": progress.peak_memory_bytes,
        "ladder": [rung.model_dump() for rung in progress.ladder],
        "reload_check": {} if progress.reload_check is None else progress.reload_check.told(),
    }
    return {**seen, **finished}


def screen(*, as_json: bool) -> Screen:
    """Live in a terminal, plain elsewhere; on stderr where stdout is for the document."""
    from wizard.show.screen import LiveScreen, PlainScreen

    if as_json:
        return PlainScreen(say)
    return LiveScreen() if sys.stdout.isatty() else PlainScreen(show)


def _finish(training: Training, config: TrainingConfig, progress: Progress) -> None:
    from wizard.interview.copy_lora import usage
    from wizard.show.durations import duration

    if not progress.loras:
        show("Trained, but no LoRA was saved.")
        return
    lora = training.run.path / progress.loras[-1]
    seconds = None if progress.finished is None else progress.finished.seconds
    took = "" if seconds is None else f" in {duration(seconds)}"
    show(f"Trained {progress.step:,} steps{took}: {lora}")
    for rung in progress.ladder:
        show(f"{rung.cause or 'Memory ran out on the way.'} It went on with {rung.message}.")
    show(usage(lora.name, config.run.trigger or config.saving.name))
    if training.run.report.is_file():
        show(f"Report: {training.run.report}")
    if is_terminal():
        _offer_copy(lora, Path(config.model.path))


def _offer_copy(lora: Path, base_model: Path) -> None:
    from advisor.errors import LoraError
    from wizard.interview.ask import TerminalAsk
    from wizard.interview.copy_lora import offer_copy
    from wizard.interview.lora_folders import lora_folders
    from wizard.user_data import remember, remembered

    folders = lora_folders(
        base_model, remembered("lora_folder"), home=Path.home(), windows=sys.platform == "win32"
    )  # fmt: skip
    folder = offer_copy(TerminalAsk(), lora, folders, copy_lora)
    if folder is not None:
        try:
            remember("lora_folder", str(folder.absolute()))
        except LoraError as error:
            say(f"That folder is not remembered for next time: {error}")


def copy_lora(lora: Path, target: Path) -> None:
    """Copy a file, whole or not at all.

    Raises:
        RunError: it cannot be written.
    """
    from advisor.files import replacing

    with replacing(target) as temporary:
        shutil.copyfile(lora, temporary)
