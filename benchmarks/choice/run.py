"""One run of a set, from its training to its outcome; what is there already is not done again."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import fmean

from pydantic import TypeAdapter

from advisor.choosing.cells import PictureScores
from advisor.files import is_there, write_atomically
from advisor.run_folder.config_file import read_config
from advisor.run_folder.events import StepDone, Validated
from advisor.run_folder.layout import RunFolder
from advisor.settings.config import TrainingConfig
from benchmarks.choice import recommend
from benchmarks.choice.cast import CharacterFolder, write_cast_member, write_others
from benchmarks.choice.design import BAD, Spec
from benchmarks.choice.outcome import Outcome
from benchmarks.choice.pictures import draw_all, load, merged
from benchmarks.choice.rounds import further_rounds
from benchmarks.choice.train import epoch_loras, train
from benchmarks.choice.truth import (
    PICTURES,
    EpochTruth,
    Judge,
    bootstrap,
    calling_prompts,
    people_prompts,
    seeded,
    true_scores,
)
from trainer.models.families.family import BaseModel

SCORES = TypeAdapter(tuple[PictureScores, ...])


@dataclass(frozen=True)
class Work:
    """A run's place below the folder of a set."""

    spec: Spec
    folder: Path
    """Of all sets and characters."""
    set_name: str

    @property
    def path(self) -> Path:
        """What belongs to this run."""
        return self.folder / self.set_name / self.spec.name

    @property
    def run(self) -> Path:
        """The run folder."""
        return self.path / "run"

    @property
    def truth_file(self) -> Path:
        """Truths of the epochs."""
        return self.path / "truth.json"

    @property
    def again_file(self) -> Path:
        """Truths of another number of pictures, by which what was judged once is judged again."""
        return self.path / "truth_again.json"

    @property
    def scores_file(self) -> Path:
        """The measures of the grid's pictures."""
        return self.path / "scores.json"

    @property
    def character(self) -> CharacterFolder:
        """Whom it learns."""
        return write_cast_member(self.folder, self.spec.character)

    def write_pictures(self) -> None:
        """Writes what it learns from, before two runs want it at once."""
        write_cast_member(self.folder, self.spec.character)
        for brief in (False, True):
            write_others(self.folder, brief=brief)

    def train(self) -> None:
        """Plans and trains it."""
        if not epoch_loras(self.run):
            seconds = train(self.spec, self.folder, self.run)
            print(f"{self.spec.name}: trained in {seconds:.0f} s", flush=True)

    def measure_truth(self) -> None:
        """Draws and judges each epoch; a run that was made to be bad is judged by its name alone. What is not clear by
        that is drawn on, and every round is kept.
        """
        if self.spec.kind in BAD:
            return
        self._measure_truth(self.truth_file, PICTURES)
        config = read_config(self.run)
        base, scale = load(config), json.loads(self.truth_file.read_text("utf-8"))["others_change"]

        def draw(epochs: Sequence[int], first: int, number: int) -> list[EpochTruth]:
            return self._judged(base, config, epochs, range(first, first + number), scale)[0]

        for truths in further_rounds(self.truths(), draw):
            self._write_truths(self.truth_file, truths, scale)

    def measure_truth_again(self, prompts: int) -> None:
        """The same by so many prompts with the trigger and as many without, beside the truth that is there."""
        if self.spec.kind not in BAD:
            self._measure_truth(self.again_file, prompts)

    def _measure_truth(self, file: Path, number: int) -> None:
        """The truth of every epoch by so many pictures of each kind, unless it is there."""
        if not is_there(file):
            config = read_config(self.run)
            epochs = [lora.epoch for lora in epoch_loras(self.run)]
            self._write_truths(file, *self._judged(load(config), config, epochs, range(number)))

    def _judged(
        self, base: BaseModel, config: TrainingConfig, epochs: Sequence[int], numbers: range, scale: float | None = None
    ) -> tuple[list[EpochTruth], float]:
        """What the pictures of these numbers say of epochs, and the scale of the leak."""
        first, last = numbers.start, numbers.stop
        calling = seeded(calling_prompts(self.character, last), first)
        people = seeded(people_prompts(last), first)
        judge = Judge.of(self.character, draw_all(base, config, people), first, scale)
        truths = []
        for lora in epoch_loras(self.run):
            if lora.epoch in epochs:
                with merged(base, lora.path):
                    drawn = [draw_all(base, config, asked) for asked in (calling, people)]
                truths.append(judge.truth(lora.epoch, *drawn))
        return truths, judge.others_change

    def _write_truths(self, file: Path, truths: Sequence[EpochTruth], scale: float) -> None:
        epochs = [truth.document() for truth in truths]
        document = {"run": self.spec.name, "others_change": scale, "epochs": epochs}
        write_atomically(file, json.dumps(document, indent=1) + "\n")
        print(f"{self.spec.name}: truth of {[len(truth.identity) for truth in truths]} pictures", flush=True)

    def draw(self) -> None:
        """Draws the grid that the recommender judges by, into the run folder."""
        recommend.draw(self.run, read_config(self.run), self.spec.character)

    def measure(self) -> None:
        """Measures that grid."""
        if not is_there(self.scores_file):
            found = recommend.measured(self.run, read_config(self.run), self.spec.character)
            write_atomically(self.scores_file, SCORES.dump_json(found, indent=1).decode() + "\n")

    @property
    def is_judged(self) -> bool:
        """Whether all that its outcome needs is there."""
        return is_there(self.scores_file) and (self.spec.kind in BAD or is_there(self.truth_file))

    def outcome(self) -> Outcome:
        """What is recommended, and what is true."""
        pictures, truths = SCORES.validate_json(self.scores_file.read_bytes()), self.truths()
        training, validation = self.losses()
        return Outcome(
            name=self.spec.name,
            kind=self.spec.kind,
            chosen=recommend.chosen_of(self.run, read_config(self.run), pictures),
            truth=true_scores(truths),
            training_loss=training,
            validation_loss=validation,
            truth_draws=bootstrap(truths),
        )

    def truths(self) -> tuple[EpochTruth, ...]:
        """The truth of each epoch; empty where none was measured."""
        return _read(self.truth_file)

    def truths_again(self) -> tuple[EpochTruth, ...]:
        """Those of `measure_truth_again`."""
        return _read(self.again_file)

    def losses(self) -> tuple[Mapping[int, float], Mapping[int, float]]:
        """By epoch: the mean loss of its steps, and the loss on the pictures that the run holds out."""
        steps, validated = defaultdict[int, list[float]](list), dict[int, float]()
        for event in RunFolder(self.run).read_events().events:
            if isinstance(event, StepDone) and event.loss is not None:
                steps[event.epoch].append(event.loss)
            if isinstance(event, Validated) and event.loss is not None:
                validated[event.epoch] = event.loss
        return {epoch: fmean(losses) for epoch, losses in steps.items()}, validated


def _read(file: Path) -> tuple[EpochTruth, ...]:
    if not is_there(file):
        return ()
    return tuple(map(EpochTruth.of_document, json.loads(file.read_text("utf-8"))["epochs"]))
