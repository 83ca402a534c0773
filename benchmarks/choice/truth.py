"""The truth about an epoch: identity x obedience x no leak, by classifiers that no recommender sees.

It is fixed before any result is looked at:

- *Identity*: `trainer.demo.score.identity` of pictures with the trigger, relative to that of real pictures of the
  character which nobody trained on; at most 1.
- *Obedience*: the lower of two shares: backgrounds that pictures with the trigger have as asked for, and tags that
  pictures of the base's own people, without the trigger, have as asked for.
- *No leak*: 1 minus the leak. A leak of 1 is a change of the base's own people as large as that to somebody else, the
  base's picture of another prompt. (Another seed would be no scale: these prompts tell everything about a picture, so
  that two seeds differ by 10 of 255.)

They are measured on prompts and seeds of their own: seeds start where no recommender's do, situations are none that a
training picture shows, and the people are drawn by lot for this alone.

No two pictures with the trigger have the same seed. What an epoch makes of a seed's noise it makes of it at every
prompt: from one epoch to the next the pictures of one seed rise and fall together, five times as far as those of one
prompt. A truth of one seed, by which `final` was judged, is that of this seed, and no bootstrap over prompts tells its
error.

Every picture's measures are kept, so that it is known how sure the truth itself is: its error is that of a bootstrap
over prompts with their seeds, the same draws for all epochs. Where it is too large to tell which epochs are as good as
the best, further pictures are drawn (`benchmarks.choice.rounds`).
"""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from itertools import cycle, islice, product
from statistics import fmean
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image

from benchmarks.choice.cast import CharacterFolder
from benchmarks.demo_model.avatar import BACKGROUND, EXPRESSIONS, base_drawing
from trainer.demo.score import ScoreData, identity, leak, mean_identity, obeyed_tags, read_score_data

FIRST_SEED = 9_000_101
"""Of the first prompt with the trigger and of the first without; each further one has the next."""
PICTURES = 20
"""With the trigger, of every epoch; as many without. An epoch's score errs by 0.046 beside the others' by 20 seeds, so
by 0.023 by 80: a choice that knows all is within 5 % of what looks best in 0.83 of runs by 20 seeds, by one in 0.56.
"""
MOST_PICTURES = 80
"""With the trigger, of epochs that fewer do not tell apart from the best; as many without. With more `truth` goes on
from what was drawn before.
"""
PROMPTS = 40
"""Different ones with the trigger; there are few more that no training picture shows."""
PEOPLE_SEED, SITUATIONS_SEED = 9_100_000, 9_200_000
DRAWS = 400
"""Of the bootstrap."""

Pictures = Sequence[Image.Image]
Figures = npt.NDArray[np.float64]


@dataclass(frozen=True)
class EpochTruth:
    """What an epoch's LoRA is worth: the measures of each of its pictures, in the order of the prompts."""

    epoch: int
    identity: tuple[float, ...]
    """Of each with the trigger, relative to real pictures'."""
    backgrounds: tuple[float, ...]
    """Of each with the trigger: 1 where the background is as asked for, else 0."""
    tags: tuple[float, ...]
    """Of each without: the share of its tags that are as asked for."""
    leak: tuple[float, ...]
    """Of each without: how far it is from the base model's own, relative to that to somebody else."""

    @property
    def score(self) -> float:
        """Identity x obedience x no leak, 0..1."""
        return float(self.scores(np.ones((1, len(self.identity))), np.ones((1, len(self.leak))))[0])

    def scores(self, calling: Figures, people: Figures) -> Figures:
        """The same, pictures counting as often as each row of the two says [N, pictures with or without]: [N]."""
        like = np.minimum(1.0, _means(self.identity, calling))
        obeys = np.minimum(_means(self.backgrounds, calling), _means(self.tags, people))
        return like * obeys * np.maximum(0.0, 1.0 - _means(self.leak, people))

    @property
    def num_pictures(self) -> tuple[int, int]:
        """With the trigger and without."""
        return len(self.identity), len(self.leak)

    def first(self, calling: int, people: int) -> EpochTruth:
        """What so many of its pictures, the first ones, say."""
        identity, backgrounds = self.identity[:calling], self.backgrounds[:calling]
        return EpochTruth(self.epoch, identity, backgrounds, self.tags[:people], self.leak[:people])

    def with_further(self, other: EpochTruth) -> EpochTruth:
        """By the pictures of both."""
        ours, theirs = ((one.identity, one.backgrounds, one.tags, one.leak) for one in (self, other))
        return EpochTruth(self.epoch, *(first + further for first, further in zip(ours, theirs, strict=True)))

    def document(self) -> dict[str, Any]:
        """For JSON, with the score and its factors."""
        means = {name: fmean(getattr(self, name)) for name in ("identity", "backgrounds", "tags", "leak")}
        pictures = {
            name: [round(value, 4) for value in values] for name, values in asdict(self).items() if name in means
        }
        return {"epoch": self.epoch, **means, "score": self.score, "pictures": pictures}

    @classmethod
    def of_document(cls, document: Mapping[str, Any]) -> EpochTruth:
        """What `document` made."""
        return cls(document["epoch"], **{name: tuple(values) for name, values in document["pictures"].items()})


def _means(values: Sequence[float], weights: Figures) -> Figures:
    """The mean of the pictures for each row of their weights."""
    means: Figures = weights @ np.asarray(values) / weights.sum(1)
    return means


def true_scores(truths: Sequence[EpochTruth]) -> dict[int, float]:
    """The score of each epoch. One of fewer pictures than the best has the best's, times what it is worth relative to
    the best by the pictures that both have.
    """
    return {epoch: float(found[0]) for epoch, found in _scored(truths, _once_each).items()}


def bootstrap(truths: Sequence[EpochTruth]) -> dict[int, Figures]:
    """The same in each of DRAWS draws of the pictures, which are the same for all epochs: [DRAWS] of each."""
    return _scored(truths, _drawn)


def _scored(truths: Sequence[EpochTruth], times: Callable[[int, int], Sequence[Figures]]) -> dict[int, Figures]:
    """The scores where each picture counts as often as `times` says of their numbers: [N] of each epoch."""
    most = max((one.num_pictures for one in truths), default=(0, 0))
    best = max((one for one in truths if one.num_pictures == most), key=lambda one: one.score, default=None)
    found = dict[int, Figures]()
    for one in truths:
        counts = times(*one.num_pictures)
        found[one.epoch] = one.scores(*counts)
        if best is not None and one.num_pictures != most:
            beside = best.first(*one.num_pictures).scores(*counts)
            share = np.divide(found[one.epoch], beside, out=np.zeros_like(beside), where=beside > 0)
            found[one.epoch] = share * best.scores(*times(*most))
    return found


def _once_each(*numbers: int) -> Sequence[Figures]:
    return [np.ones((1, number)) for number in numbers]


def _drawn(*numbers: int) -> Sequence[Figures]:
    rng = np.random.default_rng(0)
    return [rng.multinomial(number, [1 / number] * number, DRAWS).astype(float) for number in numbers]


def seeded(prompts: Sequence[str], first: int = 0) -> list[tuple[str, int]]:
    """Those from the first on, each with its seed."""
    return [(prompt, FIRST_SEED + number) for number, prompt in enumerate(prompts) if number >= first]


def calling_prompts(character: CharacterFolder, number: int = PICTURES) -> tuple[str, ...]:
    """Situations that no training picture of the character shows, one background after the other; after `PROMPTS` of
    them the same again.
    """
    trained = {file.read_text("utf-8").strip() for file in character.images.glob("*.txt")}
    dice, name, found = random.Random(SITUATIONS_SEED), character.path.name, list[str]()
    for background in islice(cycle(BACKGROUND), min(number, PROMPTS)):
        tags = product(EXPRESSIONS, ("", "glasses, "))
        prompts = [f"{name}, {expression}, {eyewear}{background} background" for expression, eyewear in tags]
        found.append(dice.choice([prompt for prompt in prompts if prompt not in {*trained, *found}]))
    return tuple(islice(cycle(found), number))


def people_prompts(number: int = PICTURES) -> tuple[str, ...]:
    """The base's own people, all attributes told."""
    dice = random.Random(PEOPLE_SEED)
    return tuple(", ".join(base_drawing(dice).tags) for _ in range(number))


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
    """The mean difference between the base model's pictures of two prompts, each from its own seed, of 255."""

    @classmethod
    def of(
        cls, character: CharacterFolder, base_people: Pictures, first: int = 0, others_change: float | None = None
    ) -> Judge:
        """The judge of a character by so many pictures.

        Args:
            character: Its files.
            base_people: The base model's pictures of `people_prompts`, each drawn from its own seed.
            first: The number of prompts before, by which an earlier judge judged.
            others_change: Its scale; None: this is the first.
        """
        data, last = read_score_data(character.score_data), first + len(base_people)
        real = [Image.open(path).convert("RGB") for path in sorted(character.held_out.glob("*.png"))]
        others = [*base_people[1:], base_people[0]]
        return cls(
            data=data,
            real_identity=mean_identity(real, data),
            calling=calling_prompts(character, last)[first:],
            people=people_prompts(last)[first:],
            base_people=base_people,
            others_change=leak(base_people, others, data) if others_change is None else others_change,
        )

    def truth(self, epoch: int, calling: Pictures, people: Pictures) -> EpochTruth:
        """What pictures with and without the trigger say of an epoch, in the order of the prompts."""
        return EpochTruth(
            epoch=epoch,
            identity=tuple(identity(picture, self.data) / self.real_identity for picture in calling),
            backgrounds=tuple(self._obeyed(*pair, "background") for pair in zip(calling, self.calling, strict=True)),
            tags=tuple(self._obeyed(*pair, "") for pair in zip(people, self.people, strict=True)),
            leak=tuple(
                leak([before], [after], self.data) / self.others_change
                for before, after in zip(self.base_people, people, strict=True)
            ),
        )

    def _obeyed(self, picture: Image.Image, prompt: str, noun: str) -> float:
        """The share of a prompt's tags that are as asked for; of those that end with the noun."""
        found = [kept for tag, kept in obeyed_tags(picture, prompt, self.data).items() if tag.endswith(noun)]
        return sum(found) / len(found) if found else 1.0
