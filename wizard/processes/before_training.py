"""What is refused, or done already, before a trainer is started: it would find the same after loading its libraries."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path

from advisor.dataset.report import DatasetReport
from advisor.errors import BrokenImages, LoraError
from advisor.files import is_file
from advisor.run_folder.layout import RunFolder
from advisor.run_folder.pictures.run_dataset import run_dataset
from advisor.run_folder.state_manifest import begun_already, newest_position
from advisor.settings.config import TrainingConfig
from advisor.units import counted
from wizard.own_command import own_command
from wizard.processes.measured_pictures import known_broken


def refuse_begun(run: RunFolder) -> None:
    """Refuse to begin a run anew that was begun.

    Raises:
        RunError: it has a state.
    """
    if run.has_state():
        raise begun_already(run.path, f"{own_command('train', run.as_given)} --resume")


def finished_text(run: RunFolder, config: TrainingConfig) -> str:
    """What is said of a run that has all its epochs and its LoRA; empty where it does not."""
    reached, schedule = newest_position(run.states()), config.schedule
    if reached is None or not is_file(run.lora(config.saving.name)):
        return ""
    if schedule.max_steps:
        return f"All {schedule.max_steps:,} steps are trained already" if reached.step >= schedule.max_steps else ""
    if reached.epoch < schedule.epochs:
        return ""
    more = f"{own_command('train', run.as_given)} --epochs {reached.epoch + 1}"
    return f"All {counted(reached.epoch, 'epoch')} are trained already; `{more}` or more trains on"


def refuse_known_broken(run: RunFolder, config: TrainingConfig) -> None:
    """Refuse pictures that `check` or the questions found to be broken, as the trainer would after decoding all.

    Raises:
        BrokenImages: there are such, and they are not left out.
    """
    broken = list[Path]()
    with suppress(LoraError):  # of a folder that is not there, or a damaged record, the trainer tells
        report = run_dataset(run, config).report.without(run.read_left_out().paths)
        broken = [Path(report.root) / path for path in known_broken(report)]
    if broken:
        reasons = [f"{path} cannot be decoded: replace it or move it away" for path in broken]
        raise BrokenImages.of(reasons, f"{own_command('train', run.as_given)} --skip-broken")


def broken_text(report: DatasetReport, run: Path) -> str:
    """What is said of broken pictures of a plan that is written; empty where none is known."""
    broken = known_broken(report)
    if not broken:
        return ""
    which = (
        f"{counted(len(broken), 'picture')} cannot be decoded ({', '.join(broken[:3])}{', ...' * (len(broken) > 3)})"
    )
    them = "it" if len(broken) == 1 else "them"
    return f"{which}: replace {them}, or leave {them} out with `{own_command('train', run)} --skip-broken`"
