"""Pictures drawn while training, so that nobody has to guess which epoch is the best: which, and how often."""

from __future__ import annotations

from dataclasses import dataclass

from advisor.choosing.prompts import proposed_prompts
from advisor.estimate.timing import run_times
from advisor.facts import Facts
from advisor.rules.card_class import structure_of
from advisor.rules.defaults_table import ANIME_XL, NAI_LIKE
from advisor.rules.fitting import SPARE_SHARE, beside_free, drawing_bytes, timed_card
from advisor.rules.rule import Advice, rule
from advisor.rules.schedule import epochs_ended, total_steps
from advisor.rules.sources import OURS
from advisor.settings.config import TrainingConfig
from advisor.units import counted

PROMPTS = "sampling.prompts"

MOST_SHARE = 0.15
"""Of the run's predicted time, for pictures. Above it they are drawn more seldom; where that is not enough, never."""

EVERY_EPOCHS = (1, 2, 3, 4, 5)
"""How seldom they may be drawn; the first that costs little enough is taken."""

LEAST_LOOKS = 2
"""Fewer epochs with pictures show no course of the training."""

TAGGED_FAULTS = "lowres, bad anatomy, bad hands, worst quality, low quality"
"""Tags of bad drawings, which bases know that learned from a booru's tags; most prompts for them leave these out."""


@dataclass(frozen=True)
class DrawingTime:
    """How long drawing takes beside the rest of a run, in seconds; where nothing is known of the card's speed, as on a
    usual card."""

    once: float
    """All prompts once."""
    rest: float
    """The run without pictures."""
    epochs: int
    """That come to their end."""

    def looks(self, every: int) -> int:
        """After how many epochs is drawn."""
        return self.epochs // every if every else 0

    def share(self, every: int) -> float:
        """Of the whole run's time, drawing after so many epochs and the base model's pictures before the first."""
        drawing = self.once * (1 + self.looks(every))
        return drawing / (drawing + self.rest)


@rule(sets="sampling.every_epochs", source=OURS)
def every_epochs(facts: Facts, config: TrainingConfig) -> Advice:
    """Each; every second to fifth where pictures after each would take over 15 % of the run."""
    if PROMPTS in facts.chosen_paths:
        return Advice(1, "where prompts are given: one look at each saved LoRA", origin="default")
    took = drawing_time(facts, with_proposed_prompts(facts, config))
    for every in EVERY_EPOCHS:
        if took.share(every) <= MOST_SHARE and took.looks(every) >= LEAST_LOOKS:
            if every == 1:
                return Advice(1, f"one look at each of {counted(took.epochs, 'epoch')} and its LoRA")
            after_each = f"after each of {took.epochs} epochs they would take {_percent(took.share(1))} of the run"
            most = f"at most {_percent(MOST_SHARE)} are spent on pictures"
            return Advice(every, f"{after_each}, so it is {_percent(took.share(every))}: {most}")
    return Advice(1, "only read where prompts are given", origin="default")


@rule(sets=PROMPTS, source=OURS)
def prompts(facts: Facts, config: TrainingConfig) -> Advice:
    """Four from the captions; none where drawing does not fit into memory or would take over 15 % of the run."""
    every = config.sampling.every_epochs
    proposed = with_proposed_prompts(facts, config)
    if not every:
        return Advice((), "nothing is drawn, as sampling.every_epochs is 0")
    needed, free = drawing_bytes(facts, proposed), facts.free_bytes
    if needed > (1 - SPARE_SHARE) * free:
        return Advice((), f"none: drawing would need {beside_free(needed, free)}")
    took = drawing_time(facts, proposed)
    if took.looks(every) < LEAST_LOOKS:
        ended = counted(took.looks(every), "time") if every > 1 else counted(took.epochs, "epoch")
        return Advice((), f"none: after {ended} alone they would not show the training's course")
    if took.share(every) > MOST_SHARE:
        least = min(EVERY_EPOCHS[-1], max(1, took.epochs // LEAST_LOOKS))
        often = "" if every >= least else f", and after every {least} still {_percent(took.share(least))}"
        more = f"more than the {_percent(MOST_SHARE)} that pictures may cost"
        return Advice((), f"none: drawing would take {_percent(took.share(every))} of the run{often}: {more}")
    number = len(proposed.sampling.prompts)
    kinds = "a caption of yours, the trigger alone, in a new setting, and without it"
    if not facts.dataset.num_captioned:
        kinds = "the trigger alone, in new settings, and without it"
    looks = f"the base model's first, then after {counted(took.looks(every), 'epoch')}"
    return Advice(proposed.sampling.prompts, f"{number}: {kinds}; {looks}: {_percent(took.share(every))} of the run")


@rule(sets="sampling.negative", source=OURS)
def negative(_: Facts, config: TrainingConfig) -> Advice:
    """Tags of bad drawings for bases that learned them: those like NovelAI's, Illustrious, NoobAI and Animagine."""
    if not config.sampling.draws:
        return Advice("", "only read where pictures are drawn", origin="default")
    lineage = config.model.lineage
    if lineage in NAI_LIKE or (lineage in ANIME_XL and lineage != "pony"):
        return Advice(
            TAGGED_FAULTS, f"{lineage} bases know these tags of bad drawings, and most prompts leave them out"
        )
    if lineage == "pony":
        return Advice("", "none: Pony learned scores instead of tags of bad drawings")
    return Advice("", "none: words that this base did not learn as tags would change pictures in other ways too")


RULES = (every_epochs, prompts, negative)
"""How often decides what prompts cost."""


def with_proposed_prompts(facts: Facts, config: TrainingConfig) -> TrainingConfig:
    """The configuration with the prompts that it has, else with those that are proposed."""
    if config.sampling.prompts:
        return config
    texts = tuple(prompt.text for prompt in proposed_prompts(facts.dataset, config))
    return config.model_copy(update={"sampling": config.sampling.model_copy(update={"prompts": texts})})


def drawing_time(facts: Facts, config: TrainingConfig) -> DrawingTime:
    """How long the prompts of a configuration take to draw, beside the rest of the run."""
    each = config.model_copy(update={"sampling": config.sampling.model_copy(update={"every_epochs": 1})})
    steps, epochs = total_steps(facts, config), epochs_ended(facts, config)
    times = run_times(
        each, structure_of(facts), facts.hardware, gpu=timed_card(facts, config), steps=steps,
        num_images=facts.dataset.num_images, epochs=epochs,
    )  # fmt: skip
    assert times is not None, "a usual card's speed is known"
    return DrawingTime(times.sampling / (1 + epochs), times.run - times.sampling, epochs)


def _percent(share: float) -> str:
    return f"{100 * share:.0f} %"
