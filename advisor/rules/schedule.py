"""How long is trained: as many steps as possible without burning, every epoch kept to choose from."""

from __future__ import annotations

from collections import Counter
from math import floor

from advisor.dataset.buckets import Size, batches_per_epoch, bucket_counts, num_held_out, repeats_of_folders
from advisor.facts import Facts
from advisor.rules.defaults_table import defaults_for
from advisor.rules.noise import NO_OFFSET, NO_SNR, off_for_flow
from advisor.rules.optimizers import WARMUP_SHARE, optimizer_defaults
from advisor.rules.rule import Advice, rule
from advisor.rules.sources import CIVITAI, COLAB, MIN_SNR, OURS, SD_SCRIPTS, ZERO_SNR
from advisor.settings.config import TrainingConfig
from advisor.units import counted

CPU_EXPOSURES = 100
"""Pictures times repeats in an epoch on a processor, where a step takes seconds."""

MOST_REPEATS = 30
"""More of the same few pictures in one epoch only makes epochs coarse."""

REPEATED_FOR_BATCH = 100
"""Up to here repeats are raised to the batch, so that every bucket fills one."""

EPOCHS, MOST_EPOCHS = 10, 40
"""The usual number, to choose one of them; more than forty of very few pictures would only show these again."""

LEAST_STEPS, MOST_STEPS = 1500, 3000
"""Optimizer steps in which most characters are learned (docs/decisions/0002-rules-of-our-own.md): where ten epochs give
fewer or more, there are more or fewer epochs."""


@rule(sets="dataset.repeats", source=OURS)
def repeats(facts: Facts, config: TrainingConfig) -> Advice:
    """So many that an epoch has the table's exposures, and each bucket fills a batch."""
    number, wanted = max(1, facts.dataset.num_images), _exposures(facts, config)
    value = min(MOST_REPEATS, max(1, floor(wanted / number + 0.5)))
    batch = config.schedule.batch_size * config.schedule.gradient_accumulation
    if facts.dataset.folders and all(folder.repeats is not None for folder in facts.dataset.folders):
        return Advice(value, "every folder's own name tells its repeats; this is for pictures that may join them")
    if number <= REPEATED_FOR_BATCH and value < batch:
        return Advice(batch, f"{counted(number, 'picture')}: {batch} times each, so that every bucket fills a step")
    product = f"{counted(number, 'picture')} x {value} = {counted(number * value, 'exposure')} an epoch"
    if value == MOST_REPEATS and number * value < wanted:
        return Advice(value, f"{product}; more repeats of so few would only make epochs coarse")
    if value == 1:
        return Advice(value, f"{product}: enough pictures to show each once")
    return Advice(value, f"{product}, near {wanted}")


def _exposures(facts: Facts, config: TrainingConfig) -> int:
    return CPU_EXPOSURES if facts.gpu is None else defaults_for(config).exposures


@rule(sets="schedule.epochs", source=OURS)
def epochs(facts: Facts, config: TrainingConfig) -> Advice:
    """Ten; more where these give under 1,500 steps on a card, fewer where they give over 3,000."""
    each, (fewest, most) = steps_per_epoch(facts, config), _steps_however_split(facts, config)
    if most * EPOCHS > MOST_STEPS:
        value = max(1, MOST_STEPS // most)
        why = f"ten epochs would give {each * EPOCHS:,}, and most burn before"
    elif fewest * EPOCHS < LEAST_STEPS and facts.gpu is not None:
        value = max(1, min(-(-LEAST_STEPS // fewest), MOST_STEPS // most, MOST_EPOCHS))
        why = f"ten epochs would give {each * EPOCHS:,}, and most take {LEAST_STEPS:,} to {MOST_STEPS:,}"
        if value == MOST_EPOCHS:
            why = "so few pictures burn before the usual steps: look at the early epochs too"
    elif facts.gpu is None:
        value, why = EPOCHS, "kept short for a processor: expect a weak LoRA; twice the epochs take twice as long"
    else:
        value, why = EPOCHS, "each epoch is kept: the more, the finer you can choose"
    return Advice(value, f"{value} x {each:,} = {value * each:,} steps; {why}")


def _steps_however_split(facts: Facts, config: TrainingConfig) -> tuple[int, int]:
    """Fewest and most optimizer steps of an epoch over all ways to split a step into batches.

    Single pictures fill every step; whole batches leave each bucket's last one short.
    """
    counts, together = epoch_counts(facts, config), config.schedule.batch_size * config.schedule.gradient_accumulation
    return max(1, -(-sum(counts.values()) // together)), max(1, batches_per_epoch(counts, together))


@rule(sets="schedule.max_steps", source=OURS)
def max_steps(facts: Facts, config: TrainingConfig) -> Advice:
    """No limit: the epochs end it."""
    total = steps_per_epoch(facts, config) * config.schedule.epochs
    return Advice(
        0, f"no limit: {counted(config.schedule.epochs, 'epoch')} end it after {total:,} steps", origin="default"
    )


@rule(sets="schedule.name", source=OURS)
def schedule_name(_: Facts, config: TrainingConfig) -> Advice:
    """cosine; constant for optimizers that schedule themselves."""
    own = optimizer_defaults(config)
    if own.why_schedule:
        return Advice(own.schedule, own.why_schedule, own.source)
    gentle = "falls gently to 0, so that the last epochs polish instead of burning"
    if config.model.lineage == "pony":
        return Advice(own.schedule, f"{gentle}; what civitai trains Pony with", CIVITAI)
    return Advice(own.schedule, f"{gentle}; ours, not the tutorial's")


@rule(sets="schedule.warmup_share", source=COLAB)
def warmup_share(facts: Facts, config: TrainingConfig) -> Advice:
    """0.05 of all steps; 0 where the rate is constant, or the optimizer finds its own."""
    own = optimizer_defaults(config)
    if config.schedule.name == "constant":
        return Advice(0.0, "a constant rate has no warm-up; kohya's trainer calls it an error", SD_SCRIPTS)
    if config.schedule.name == "adafactor":
        return Advice(0.0, "Adafactor's own schedule warms up by itself", SD_SCRIPTS)
    if not own.warmup_share:
        return Advice(0.0, f"{own.title} starts small by itself", own.source)
    total = total_steps(facts, config)
    warm = int(total * own.warmup_share)
    easy = f"the first {warm:,} of {total:,} steps go easy, while the optimizer finds its footing"
    return Advice(own.warmup_share, easy, defaults_for(config).notebook)


@rule(sets="schedule.warmup_steps", source=COLAB)
def warmup_steps(_: Facts, config: TrainingConfig) -> Advice:
    """0: `schedule.warmup_share` says it."""
    percent = config.schedule.warmup_share * 100
    return Advice(0, f"the share of {percent:g} % says it, and goes along when epochs change", origin="default")


@rule(sets="loss.min_snr_gamma", source=MIN_SNR)
def min_snr_gamma(_: Facts, config: TrainingConfig) -> Advice:
    """5, but for Pony."""
    value = defaults_for(config).min_snr_gamma
    if value == 0:
        return Advice(0.0, "off: civitai trains Pony without it", CIVITAI)
    counts = "nearly clean pictures count less, so that shapes are learned before grain"
    if config.model.prediction == "v_prediction":
        counts = "the middle of the noise counts most, very clean and very noisy pictures less"
    return Advice(value, f"{counts}; ours, not the tutorial's")


@rule(sets="loss.noise_offset", source=OURS)
def noise_offset(_: Facts, config: TrainingConfig) -> Advice:
    """The table's; 0 leaves brightness as the base has it, and where the schedule ends in pure noise."""
    value, title = defaults_for(config).noise_offset, defaults_for(config).title
    if config.loss.zero_terminal_snr:
        return Advice(
            0.0, "none: this base draws dark and light pictures, as its schedule ends in pure noise", ZERO_SNR
        )
    if value == 0:
        return Advice(0.0, f"none for {title}: brightness stays as the base has it", OURS)
    if config.model.lineage == "pony":
        return Advice(
            value, "a touch, as civitai trains Pony: without it hardly anything very dark is learned", CIVITAI
        )
    return Advice(
        value, f"a touch: without it {title} bases hardly learn very dark or light pictures; civitai takes 0.1", OURS
    )


@rule(sets="optimizer.arguments", source=OURS)
def optimizer_arguments(facts: Facts, config: TrainingConfig) -> Advice:
    """Prodigy's as its authors advise; a warm-up of schedule-free's own; of other optimizers none."""
    own = optimizer_defaults(config)
    if own.has_own_warmup:
        warm = int(total_steps(facts, config) * WARMUP_SHARE)
        return Advice((f"warmup_steps={warm}",), "its page recommends a warm-up, which it makes by itself", own.source)
    if own.arguments:
        return Advice(own.arguments, own.why_arguments, own.source)
    return Advice((), "nothing beyond what stands above", origin="default")


def steps_per_epoch(facts: Facts, config: TrainingConfig) -> int:
    """Optimizer steps of one epoch."""
    batches = batches_per_epoch(epoch_counts(facts, config), config.schedule.batch_size)
    return max(1, -(-batches // config.schedule.gradient_accumulation))


def epoch_counts(facts: Facts, config: TrainingConfig) -> Counter[Size]:
    """Showings in each bucket in one epoch.

    Which pictures are held out, and which sizes regularization pictures have, is only known to the training: here each
    bucket gives its share of those, and gets as many of these as it has.
    """
    counts = bucket_counts(facts.dataset.sizes, config.dataset, folder_repeats(facts, config))
    share, held_out = config.validation.share, 0.0
    if 0 < share < 1 and facts.dataset.num_images > 1:
        number = facts.dataset.num_images
        held_out = min(number - 1, num_held_out(number, share)) / number
    times = (2 if config.dataset.regularization_images else 1) * (1 - held_out)
    return Counter({size: max(1, floor(count * times + 0.5)) for size, count in counts.items()})


def folder_repeats(facts: Facts, config: TrainingConfig) -> tuple[int, ...]:
    """Repeats by folder index."""
    return repeats_of_folders(facts.dataset.folders, config.dataset)


def total_steps(facts: Facts, config: TrainingConfig) -> int:
    """Optimizer steps of the whole training."""
    total = steps_per_epoch(facts, config) * config.schedule.epochs
    return min(total, config.schedule.max_steps) if config.schedule.max_steps else total


def epochs_ended(facts: Facts, config: TrainingConfig) -> int:
    """Epochs that come to their end: `max_steps` may leave the last ones out."""
    return total_steps(facts, config) // steps_per_epoch(facts, config)


RULES = (
    repeats, epochs, max_steps, schedule_name, warmup_share, warmup_steps, optimizer_arguments,
    off_for_flow(min_snr_gamma, 0.0, NO_SNR), off_for_flow(noise_offset, 0.0, NO_OFFSET),
)  # fmt: skip
"""Repeats need the batch, epochs the repeats."""
