"""Import of how long a job of ai-toolkit trains, how its rate moves, and what it saves and draws on the way."""

from __future__ import annotations

import math

from templates.ai_toolkit.defaults import DEFAULTS
from templates.ai_toolkit.words import KEEP_ALL, LAST_TIMESTEP, SAMPLERS, SCHEDULES
from templates.importing.ledger import Ledger
from templates.importing.readers import flag, number, text, whole

SAMPLE_KEYS = (
    ("neg", "negative", text), ("seed", "seed", whole), ("guidance_scale", "guidance", number),
    ("sample_steps", "steps", whole),
)  # fmt: skip


def settle_length(ledger: Ledger, exposures: int | None) -> None:
    """Steps, schedule, saves and samples.

    Args:
        exposures: images times repeats; None where nobody knows.
    """
    batches = _settle_accumulation(ledger)
    _settle_steps(ledger, exposures, batches)
    _settle_samples(ledger, exposures, batches)


def _steps_of_epoch(ledger: Ledger, exposures: int | None) -> float | None:
    batch = int(ledger.settings.get("schedule.batch_size", 1))
    accumulation = int(ledger.settings.get("schedule.gradient_accumulation", 1))
    return exposures / batch / accumulation if exposures else None


def _settle_accumulation(ledger: Ledger) -> int:
    """Of its two kinds one counts each batch as a step; how many of its steps are one of ours."""
    key = "train.gradient_accumulation_steps"
    batches = ledger.read(key, whole, 1)
    if batches == -1:
        ledger.contradict(key, "a step for a whole epoch we do not have: each batch is one")
    elif ledger.has(key) and batches > 1:
        note = "each batch is a step there, so that so many of its steps are one of ours"
        ledger.settle(key, "schedule.gradient_accumulation", batches, note)
    else:
        ledger.idle(key)
    return int(max(1, batches))


def _read_steps(ledger: Ledger, key: str, batches: int) -> int:
    """A number of its steps as one of ours; 0 stays 0."""
    found = int(ledger.read(key, whole, 0))
    return max(1, found // batches) if found > 0 else found


def _settle_steps(ledger: Ledger, exposures: int | None, batches: int) -> None:
    """Steps; as epochs where they are just so many."""
    steps, epoch = _read_steps(ledger, "train.steps", batches), _steps_of_epoch(ledger, exposures)
    if not ledger.has("train.steps") and batches > 1:
        steps = DEFAULTS["schedule.max_steps"] // batches
        ledger.imply("schedule.max_steps", steps)
        ledger.imply("schedule.epochs", _epochs(steps, epoch))
        steps = 0
    of_batches = f"{batches} batches are one of our steps" if batches > 1 else ""
    if steps > 0:
        epochs = _epochs(steps, epoch)
        if epoch and math.ceil(epoch * epochs) == steps:
            ledger.settle("train.steps", "schedule.epochs", epochs, f"{steps} steps are so many epochs")
            ledger.imply("schedule.max_steps", 0)
        else:
            ledger.settle("train.steps", "schedule.max_steps", steps, of_batches)
            ledger.imply("schedule.epochs", epochs)
    _settle_schedule(ledger, batches)
    every = _read_steps(ledger, "save.save_every", batches)
    if every > 0 and every >= steps > 0:
        ledger.idle("save.save_every", "only the last is saved")
        ledger.imply("saving.every_epochs", 0)
    elif every > 0 and epoch and every % math.ceil(epoch) == 0:
        ledger.settle("save.save_every", "saving.every_epochs", every // math.ceil(epoch), "so many epochs")
    elif every > 0:
        ledger.settle("save.save_every", "saving.every_steps", every, of_batches)
        ledger.imply("saving.every_epochs", 0)
    if (kept := ledger.read("save.max_step_saves_to_keep", whole)) is not None:
        ledger.settle("save.max_step_saves_to_keep", "saving.keep_last", 0 if kept >= KEEP_ALL else kept,
                      "all" if kept >= KEEP_ALL else "")  # fmt: skip
    for key, path in (("max", "loss.min_timestep"), ("min", "loss.max_timestep")):
        name = f"train.{key}_denoising_steps"
        if (count := ledger.read(name, whole)) is not None:
            value = LAST_TIMESTEP - count if key == "max" else LAST_TIMESTEP + 1 - count
            ledger.settle(name, path, value, "they count from the noisiest down")


def _epochs(steps: int, epoch: float | None) -> int:
    if not epoch:
        return max(1, steps)
    below = max(1, math.floor(steps / epoch))
    return below if math.ceil(below * epoch) >= steps else below + 1


def _settle_schedule(ledger: Ledger, batches: int) -> None:
    given = ledger.read("train.lr_scheduler", text)
    if given is not None:
        known = SCHEDULES.ours(given)
        name = known or SCHEDULES.nearest(given)
        least = ledger.read("train.lr_scheduler_params.eta_min", number, 0.0)
        rate = ledger.settings.get("optimizer.learning_rate", 0.0)
        if name == "cosine" and least and rate:
            name = "cosine_with_min_lr"
            ledger.settle(
                "train.lr_scheduler_params.eta_min", "schedule.min_rate", float(f"{least / rate:.12g}"), "a share"
            )
        note = "" if known else "it is the nearest"
        ledger.settle("train.lr_scheduler", "schedule.name", name, note)
        if name == "linear" and ledger.read("train.lr_scheduler_params.end_factor", number, 1.0) != 0:
            ledger.contradict("train.lr_scheduler", "ai-toolkit's linear rises unless told to fall; ours falls")
    key = "train.lr_scheduler_params.num_warmup_steps"
    if (warmup := ledger.read(key, whole)) is not None:
        note = f"{batches} batches are one of our steps" if batches > 1 else ""
        ledger.settle(key, "schedule.warmup_steps", warmup // batches, note)
    for name in ("start_factor", "end_factor"):
        ledger.idle(f"train.lr_scheduler_params.{name}", "our linear falls to 0")


def _settle_samples(ledger: Ledger, exposures: int | None, batches: int) -> None:
    prompts = ledger.raw("sample.prompts")
    if not isinstance(prompts, list):
        prompts = [ledger.raw(key) for key in ledger.all_keys("sample.samples[") if key.endswith("].prompt")]
    texts = [prompt for prompt in prompts if isinstance(prompt, str) and prompt.strip()][:200]
    if not texts or ledger.read("train.disable_sampling", flag, False):
        for key in (*ledger.all_keys("sample."), "train.disable_sampling"):
            ledger.idle(key, "no samples are drawn")
        return
    key = "sample.prompts" if ledger.has("sample.prompts") else ledger.all_keys("sample.samples[")[0]
    ledger.settle(key, "sampling.prompts", texts, "" if key == "sample.prompts" else "in one list")
    for name, path, reader in SAMPLE_KEYS:
        value = ledger.read(f"sample.{name}", reader)
        if value is not None:
            ledger.settle(f"sample.{name}", f"sampling.{path}", value)
    epoch, every = _steps_of_epoch(ledger, exposures), _read_steps(ledger, "sample.sample_every", batches)
    if every > 0:
        epochs = max(1, round(every / math.ceil(epoch))) if epoch else 1
        ledger.settle("sample.sample_every", "sampling.every_epochs", epochs, "it counts steps, we count epochs")
    if (given := ledger.read("sample.sampler", text)) is not None:
        known = SAMPLERS.ours(given)
        sampler = known or SAMPLERS.nearest(given)
        ledger.settle("sample.sampler", "sampling.sampler", sampler, "" if known else "the nearest")
    for key in ledger.all_keys("sample."):
        if ledger.is_pending(key):
            ledger.idle(key, "samples are drawn alike with us")
