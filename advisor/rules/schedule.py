"""How long is trained: as many steps as possible without burning, every epoch kept to choose from."""

from __future__ import annotations

from collections import Counter
from math import floor

from advisor.dataset.buckets import Size, batches_per_epoch, bucket_counts, num_held_out, repeats_of_folders
from advisor.facts import Facts
from advisor.rules.defaults_table import defaults_for
from advisor.rules.rule import Advice, rule
from advisor.rules.sources import CIVITAI, MIN_SNR, NOISE_OFFSET, OURS, TUTORIAL
from advisor.settings.config import TrainingConfig
from advisor.units import counted

CPU_EXPOSURES = 100
"""Pictures times repeats in an epoch on a processor, where a step takes seconds."""

MOST_REPEATS = 30
"""More of the same few pictures in one epoch only makes epochs coarse."""

REPEATED_FOR_BATCH = 100
"""Up to here repeats are raised to the batch, so that every bucket fills one."""

EPOCHS, MOST_EPOCHS, WANTED_STEPS = 10, 20, 1000
"""Ten epochs, more up to twenty where they give fewer steps than a character needs."""

WARMUP_SHARE = 0.05
"""Of all steps; the rate rises over them."""


@rule(sets="dataset.repeats", source=OURS)
def repeats(facts: Facts, config: TrainingConfig) -> Advice:
    """So many that an epoch has the table's exposures, and each bucket fills a batch."""
    number, wanted = max(1, facts.dataset.num_images), _exposures(facts, config)
    value = min(MOST_REPEATS, max(1, floor(wanted / number + 0.5)))
    batch = config.schedule.batch_size
    if facts.dataset.folders and all(folder.repeats is not None for folder in facts.dataset.folders):
        return Advice(value, "every folder's own name tells its repeats; this is for pictures that may join them")
    if number <= REPEATED_FOR_BATCH and value < batch:
        return Advice(
            batch, f"{counted(number, 'picture')}: {batch} times each, so that every bucket fills a batch", TUTORIAL
        )
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
    """Ten; more, to twenty, where these give under a thousand steps on a card."""
    each = steps_per_epoch(facts, config)
    if facts.gpu is None or each * EPOCHS >= WANTED_STEPS:
        reason = f"{EPOCHS} x {each:,} = {each * EPOCHS:,} steps, each epoch kept: the more, the finer you can choose"
        return Advice(EPOCHS, reason)
    value = min(MOST_EPOCHS, -(-WANTED_STEPS // each))
    reason = f"{value} x {each:,} = {value * each:,} steps; ten epochs would give {each * EPOCHS:,}, too few to learn"
    return Advice(value, reason)


@rule(sets="schedule.max_steps", source=OURS)
def max_steps(facts: Facts, config: TrainingConfig) -> Advice:
    """No limit: the epochs end it."""
    total = steps_per_epoch(facts, config) * config.schedule.epochs
    return Advice(
        0, f"no limit: {counted(config.schedule.epochs, 'epoch')} end it after {total:,} steps", origin="default"
    )


@rule(sets="schedule.name", source=CIVITAI)
def schedule_name(_: Facts, config: TrainingConfig) -> Advice:
    """cosine; constant for optimizers that schedule themselves."""
    if config.optimizer.name == "schedule_free_adamw":
        return Advice("constant", "this optimizer averages its own steps; a falling rate would undo that")
    if config.optimizer.name == "prodigy":
        return Advice("constant", "Prodigy finds its rate from a steady one")
    return Advice(
        "cosine", "falls gently to 0, so that the last epochs polish instead of burning; ours, not the tutorial's"
    )


@rule(sets="schedule.warmup_share", source=CIVITAI)
def warmup_share(facts: Facts, config: TrainingConfig) -> Advice:
    """0.05 of all steps; 0 where the rate is constant."""
    if config.schedule.name == "constant":
        return Advice(0.0, "a constant rate has no warm-up; kohya's trainer calls it an error")
    total = total_steps(facts, config)
    warm = int(total * WARMUP_SHARE)
    return Advice(WARMUP_SHARE, f"the first {warm:,} of {total:,} steps go easy, while the optimizer finds its footing")


@rule(sets="schedule.warmup_steps", source=CIVITAI)
def warmup_steps(_: Facts, config: TrainingConfig) -> Advice:
    """0: `schedule.warmup_share` says it."""
    percent = config.schedule.warmup_share * 100
    return Advice(0, f"the share of {percent:g} % says it, and goes along when epochs change", origin="default")


@rule(sets="loss.min_snr_gamma", source=MIN_SNR)
def min_snr_gamma(_: Facts, config: TrainingConfig) -> Advice:
    """5, but for Pony."""
    value = defaults_for(config).min_snr_gamma
    if value == 0:
        return Advice(0.0, f"off: {defaults_for(config).title} bases are trained without it")
    return Advice(
        value, "nearly clean pictures count less, so that shapes are learned before grain; ours, not the tutorial's"
    )


@rule(sets="loss.noise_offset", source=NOISE_OFFSET)
def noise_offset(_: Facts, config: TrainingConfig) -> Advice:
    """The table's; 0 leaves brightness as the base has it."""
    value, title = defaults_for(config).noise_offset, defaults_for(config).title
    if value == 0:
        return Advice(0.0, f"none for {title}: brightness stays as the base has it")
    return Advice(value, f"a touch: without it {title} bases learn neither very dark nor very light pictures")


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


RULES = (
    repeats, epochs, max_steps, schedule_name, warmup_share, warmup_steps, min_snr_gamma, noise_offset,
)  # fmt: skip
"""Repeats need the batch, epochs the repeats."""
