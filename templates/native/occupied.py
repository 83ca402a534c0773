"""Folders that a plan is not written into: the images', one with files that are no run's, another plan's run."""

from __future__ import annotations

from pathlib import Path

from advisor.errors import RunError
from advisor.files import is_file, is_folder
from advisor.run_folder.layout import RunFolder
from advisor.run_folder.paths import FOLDERS, RECORDS, RUN_NAMES
from advisor.run_folder.plan_record import PlanRecord
from advisor.run_folder.write_over import Occupied
from advisor.same_place import is_same
from advisor.settings.config import TrainingConfig
from advisor.units import named

OF_THE_SYSTEM = frozenset({".DS_Store", "Thumbs.db", "desktop.ini", ".directory", "lost+found"})
"""Put into folders by file managers and disks."""
OVERWRITE = "name another folder with --out, or add --overwrite"
SHOWN = 3


def other_plan(run: RunFolder, record: PlanRecord | None, config: TrainingConfig) -> str:
    """What a run is planned for, where that is another LoRA or other images; else empty."""
    if record is None:
        return ""
    planned = record.document.get("config")
    dataset = planned.get("dataset") if isinstance(planned, dict) else None
    images = dataset.get("images") if isinstance(dataset, dict) else None
    name = record.fields.config.saving.name
    if not name or not isinstance(images, str):
        return ""
    if name == config.saving.name and is_same(run.path / images, run.path / config.dataset.images):
        return ""
    return f"{run.path} holds another plan ({name}, of the pictures in {images})"


def refuse_strangers(run: RunFolder, *, overwrite: bool) -> None:
    """Refuse a folder that holds no run and is not empty.

    Args:
        overwrite: write beside other files.

    Raises:
        Occupied: it is one.
        RunError: it cannot be read.
    """
    try:
        found = sorted(path.name for path in run.path.iterdir() if path.name not in OF_THE_SYSTEM)
    except (FileNotFoundError, NotADirectoryError):
        return
    except OSError as error:
        raise RunError(f"{run.path} cannot be read: {error.strerror or error}: choose another folder") from None
    if is_file(run.config) or is_file(run.plan):
        return
    others = [name for name in found if name not in RUN_NAMES or (name in FOLDERS and _holds_others(run.path / name))]
    if not others:
        return
    if overwrite:
        return
    raise Occupied(f"{run.path} is no run, and holds {named(others, SHOWN)}", OVERWRITE)


def _holds_others(folder: Path) -> bool:
    """Whether a folder that is named as one of a run's holds what no run without a plan has in it."""
    known = {Path(record).name for record in RECORDS}
    return not is_folder(folder) or any(path.name not in known for path in folder.iterdir())
