"""What comes after the last LoRA is saved: whatever goes wrong there never makes a training a failed one."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import TypeVar

from advisor.errors import LoraError
from advisor.run_folder.layout import RunFolder
from advisor.run_folder.saved_loras import oldest_first
from wizard.exit_codes import TrainerBroke
from wizard.output import say
from wizard.show.progress import TrainingProgress

T = TypeVar("T")


def tried(missing: str, do: Callable[[], T]) -> T | None:
    """What `do` gives; where it fails, None, after a message that says what is missing now and why."""
    try:
        return do()
    except (LoraError, TrainerBroke) as error:
        say(f"{missing}: {error}")
    except Exception as error:  # a defect of ours, or another library's
        say(f"{missing}: {type(error).__name__}: {error}")
    return None


def completed(progress: TrainingProgress, run: RunFolder) -> TrainingProgress:
    """A training that ended well, with the LoRAs that are there where its last events cannot be read."""
    if progress.finished is not None:
        return progress
    found = tried("The LoRAs cannot be listed", lambda: _loras(run)) or ()
    say(
        "! The training has ended well, but the end of log/events.jsonl is missing, as where the folder was removed or "
        "could not be written: steps, time and the check of the LoRA are not known"
    )
    return replace(progress, loras=found or progress.loras)


def _loras(run: RunFolder) -> tuple[str, ...]:
    """Within the run, oldest first."""
    found = run.loras(run.read_config().saving.name)
    return tuple(run.within(path) for path in oldest_first(found))
