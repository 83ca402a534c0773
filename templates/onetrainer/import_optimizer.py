"""Import of the optimizer with its arguments, of the learning rates and of the schedule."""

from __future__ import annotations

from templates.importing.ledger import Key, Ledger
from templates.importing.readers import flag, number, text
from templates.onetrainer.defaults import DEFAULTS
from templates.onetrainer.words import (
    BETAS,
    FIXED_ADAFACTOR,
    FLAG_ARGUMENTS,
    NUMBER_ARGUMENTS,
    OPTIMIZERS,
    SCHEDULES,
)


def settle_optimizer(ledger: Ledger, family: str) -> None:
    """The optimizer, and the rate of each part; one that is not trained has a rate of 0."""
    name_key = "optimizer.optimizer" if ledger.has("optimizer.optimizer") else "optimizer"
    given = ledger.read(name_key, text)
    if given is not None:
        name = OPTIMIZERS.ours(given)
        near = name or OPTIMIZERS.nearest(given)
        if near is None:
            ledger.contradict(name_key, "we have no such optimizer, and none that is near it")
        else:
            ledger.settle(name_key, "optimizer.name", near, "" if name else f"{near} is the nearest")
    if ledger.has("optimizer.weight_decay"):
        ledger.take("optimizer.weight_decay", Key("optimizer.weight_decay", number))
    _settle_arguments(ledger)
    rate = ledger.read("learning_rate", number, 3e-6)
    if ledger.has("learning_rate"):
        ledger.settle("learning_rate", "optimizer.learning_rate", rate)
    for part, path in (
        ("unet", "optimizer.unet_learning_rate"),
        ("text_encoder", "optimizer.text_encoder_learning_rate"),
    ):
        own = ledger.read(f"{part}.learning_rate", number)
        trains = ledger.read(f"{part}.train", flag, True)
        if ledger.has(f"{part}.learning_rate"):
            ledger.settle(f"{part}.learning_rate", path, own)
        if ledger.has(f"{part}.train"):
            ledger.translate(f"{part}.train", "trained" if trains else "not trained: its rate is 0")
        ledger.imply(path, 0.0 if not trains else rate if own is None else own)
    if family == "sdxl":
        _settle_second_encoder(ledger)
    clip = "clip_grad_norm"
    if clip in ledger.all_keys(clip) and not ledger.has(clip):
        ledger.imply("optimizer.max_grad_norm", 0.0)
        ledger.translate(clip, "nothing: gradients are not shortened")


def _settle_second_encoder(ledger: Ledger) -> None:
    """Both text encoders have one rate with us: that of the first."""
    key = "text_encoder_2.train"
    first = ledger.read("text_encoder.train", flag, True)
    if ledger.read(key, flag, True) == first:
        return
    note = "both text encoders are trained alike with us: as the first"
    if ledger.has(key):
        ledger.contradict(key, note)
    else:
        ledger.contradict("text_encoder.train", "the second one, of which nothing is said, is trained there; " + note)


def _settle_arguments(ledger: Ledger) -> None:
    """Fine points of the optimizer, as arguments."""
    found = []
    betas = [ledger.read(f"optimizer.{name}", number) for name in BETAS]
    if betas[0] is not None and betas[1] is not None:
        given = [f"{beta:g}" if float(f"{beta:g}") == beta else repr(beta) for beta in betas if beta is not None]
        found.append(("optimizer.beta1", f"betas={','.join(given)}"))
        for name in BETAS[1:]:
            ledger.idle(f"optimizer.{name}", "with the first")
    numbers = {name: ledger.read(f"optimizer.{name}", number) for name in NUMBER_ARGUMENTS}
    found.extend((f"optimizer.{name}", f"{name}={value!r}") for name, value in numbers.items() if value is not None)
    is_adafactor = ledger.settings.get("optimizer.name") == "adafactor"
    for name in FLAG_ARGUMENTS:
        value = ledger.read(f"optimizer.{name}", flag, False)
        if value and not (is_adafactor and name in FIXED_ADAFACTOR):
            found.append((f"optimizer.{name}", f"{name}=True"))
    for key, _ in found:
        ledger.translate(key, "one of optimizer.arguments")
    if found:
        ledger.imply("optimizer.arguments", [item for _, item in found])


def settle_schedule(ledger: Ledger) -> None:
    """How the rate moves, and its warm-up."""
    given = ledger.read("learning_rate_scheduler", text)
    warmup = ledger.read("learning_rate_warmup_steps", number)
    least = ledger.read("learning_rate_min_factor", number, 0.0)
    if given is None and (warmup is None or warmup > 0):
        ledger.imply("schedule.name", "constant_with_warmup")
    elif given is None:
        ledger.imply("schedule.name", "constant")
    else:
        known = SCHEDULES.ours(given)
        name = known or SCHEDULES.nearest(given)
        if name == "constant" and (warmup is None or warmup > 0):
            name = "constant_with_warmup"
        if name == "cosine" and least:
            name = "cosine_with_min_lr"
        ledger.settle("learning_rate_scheduler", "schedule.name", name, "" if known else f"{name} is the nearest")
    if least and ledger.settings.get("schedule.name") == "cosine_with_min_lr":
        ledger.settle("learning_rate_min_factor", "schedule.min_rate", least)
    elif least:
        ledger.drop("learning_rate_min_factor", "our schedule of that name goes down to 0")
    accumulation = int(ledger.settings.get("schedule.gradient_accumulation", 1))
    if warmup is None:
        ledger.imply("schedule.warmup_steps", DEFAULTS["schedule.warmup_steps"] // accumulation)
        return
    if warmup > 1:
        note = "it counts batches, we count steps" if accumulation > 1 else ""
        ledger.settle("learning_rate_warmup_steps", "schedule.warmup_steps", int(warmup / accumulation), note)
    elif warmup > 0:
        ledger.settle(
            "learning_rate_warmup_steps", "schedule.warmup_share", warmup, "up to 1 it is a share of the steps"
        )
        ledger.imply("schedule.warmup_steps", 0)
    else:
        ledger.settle("learning_rate_warmup_steps", "schedule.warmup_steps", 0)
