"""Import of the optimizer with its arguments, and of the learning rates."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any

from templates.importing.ledger import Ledger
from templates.importing.readers import flag, number, numbers, says_nothing, text
from templates.kohya.words import FIXED_ADAFACTOR, OPTIMIZERS
from templates.vocabulary import Vocabulary


def settle_optimizer(
    ledger: Ledger, key: str, args_key: str, *, schedule: str | None, words: Vocabulary = OPTIMIZERS
) -> str | None:
    """The optimizer and its arguments; its name with us."""
    name = _optimizer(ledger, key, words)
    raw = ledger.raw(args_key)
    if says_nothing(raw) or raw == []:
        ledger.idle(args_key) if raw is not None else None
        return name
    rest, decay = [], None
    fixed = FIXED_ADAFACTOR if name == "adafactor" and schedule != "adafactor" else ()
    for item in argument_items(raw):
        if item.startswith("weight_decay="):
            decay = item.partition("=")[2]
        elif not re.fullmatch(r"[A-Za-z_]\w*=\S+", item):
            ledger.contradict(args_key, f"{item[:40]!r} is not name=value, so it is left out")
        elif item not in fixed:
            rest.append(item)
    if decay is not None:
        try:
            ledger.settle(args_key, "optimizer.weight_decay", number(decay), "one of the optimizer's arguments")
        except ValueError as error:
            ledger.contradict(args_key, f"weight_decay is {error}, so it is left out")
    if fixed and not any(item in FIXED_ADAFACTOR[1] for item in argument_items(raw)):
        ledger.contradict(args_key, "kohya would let Adafactor choose its own rate; with us the rate given counts")
    ledger.settle(args_key, "optimizer.arguments", rest)
    return name


def _optimizer(ledger: Ledger, key: str, words: Vocabulary) -> str | None:
    given = ledger.read(key, text)
    if given is None:
        return None
    if (name := words.ours(given)) is not None:
        ledger.settle(key, "optimizer.name", name)
        return name
    near = words.nearest(given)
    if near is None:
        ledger.contradict(key, "we have no such optimizer, and none that is near it")
        return None
    ledger.settle(key, "optimizer.name", near, f"we have no {given[:40]}; {near} is the nearest")
    return near


def argument_items(raw: Any) -> tuple[str, ...]:
    """`name=value` items of a list or a text; quotes are stripped, as kohya does."""
    parts: Iterable[Any] = raw if isinstance(raw, list | tuple) else str(raw).split()
    cleaned = (str(part).replace('"', "").replace("'", "").strip() for part in list(parts)[:200])
    return tuple("=".join(side.strip() for side in part.split("=")) for part in cleaned if part)


def settle_learning_rates(ledger: Ledger, usual: Mapping[str, Any], *, is_gui: bool) -> None:
    """The three rates, each of which may follow from another.

    Args:
        usual: settings by path where a file says nothing.
        is_gui: the file stands for the GUI's whole form: a rate that it leaves out is that of the form, and 0 is none.
    """
    rate = rate_of(ledger, "learning_rate", "optimizer.learning_rate")
    rate = usual["optimizer.learning_rate"] if rate is None else rate
    found = []
    for key, path in (
        ("unet_lr", "optimizer.unet_learning_rate"),
        ("text_encoder_lr", "optimizer.text_encoder_learning_rate"),
    ):
        own = rate_of(ledger, key, path)
        if own is None and is_gui:
            own = usual[path] if ledger.raw(ledger.effective_key(key)) is None else 0.0
        found.append(own)
    _settle_rates(ledger, rate, *found, is_gui=is_gui)


def _settle_rates(ledger: Ledger, rate: float, unet: float | None, text_encoder: float | None, *, is_gui: bool) -> None:
    """The three rates, each with its trap: left out, or all 0."""
    unet_only = ledger.effective_key("network_train_unet_only")
    text_only = ledger.effective_key("network_train_text_encoder_only")
    unet, text_encoder = rate if unet is None else unet, rate if text_encoder is None else text_encoder
    if is_gui and unet == 0 and text_encoder == 0 and rate:
        ledger.contradict("unet_lr", f"both rates are 0, which kohya drops, and trains at {rate:g}: so it is taken")
        unet = text_encoder = rate
    if ledger.read(unet_only, flag, False):
        text_encoder = 0.0
        ledger.translate(unet_only, "the text encoder's rate is 0")
    if ledger.read(text_only, flag, False):
        unet = 0.0
        ledger.translate(text_only, "the U-Net's rate is 0")
    for path, value in (
        ("learning_rate", rate),
        ("unet_learning_rate", unet),
        ("text_encoder_learning_rate", text_encoder),
    ):
        ledger.imply(f"optimizer.{path}", value)


def rate_of(ledger: Ledger, key: str, path: str) -> float | None:
    """A rate, with its line; of a list of rates the first."""
    key = ledger.effective_key(key)
    found = ledger.read(key, numbers)
    if not found:
        return None
    several = len(set(found)) > 1
    ledger.settle(key, path, found[0], "the first of several, which are not all alike" if several else "")
    value = ledger.settings.get(path)
    return value if isinstance(value, float) else None
