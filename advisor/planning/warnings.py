"""What the user should hear before training: each warning with a stable code."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from math import log2

from advisor.adapters.start import start_of
from advisor.facts import Facts
from advisor.plan import Estimate, PlanWarning
from advisor.planning.bucket_warnings import bucket_warnings
from advisor.planning.caption_warnings import caption_warnings
from advisor.planning.image_warnings import image_warnings
from advisor.rules.card_class import structure_of
from advisor.rules.choices import Choice
from advisor.rules.defaults_table import defaults_for
from advisor.rules.fitting import Fit, fit
from advisor.rules.optimizers import optimizer_defaults
from advisor.rules.schedule import MOST_STEPS, epoch_counts
from advisor.settings.config import TrainingConfig, changed
from advisor.units import GIB, gib, rate

MANY_STEPS, FEW_STEPS = MOST_STEPS, 500
"""Outside of these a character is rarely learned well."""

MANY_HOURS = 12
"""More than a night."""

PHASES = {
    "reading": ("reading the captions", "close other programs, or train on a card with more memory"),
    "caching": ("encoding the pictures", "close other programs, or choose a lower resolution"),
    "sampling": (
        "drawing samples",
        "close other programs, clear sampling.prompts and draw with the finished LoRA, or take memory.base_dtype=int8",
    ),
}
"""What a phase does, and the mend where it does not fit."""

Findings = Iterator[PlanWarning]


def plan_warnings(
    facts: Facts, config: TrainingConfig, outlook: Estimate, fitted: Fit | None = None
) -> tuple[PlanWarning, ...]:
    """All warnings, the gravest first.

    Args:
        fitted: the plan's fit into memory; None: the configuration was not made by the rules.
    """
    found = [warning for check in CHECKS for warning in check(facts, config)]
    memory = (*_memory(facts, outlook), *_phases(facts, outlook), *_bitsandbytes(facts, config, fitted))
    return (*memory, *found, *_ram(facts, outlook), *_steps(facts, outlook), *_disk(facts, outlook))


def _memory(facts: Facts, outlook: Estimate) -> Findings:
    gpu = facts.gpu
    free = facts.hardware.ram_free_bytes if gpu is None else gpu.free_bytes
    if outlook.vram_bytes <= free:
        return
    where = f"{gpu.name} has" if gpu else "this machine has"
    mend = "close other programs, or choose a lower resolution, rank or batch"
    on_windows = ": Windows would not stop but spill into system memory, and a step take minutes"
    spill = on_windows if gpu and facts.hardware.system == "Windows" else ""
    yield PlanWarning(
        "does_not_fit", f"about {gib(outlook.vram_bytes)} are needed, and {where} {gib(free)} free{spill}; {mend}"
    )


def _phases(facts: Facts, outlook: Estimate) -> Findings:
    """What is done beside steps, where that alone does not fit."""
    if outlook.vram_bytes > facts.free_bytes:
        return
    for phase, needed in outlook.phase_bytes.items():
        if needed > facts.free_bytes:
            what, mend = PHASES[phase]
            finding = f"steps fit, but {what} needs about {gib(needed)}, and {gib(facts.free_bytes)} are free"
            yield PlanWarning(f"{phase}_does_not_fit", f"{finding}: {mend}")


def _bitsandbytes(facts: Facts, config: TrainingConfig, fitted: Fit | None) -> Findings:
    """Where the 8-bit optimizer would spare the plan a greater harm, and the package is missing."""
    gpu, hardware = facts.gpu, facts.hardware
    if gpu is None or not gpu.is_tested or hardware.has_bitsandbytes or "optimizer.name" in facts.chosen_paths:
        return
    if "sampling.prompts" not in facts.chosen_paths:  # a plan is fitted before any are proposed
        config = changed(config, "sampling.prompts", ())
    now = fitted or fit(facts, config)
    then = fit(replace(facts, hardware=replace(hardware, has_bitsandbytes=True)), config)
    if then.choice.optimizer != "adamw8bit" or not then.fits:
        return
    spared = "it would not fit at all" if not now.fits else _spared(now.choice, then.choice)
    if spared:
        yield PlanWarning(
            "bitsandbytes_would_help",
            f'without the 8-bit optimizer {spared}: `pip install "loracle[bitsandbytes]"` and plan again',
        )


def _spared(now: Choice, then: Choice) -> str:
    """What a plan gives up that another does not; empty where it gives up nothing."""
    if then.resolution_px > now.resolution_px:
        return f"pictures are only {now.resolution_px} px instead of {then.resolution_px}"
    if now.base_dtype and not then.base_dtype:
        return f"the base model has to be in {now.base_dtype}"
    return ""


def _ram(facts: Facts, outlook: Estimate) -> Findings:
    """The machine's own memory; on a processor it is what `_memory` looks at, unless loading takes more."""
    free = facts.hardware.ram_free_bytes
    if outlook.ram_bytes <= free or (facts.gpu is None and outlook.vram_bytes > free):
        return
    finding = f"about {gib(outlook.ram_bytes)} of the machine's memory (RAM) are needed, and {gib(free)} are free"
    yield PlanWarning(
        "ram_short",
        f"{finding}: close other programs, or the system may end the training while the base model is loaded",
    )


def _machine(facts: Facts, config: TrainingConfig) -> Findings:
    gpu = facts.gpu
    if gpu is None:
        why = "as you chose" if facts.hardware.gpus else "none is found, and `loracle doctor` tells why"
        yield PlanWarning("cpu_training", f"no card is used ({why}): on the processor it takes many times as long")
    elif not gpu.is_tested:
        yield PlanWarning(
            "untested_card", f"{gpu.name} is no NVIDIA card: it trains where torch runs it, untested by us"
        )
    dtype, fastest = config.memory.compute_dtype, facts.hardware.processor_dtype
    if gpu is None and dtype not in ("float32", fastest):
        yield PlanWarning(
            "slow_half_precision",
            f"this processor does not compute {dtype} in hardware and is hundreds of times slower in it: use {fastest}",
        )
    if gpu and config.memory.compute_dtype == "float16" and gpu.has_broken_fp16:
        yield PlanWarning("float16_gives_nan", f"{gpu.name} gives NaN in float16: use float32")
    if gpu and gpu.vendor == "nvidia" and config.memory.compute_dtype == "bfloat16" and not gpu.has_bf16:
        yield PlanWarning("no_bfloat16", f"{gpu.name} has no fast bfloat16: float16 suits it")
    if config.optimizer.name == "adamw8bit" and not facts.hardware.has_bitsandbytes:
        yield PlanWarning(
            "no_bitsandbytes", 'adamw8bit needs bitsandbytes, not installed here: `pip install "loracle[bitsandbytes]"`'
        )


def _base_model(facts: Facts, config: TrainingConfig) -> Findings:
    model = facts.model
    if not model.trainable:
        reason = model.why_not or f"Loracle does not train {model.family} yet"
        yield PlanWarning("not_trainable_yet", f"{reason}. The plan can still be exported to other trainers")
    if model.prediction is not None and config.model.prediction != model.prediction:
        found = f"the base predicts {model.prediction} ({model.prediction_reason or 'by its header'})"
        yield PlanWarning(
            "prediction_mismatch", f"{found}: trained as {config.model.prediction} its pictures come out empty"
        )
    if model.prediction is None and (model.family == "sd2" or config.model.lineage == "noobai"):
        finding = f"the file does not tell its prediction type; {config.model.prediction} is assumed"
        yield PlanWarning("prediction_unknown", f"{finding}: set model.prediction if its page says otherwise")
    if config.loss.zero_terminal_snr and config.model.prediction == "epsilon":
        yield PlanWarning(
            "zero_snr_needs_v", "zero terminal SNR needs v-prediction: from pure noise no noise can be told"
        )
    for note in model.notes:
        yield PlanWarning("model_note", note)


def _images(facts: Facts, config: TrainingConfig) -> Findings:
    yield from image_warnings(facts.dataset, config)


def _captions(facts: Facts, config: TrainingConfig) -> Findings:
    yield from caption_warnings(facts.dataset, config)


def _settings(_: Facts, config: TrainingConfig) -> Findings:
    alpha, side, rates = config.network.alpha, config.dataset.resolution_px, config.optimizer
    if alpha > 0 and log2(alpha) % 1:
        finding = f"alpha {alpha:g} is no power of two; the tutorial stays with 8, 16, 32, 64 and 128"
        yield PlanWarning("alpha_not_power_of_two", finding)
    highest = defaults_for(config).highest_px
    if highest is not None and side > highest:
        finding = f"{side} px: above {highest} it takes a lot of memory, and may give odd pictures"
        yield PlanWarning("high_resolution", finding)
    if config.network.kind == "dora" and config.network.dora_axis == "output":
        yield PlanWarning(
            "dora_axis_output",
            "DoRA with lengths by output is drawn wrongly by A1111 and InvokeAI (even where it learned nothing) and a "
            "little too strongly by ComfyUI and Forge; network.dora_axis=input is right in all of them and in SD.Next",
        )
    yield from _rate_of_another_optimizer(config)
    if rates.unet_learning_rate == 0 and rates.text_encoder_learning_rate == 0:
        yield PlanWarning("nothing_trained", "all learning rates are 0: the training runs and nothing changes")


def _start(facts: Facts, config: TrainingConfig) -> Findings:
    """What of the LoRA that is gone on from does not arrive as it was."""
    if facts.start is not None:
        for note in start_of(facts.start, config, structure_of(facts)).notes():
            yield PlanWarning("start_from", note)


def _rate_of_another_optimizer(config: TrainingConfig) -> Findings:
    own, value = optimizer_defaults(config), config.optimizer.unet_learning_rate
    least, most = own.rates
    if value and not least <= value <= most:
        usual = (
            f"{own.title} takes {own.rate:g}"
            if own.rate
            else f"with {own.title} {rate(least)} to {rate(most)} makes sense"
        )
        yield PlanWarning("rate_of_another_optimizer", f"the rate {rate(value)} belongs to another optimizer: {usual}")


def _buckets(facts: Facts, config: TrainingConfig) -> Findings:
    yield from bucket_warnings(epoch_counts(facts, config), config.schedule.batch_size)


def _steps(facts: Facts, outlook: Estimate) -> Findings:
    if outlook.steps > MANY_STEPS:
        finding = f"{outlook.steps:,} steps: most characters are learned after 1,500 to 3,000, and burn in time"
        yield PlanWarning("many_steps", f"{finding}; an earlier epoch will be the better one")
    if facts.gpu is not None and (outlook.seconds or 0) > MANY_HOURS * 3600:
        hours = f"about {(outlook.seconds or 0) / 3600:.0f} hours on {facts.gpu.name}"
        mend = "a smaller base (SD1.x), fewer epochs or a rented card take less"
        yield PlanWarning("long_training", f"{hours}: {mend}; Ctrl-C saves, and --resume goes on")
    if outlook.steps < FEW_STEPS and facts.gpu is not None:
        yield PlanWarning(
            "few_steps", f"{outlook.steps:,} steps may be too few to learn from: more repeats or epochs help"
        )


def _disk(facts: Facts, outlook: Estimate) -> Findings:
    free = facts.hardware.disk_free_bytes
    if outlook.disk_bytes + GIB // 4 > free:
        finding = f"about {gib(outlook.disk_bytes)} will be written, and {gib(free)} are free"
        yield PlanWarning("disk_space", f"{finding}: free some, keep fewer epochs, or choose another disk")


CHECKS: tuple[Callable[[Facts, TrainingConfig], Findings], ...] = (
    _machine, _base_model, _images, _captions, _settings, _start, _buckets,
)  # fmt: skip
"""In the order of the warnings."""
