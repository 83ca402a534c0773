"""Making it fit: of the choices that harm the result least, the fastest whose memory the machine has free.

How many pictures make a step is the same for all: fewer at once are accumulated. The groups of choices only ever go
down in precision and resolution, and a high card's pass through the medium one's before they leave both: so more
memory never means a lower resolution or, at the same resolution, slower steps.
"""

from __future__ import annotations

from bisect import bisect_left
from dataclasses import dataclass, replace
from typing import Any

from advisor.estimate.calibration import corrections, machine_key
from advisor.estimate.device_speed import speed_of
from advisor.estimate.slowdown import Slowdown, slowdown
from advisor.estimate.step_work import step_work
from advisor.estimate.swapped_blocks import most_swapped
from advisor.estimate.timing import step_seconds
from advisor.estimate.tradeoffs import BASE
from advisor.estimate.vram import corrected_parts, encoding_phases, phase_bytes, vram_parts
from advisor.facts import Facts
from advisor.families import family
from advisor.machine.cards import card_named
from advisor.machine.hardware import Gpu
from advisor.rules.bucket_sizes import largest_bucket, with_bucket_limits
from advisor.rules.card_class import structure_of, text_rate
from advisor.rules.choices import Choice, batches, choices
from advisor.rules.vae_slices import with_slices
from advisor.settings.config import TrainingConfig, with_values
from advisor.units import gib

TEXT_RATE_PATH = "optimizer.text_encoder_learning_rate"

SWAPPED_PATH = "memory.swapped_blocks"

CHECKPOINTING_PATHS = {"memory.gradient_checkpointing", "memory.checkpointed_blocks"}

SPARE_SHARE = 0.05
"""Of the free memory, left for what no count knows: other programs that grow, memory in pieces, libraries' buffers."""

USUAL_CARD = card_named("RTX 3060 12GB").as_gpu()
"""Whose speed stands for that of cards that tell none."""


@dataclass(frozen=True)
class Fit:
    """The first choice that fits into memory, or the smallest where none does."""

    config: TrainingConfig
    """With the choice in it, and what the user chose."""
    choice: Choice
    needed_bytes: int
    """Peak bytes of a training step."""
    free_bytes: int
    caching_bytes: int
    """Peak bytes of encoding the pictures, or of reading captions where that comes before."""
    drawing_bytes: int = 0
    """Peak bytes of sampling with the base in the compute dtype, where only sampling made the base int8; else 0."""

    @property
    def peak_bytes(self) -> int:
        """Of encoding and of steps, whichever needs more."""
        return max(self.needed_bytes, self.caching_bytes)

    @property
    def fits(self) -> bool:
        """Whether anything fitted; otherwise the choice is the smallest there is."""
        return self.peak_bytes <= (1 - SPARE_SHARE) * self.free_bytes


def fit(facts: Facts, config: TrainingConfig) -> Fit:
    """The fastest of the least harmful choices that fit, where none does the smallest of all.

    It looks at what the rules so far settled and leaves alone what the user chose.
    """
    smallest: Fit | None = None
    for group in choices(facts, config):
        smallest = tried(facts, config, group[-1])
        if smallest.fits:
            *rest, smallest = _with_more_bits(facts, config, group, smallest)
            others = (tried(facts, config, choice) for choice in rest)
            fitting = [with_fewest(facts, config, one) for one in (*others, smallest) if one.fits]
            return _with_room_to_draw(facts, config, min(fitting, key=lambda one: _seconds(facts, one.config)))
    assert smallest is not None
    return smallest


def _with_more_bits(
    facts: Facts, config: TrainingConfig, group: tuple[Choice, ...], smallest: Fit
) -> tuple[*tuple[Choice, ...], Fit]:
    """The group's choices but the last, and that one's fit, with as many bits of the base as fit.

    Where pictures are encoded before the denoiser is loaded and that is what had no room, fewer bits did not help.
    """
    comes_later = family(config.model.family).text_before_denoiser
    for base_dtype in (None, *BASE) if comes_later else ():
        if base_dtype == smallest.choice.base_dtype:
            break
        others = tuple(replace(choice, base_dtype=base_dtype) for choice in group)
        found = tried(facts, config, others[-1])
        if found.fits:
            return *others[:-1], found
    return *group[:-1], smallest


def with_fewest(facts: Facts, config: TrainingConfig, fitted: Fit) -> Fit:
    """A fit with as few blocks in the machine's memory as fit, or with gradient checkpointing in as few as fit."""
    if not fitted.choice.swapped:
        return with_fewest_checkpointed(facts, config, fitted)
    if SWAPPED_PATH in facts.chosen_paths:
        return fitted

    def with_swapped(blocks: int) -> Fit:
        return tried(facts, config, replace(fitted.choice, swapped=blocks))

    most = most_swapped(config, structure_of(facts))
    return with_swapped(1 + bisect_left(range(1, most), True, key=lambda blocks: with_swapped(blocks).fits))


def with_fewest_checkpointed(facts: Facts, config: TrainingConfig, fitted: Fit) -> Fit:
    """A fit with gradient checkpointing in as few of the denoiser's blocks as fit; others stay as they are.

    Who chose checkpointing has it in all blocks, and a processor's memory is left to what else runs there.
    """
    if not fitted.choice.checkpointing or facts.gpu is None or CHECKPOINTING_PATHS & facts.chosen_paths:
        return fitted

    def with_blocks(blocks: int) -> Fit:
        return tried(facts, config, replace(fitted.choice, blocks=blocks))

    number = structure_of(facts).whole_blocks
    fewest = 1 + bisect_left(range(1, number), True, key=lambda blocks: with_blocks(blocks).fits)
    return with_blocks(fewest) if fewest < number else fitted


def _seconds(facts: Facts, config: TrainingConfig) -> float:
    """Seconds of a step, to compare choices with; where nothing is known of the card's speed, as on a usual card."""
    return step_seconds(config, structure_of(facts), facts.hardware, timed_card(facts, config)) or 0.0


def timed_card(facts: Facts, config: TrainingConfig) -> Gpu | None:
    """The card that times are predicted for; where nothing is known of its speed, a usual one."""
    if facts.gpu is None or speed_of(config, facts.hardware, facts.gpu) is not None:
        return facts.gpu
    return replace(USUAL_CARD, compute_capability=facts.gpu.compute_capability or USUAL_CARD.compute_capability)


def fit_without(facts: Facts, config: TrainingConfig, fitted: Fit, path: str) -> tuple[Facts, Fit]:
    """Facts and fit as if the user's own answers had left this setting alone: what the rules would take instead of it.

    Args:
        fitted: the fit of these facts, which stays where the user did not choose the setting.
    """
    if path not in facts.answers.settings:
        return facts, fitted
    others = {name: value for name, value in facts.answers.settings.items() if name != path}
    free = replace(facts, answers=facts.answers.model_copy(update={"settings": others}))
    return free, fit(free, config)


def tried(facts: Facts, config: TrainingConfig, choice: Choice) -> Fit:
    """A choice with its peak memory."""
    config = _with_choice(facts, config, choice)
    size = largest_bucket(facts, config)
    config = with_slices(facts, config, size, (1 - SPARE_SHARE) * facts.free_bytes)
    seen = corrections(facts.receipts, machine_key(facts.hardware, facts.gpu), config)
    needed = corrected_parts(vram_parts(config, structure_of(facts), size=size), seen.memory)
    caching = max(phase_bytes(phase, config, structure_of(facts), size=size) for phase in encoding_phases(config))
    return Fit(config, choice, sum(needed.values()), facts.free_bytes, caching)


def saved_bytes(facts: Facts, config: TrainingConfig, fitted: Fit, **back: Any) -> int:
    """Bytes of a step that the fitted choice saves over one with the fields in `back`."""
    return tried(facts, config, replace(fitted.choice, **back)).needed_bytes - fitted.needed_bytes


def slowdown_of(facts: Facts, config: TrainingConfig, fitted: Fit, **back: Any) -> Slowdown:
    """How much longer a step of the fitted choice takes than one with the fields in `back`."""
    other = tried(facts, config, replace(fitted.choice, **back))
    structure = structure_of(facts)
    before, after = (step_work(one.config, structure) for one in (other, fitted))
    return slowdown(before, after, speed_of(fitted.config, facts.hardware, facts.gpu))


def least_bytes(facts: Facts, config: TrainingConfig, fitted: Fit, **back: Any) -> int:
    """Peak bytes with the fields in `back`, in the way to make a step that needs the least memory."""
    whole = fitted.choice.batch_size * fitted.choice.accumulation
    return tried(facts, config, batches(facts, replace(fitted.choice, batch_size=whole, **back))[-1]).peak_bytes


def _with_room_to_draw(facts: Facts, config: TrainingConfig, fitted: Fit) -> Fit:
    """Where steps fit and samples cannot be drawn, the base model in 8 bits if that helps.

    Batch and resolution stay: they are worth more than samples.
    """
    needed = drawing_bytes(facts, fitted.config)
    if facts.gpu is None or not fitted.fits or needed <= fitted.free_bytes or fitted.choice.base_dtype is not None:
        return fitted
    smaller = tried(facts, config, replace(fitted.choice, base_dtype="int8"))
    smaller = with_fewest(facts, config, smaller) if smaller.fits else smaller
    helps = smaller.fits and drawing_bytes(facts, smaller.config) <= smaller.free_bytes
    return replace(smaller, drawing_bytes=needed) if helps else fitted


def beside_free(needed_bytes: int, free_bytes: int) -> str:
    """What is needed beside what is free, for the sentence of why it is not taken."""
    looks_enough = needed_bytes <= free_bytes or gib(needed_bytes) == gib(free_bytes)
    spared = f", {100 * SPARE_SHARE:.0f} % of which must stay free" if looks_enough else ""
    return f"{gib(needed_bytes)} of the {gib(free_bytes)} free{spared}"


def drawing_bytes(facts: Facts, config: TrainingConfig) -> int:
    """Peak memory while samples are drawn; 0 where none are."""
    if not config.sampling.draws:
        return 0
    return phase_bytes("sampling", config, structure_of(facts))


def _with_choice(facts: Facts, config: TrainingConfig, choice: Choice) -> TrainingConfig:
    values: dict[str, Any] = {
        "schedule.batch_size": choice.batch_size,
        "schedule.gradient_accumulation": choice.accumulation,
        "dataset.resolution_px": choice.resolution_px,
        "memory.gradient_checkpointing": choice.checkpointing,
        "memory.checkpointed_blocks": choice.blocks if choice.checkpointing else 0,
        SWAPPED_PATH: min(choice.swapped, most_swapped(config, structure_of(facts))) if choice.swapped else 0,
        "memory.base_dtype": choice.base_dtype or config.memory.compute_dtype,
        "optimizer.name": choice.optimizer,
    }
    rate = config.optimizer.text_encoder_learning_rate
    if TEXT_RATE_PATH not in facts.chosen_paths:
        rate = values[TEXT_RATE_PATH] = text_rate(config) if choice.text_encoder else 0.0
    values["memory.cache_text"] = config.model.prediction == "flow" or (not rate and not captions_vary(config))
    chosen = facts.chosen_paths
    config = with_values(config, {path: value for path, value in values.items() if path not in chosen})
    return with_bucket_limits(facts, config)


def captions_vary(config: TrainingConfig) -> bool:
    """Whether a picture's caption is another one each time, so that its text cannot be encoded once for all."""
    return tags_vary(config) or bool(config.dataset.caption_dropout)


def tags_vary(config: TrainingConfig) -> bool:
    """The same, but for captions that are left out altogether: no caption is one text more, whatever the caption."""
    dataset = config.dataset
    draws = dataset.wildcards or dataset.caption_lines == "random"
    return bool(dataset.shuffle_captions or draws or dataset.tag_dropout)
