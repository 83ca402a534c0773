"""The truth about an epoch: identity x obedience x no leak, by classifiers that no recommender sees.

It is fixed before any result is looked at:

- *Identity*: `trainer.demo.score.identity` of pictures with the trigger, relative to that of real pictures of the
  character which nobody trained on; at most 1.
- *Obedience*: the lower of two shares: backgrounds that pictures with the trigger have as asked for, and tags that
  pictures of the base's own people, without the trigger, have as asked for.
- *No leak*: 1 minus the leak. A leak of 1 is a change of the base's own people as large as that to somebody else, the
  base's picture of another prompt. (Another seed would be no scale: these prompts tell everything about a picture, so
  that two seeds differ by 10 of 255.)

They are measured on prompts and seeds of their own: SEEDS start where no recommender's do, the situations are those of
the held-out pictures, and the people are drawn by lot for this alone.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import asdict, dataclass

from PIL import Image

from benchmarks.choice.cast import CharacterFolder
from benchmarks.demo_model.avatar import base_drawing
from trainer.demo.score import ScoreData, leak, mean_identity, obedience, read_score_data

SEEDS = (9_000_001, 9_000_002)
PROMPTS = 8
"""With the trigger; as many without."""
PEOPLE_SEED = 9_100_000

Pictures = Sequence[Image.Image]


@dataclass(frozen=True)
class EpochTruth:
    """What an epoch's LoRA is worth."""

    epoch: int
    identity: float
    obedience: float
    no_leak: float
    leak: float
    """Of 255."""

    @property
    def score(self) -> float:
        """All three together, 0..1."""
        return self.identity * self.obedience * self.no_leak

    def document(self) -> dict[str, float]:
        """For JSON, the score included."""
        return {**asdict(self), "score": self.score}


def calling_prompts(character: CharacterFolder) -> tuple[str, ...]:
    """The captions of held-out pictures: each background once, none of them as in a training picture."""
    files = sorted(character.held_out.glob("*.txt"))[:PROMPTS]
    return tuple(file.read_text("utf-8").strip() for file in files)


def people_prompts() -> tuple[str, ...]:
    """The base's own people, all attributes told."""
    dice = random.Random(PEOPLE_SEED)
    return tuple(", ".join(base_drawing(dice).tags) for _ in range(PROMPTS))


@dataclass(frozen=True)
class Judge:
    """What an epoch's pictures are held against."""

    data: ScoreData
    real_identity: float
    """Of the held-out pictures."""
    calling: tuple[str, ...]
    """A prompt for each picture with the trigger."""
    people: tuple[str, ...]
    """A prompt for each picture without it."""
    base_people: Pictures
    """The base model's pictures without the trigger."""
    others_change: float
    """The mean difference between the base model's pictures of two prompts and one seed, of 255."""

    @classmethod
    def of(cls, character: CharacterFolder, base_people: Pictures) -> Judge:
        """The judge of a character.

        Args:
            character: Its files.
            base_people: The base model's pictures of `people_prompts`, all of the first seed, then all of the second.
        """
        data = read_score_data(character.score_data)
        real = [Image.open(path).convert("RGB") for path in sorted(character.held_out.glob("*.png"))]
        others = [*base_people[1:], base_people[0]]
        return cls(
            data=data,
            real_identity=mean_identity(real, data),
            calling=calling_prompts(character) * len(SEEDS),
            people=people_prompts() * len(SEEDS),
            base_people=base_people,
            others_change=leak(base_people, others, data),
        )

    def truth(self, epoch: int, calling: Pictures, people: Pictures) -> EpochTruth:
        """What pictures with and without the trigger say of an epoch, in the order of the prompts."""
        changed = leak(self.base_people, people, self.data)
        return EpochTruth(
            epoch=epoch,
            identity=min(1.0, mean_identity(calling, self.data) / self.real_identity),
            obedience=min(
                obedience(calling, self.calling, self.data, noun="background"),
                obedience(people, self.people, self.data),
            ),
            no_leak=max(0.0, 1.0 - changed / self.others_change),
            leak=changed,
        )
