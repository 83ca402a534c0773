"""What lies where in a run folder: every file name of a run stands here, once.

    loracle.toml            the settings; all that training reads but the ladder, the manifest and the edits
    plan.json answers.toml  records of what was planned and answered
    images/manifest.jsonl   the training images with size, bucket, repeats and caption
    images/edits.jsonl      what the user decided of images: captions, exclusions, crops; read by training too
    images/left_out.json    images that are left out, because they are broken and the user agreed
    images/held_out.json    which images the validation loss is measured on
    cache/                  encoded images, captions and masks
    log/                    events.jsonl, trainer.log, written.json, TensorBoard's files
    model/                  the LoRAs
    state/                  what resuming needs, and ladder.json
    samples/ exports/ report.html comparison.html
    grid/                   pictures of each epoch's LoRA (`advisor.run_folder.grids.grid_paths`)
    .lock .lock-trainer     who works on the run, while somebody does

Importing this module reads nothing but these names: what parses a file is imported when that file is read, so that
the first question waits for no pydantic model.
"""

from __future__ import annotations

import re
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from advisor.errors import RunError
from advisor.files import is_there
from advisor.run_folder.grids.grid_paths import GridPaths
from advisor.run_folder.links import refuse_links_out, refuse_way_out
from advisor.settings.file_names import CONFIG_NAME

PLAN_NAME = "plan.json"
ANSWERS_NAME = "answers.toml"
REPORT_NAME, COMPARISON_NAME = "report.html", "comparison.html"
MANIFEST_NAME = "images/manifest.jsonl"
EDITS_NAME = "images/edits.jsonl"
LEFT_OUT_NAME = "images/left_out.json"
HELD_OUT_NAME = "images/held_out.json"
CHECKED_IMAGES_NAME = "cache/images/checked.txt"
EVENTS_NAME = "log/events.jsonl"
TRAINER_LOG_NAME = "log/trainer.log"
WANDB_ID_NAME = "log/wandb.json"
MEETING_NAME = "log/meeting.txt"
DEMO_SCORES_NAME = "log/demo.json"
WRITTEN_NAME = "log/written.json"
LADDER_NAME = "state/ladder.json"
BEFORE_AFTER_NAME = "samples/before_after.png"
LOCK_NAME, TRAINER_LOCK_NAME = ".lock", ".lock-trainer"
LOG, MODEL, STATE, SAMPLES, CACHE, EXPORTS = "log", "model", "state", "samples", "cache", "exports"
IMAGES, GRID = "images", "grid"

RUN_NAMES = frozenset(
    {CONFIG_NAME, PLAN_NAME, ANSWERS_NAME, REPORT_NAME, COMPARISON_NAME, LOCK_NAME, TRAINER_LOCK_NAME}
)
FOLDERS = frozenset({IMAGES, LOG, MODEL, STATE, SAMPLES, CACHE, EXPORTS, GRID})
"""The folders that a run writes into."""
RUN_NAMES |= FOLDERS
"""What Loracle makes at the top of a run folder."""

RECORDS = (PLAN_NAME, ANSWERS_NAME, REPORT_NAME, COMPARISON_NAME, MANIFEST_NAME, EDITS_NAME)
"""Files beside the configuration that are read or replaced."""
LOOKED_INTO = {LOG: 0, MODEL: 0, STATE: 1, SAMPLES: 1, CACHE: 2, GRID: 1}
"""How many folders deep each folder is looked into for links. Weights & Biases' own in `log/wandb` lead to its logs."""

STATE_PREFIX = "step-"
"""What the name of a state's folder begins with; the step follows in eight digits."""
STEP_DIGITS = 8
STATE_FILES = ("manifest.json", "weights.safetensors", "optimizer.pt")
"""What Loracle keeps in a state's folder; whatever else is there is the user's."""
EARLIER_PREFIX = "earlier-"
"""What the name of a folder in `model` begins with that holds LoRAs of earlier trainings; a number follows."""
INTERMEDIATE = r"(-\d{6}|-step\d{8})"
"""What a LoRA's name ends with that was saved after an epoch or a step, before the last."""


@dataclass(frozen=True)
class RunPaths:
    """A run folder: the path of each of its files.

    A path to which a link leads out of the run is not handed out: asking for it raises a RunError, which names the link
    and what allows it.
    """

    path: Path
    config_name: str = CONFIG_NAME
    """The configuration's file name, where the user named another than `loracle.toml`."""

    @classmethod
    def given(cls, path: Path) -> Self:
        """The run that the user names by its folder or by its configuration file, absolute.

        Raises:
            RunError: there is no configuration, or a link in the folder leads out of it.
        """
        from advisor.run_folder.config_file import config_file

        config = config_file(path).absolute()
        run = cls(config.parent, config.name)
        run.refuse_links_out()
        return run

    def refuse_links_out(self) -> None:
        """Refuse the run where a link leads out of it, in any place that training or a report writes to or reads.

        Raises:
            RunError: there is one; it is named, with what allows it.
        """
        for name in RECORDS:
            refuse_way_out(self.path, self.path / name)
        refuse_way_out(self.path, self.path / self.config_name)
        for folder, depth in LOOKED_INTO.items():
            refuse_links_out(self.path, self.path / folder, depth=depth)

    @property
    def config(self) -> Path:
        """Every setting with its reason as a comment."""
        return self._at(self.config_name)

    @property
    def as_given(self) -> Path:
        """The path by which a command names this run: its folder, or its configuration where that has another name."""
        return self.path if self.config_name == CONFIG_NAME else self.path / self.config_name

    @property
    def plan(self) -> Path:
        """The record of the plan, as `plan --json` prints it."""
        return self._at(PLAN_NAME)

    @property
    def answers(self) -> Path:
        """The record of what was answered."""
        return self._at(ANSWERS_NAME)

    @property
    def report(self) -> Path:
        """The page that `loracle report` writes."""
        return self._at(REPORT_NAME)

    @property
    def comparison(self) -> Path:
        """The page that `loracle report` writes of several runs, of which this is the first."""
        return self._at(COMPARISON_NAME)

    @property
    def manifest(self) -> Path:
        """The training images, one JSON object a line."""
        return self._at(MANIFEST_NAME)

    @property
    def edits(self) -> Path:
        """What the user decided of images, one change a line."""
        return self._at(EDITS_NAME)

    @property
    def left_out(self) -> Path:
        """The images that the user agreed to do without."""
        return self._at(LEFT_OUT_NAME)

    @property
    def held_out(self) -> Path:
        """Which images the validation loss is measured on."""
        return self._at(HELD_OUT_NAME)

    @property
    def checked_images(self) -> Path:
        """What was decoded before, a hash a line; may be deleted at any time."""
        return self._at(CHECKED_IMAGES_NAME)

    @property
    def log(self) -> Path:
        """The folder of events, the trainer's output and TensorBoard's files."""
        return self._at(LOG)

    @property
    def events(self) -> Path:
        """The events of every start of the training, one JSON object a line."""
        return self._at(EVENTS_NAME)

    @property
    def trainer_log(self) -> Path:
        """What the trainer's process prints; for defects only."""
        return self._at(TRAINER_LOG_NAME)

    @property
    def wandb_id(self) -> Path:
        """By which name Weights & Biases knows the run, so that a resumed training goes on with it."""
        return self._at(WANDB_ID_NAME)

    @property
    def meeting(self) -> Path:
        """By which processes of several machines see that they have the same folder; only while they start."""
        return self._at(MEETING_NAME)

    @property
    def demo_scores(self) -> Path:
        """What the demo measured."""
        return self._at(DEMO_SCORES_NAME)

    @property
    def written(self) -> Path:
        """The digests of the files that Loracle wrote, by which the user's own are told from them."""
        return self._at(WRITTEN_NAME)

    @property
    def model(self) -> Path:
        """The folder of the LoRAs."""
        return self._at(MODEL)

    @property
    def state(self) -> Path:
        """The folder of what resuming needs, and of the ladder's file."""
        return self._at(STATE)

    @property
    def ladder(self) -> Path:
        """What was changed because memory ran out."""
        return self._at(LADDER_NAME)

    @property
    def samples(self) -> Path:
        """The folder of the sample images."""
        return self._at(SAMPLES)

    @property
    def before_after(self) -> Path:
        """The demo's contact sheet: base model and LoRA from the same seeds."""
        return self._at(BEFORE_AFTER_NAME)

    @property
    def grid(self) -> GridPaths:
        """The folder of the grid."""
        return GridPaths(self._at(GRID), self.path)

    @property
    def lock(self) -> Path:
        """Who writes into the run; locked by `advisor.run_folder.lock`."""
        return self.path / LOCK_NAME

    @property
    def trainer_lock(self) -> Path:
        """Which process trains the run; locked by `advisor.run_folder.lock`."""
        return self.path / TRAINER_LOCK_NAME

    @property
    def exports(self) -> Path:
        """The folder of other trainers' files, in none of whose folders a link leads out of the run."""
        refuse_links_out(self.path, self.path / EXPORTS)
        return self._at(EXPORTS)

    def cache(self, kind: str) -> Path:
        """The folder of one cache: `images`, `latents`, `text` or `masks`."""
        return self._at(f"{CACHE}/{kind}")

    def lora(self, name: str) -> Path:
        """The last LoRA's file.

        Args:
            name: the setting `saving.name`.
        """
        return self._at(f"{MODEL}/{name}.safetensors")

    def lora_of_epoch(self, name: str, epoch: int) -> Path:
        """The file of the LoRA after an epoch, counted from 1."""
        return self._at(f"{MODEL}/{name}-{epoch:06d}.safetensors")

    def lora_of_step(self, name: str, step: int) -> Path:
        """The file of the LoRA after a step."""
        return self._at(f"{MODEL}/{name}-step{step:08d}.safetensors")

    def earlier_loras(self, number: int) -> Path:
        """The folder of the LoRAs that trainings before this one left, where these took their names; counted from 1."""
        return self.model / f"{EARLIER_PREFIX}{number}"

    def loras(self, name: str, *, with_last: bool = True) -> list[Path]:
        """The LoRAs that are there, in no order.

        Args:
            name: the setting `saving.name`.
            with_last: the LoRA of the training's end too, not only those of its epochs and steps.

        Raises:
            RunError: the folder cannot be read.
        """
        wanted = re.compile(re.escape(name) + INTERMEDIATE + "?" * with_last + r"\.safetensors")
        try:
            return [path for path in self.model.iterdir() if wanted.fullmatch(path.name)]
        except FileNotFoundError:
            return []
        except OSError as error:
            raise RunError(f"{self.model} cannot be read: {error.strerror}") from error

    def sample(self, name: str, epoch: int, number: int) -> Path:
        """The file of a sample image: the epoch's, of the prompt with this number, counted from 0."""
        return self._at(f"{SAMPLES}/{name}-{epoch:06d}-{number:02d}.png")

    def samples_of_epochs(self, name: str) -> list[Path]:
        """The sample images that are there of any epoch, without the base model's; none where they cannot be listed."""
        of_epoch = re.compile(rf"{re.escape(name)}-(?!0{{6}}-)\d{{6,}}-\d{{2,}}\.png")
        try:
            return sorted(path for path in self.samples.iterdir() if of_epoch.fullmatch(path.name))
        except OSError:
            return []

    def earlier_samples(self, number: int) -> Path:
        """The folder of the sample images that trainings before this one drew; counted from 1."""
        return self.samples / f"{EARLIER_PREFIX}{number}"

    def state_of_step(self, step: int) -> Path:
        """The folder of the state after a step."""
        return self._at(f"{STATE}/{STATE_PREFIX}{step:0{STEP_DIGITS}d}")

    def states(self) -> list[Path]:
        """The states' folders, oldest first; folders of other names, or without a file of ours, are the user's.

        Raises:
            RunError: the folder cannot be read.
        """
        try:
            found = [path for path in self.state.iterdir() if _is_state(path)]
        except (FileNotFoundError, NotADirectoryError):
            return []
        except OSError as error:
            raise RunError(f"{self.state} cannot be read: {error.strerror}") from error
        return sorted(found, key=lambda path: (len(path.name), path.name))

    def has_state(self) -> bool:
        """Whether there is a state to resume from; a folder that cannot be read counts as none."""
        with suppress(RunError):
            return bool(self.states())
        return False

    def has_trained(self) -> bool:
        """Whether there are LoRAs or a state.

        Raises:
            RunError: one of the folders cannot be read.
        """
        return any(_holds_something(folder) for folder in (self.model, self.state))

    def _at(self, name: str) -> Path:
        path = self.path / name
        refuse_way_out(self.path, path)
        return path

    def within(self, path: Path) -> str:
        """A file's path relative to the run folder, with forward slashes, as events and messages have it."""
        return path.relative_to(self.path).as_posix()


def _holds_something(folder: Path) -> bool:
    try:
        return any(folder.iterdir())
    except (FileNotFoundError, NotADirectoryError):
        return False
    except OSError as error:
        raise RunError(f"{folder} cannot be read: {error.strerror or error}: choose another folder") from None


def _is_state(folder: Path) -> bool:
    step = folder.name.removeprefix(STATE_PREFIX)
    is_named = folder.name.startswith(STATE_PREFIX) and len(step) >= STEP_DIGITS and step.isascii() and step.isdigit()
    return is_named and any(is_there(folder / name) for name in STATE_FILES)
