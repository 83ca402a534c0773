"""What kohya's keys mean together: optimizer and its arguments, rates, length, noise, saves, masks, resolution."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Mapping
from typing import Any

from templates.importing.ledger import Key, Ledger
from templates.importing.readers import flag, number, numbers, says_nothing, text, whole

FIXED_ADAFACTOR = ("scale_parameter=False", "relative_step=False", "warmup_init=False")
"""What sd-scripts needs to leave Adafactor the rate that was given; with us that is always so."""

OPTIMIZERS: Mapping[str, str] = {
    "adamw": "adamw", "adamw8bit": "adamw8bit", "adafactor": "adafactor", "prodigy": "prodigy", "lion": "lion",
    "came": "came", "pytorch_optimizer.came": "came", "adamwschedulefree": "schedule_free_adamw",
    "schedulefree.adamwschedulefree": "schedule_free_adamw", "schedule_free_adamw": "schedule_free_adamw",
    "torch.optim.adamw": "adamw", "torch.optim.adamw.adamw": "adamw", "bitsandbytes.optim.adamw.adamw8bit": "adamw8bit",
    "transformers.optimization.adafactor": "adafactor", "lion_pytorch.lion_pytorch.lion": "lion",
    "prodigyopt.prodigy.prodigy": "prodigy",
}  # fmt: skip

NEAR_OPTIMIZERS = (
    ("paged", "adamw8bit"), ("dadapt", "prodigy"), ("prodigy", "prodigy"), ("lion", "lion"), ("came", "came"),
    ("adafactor", "adafactor"), ("8bit", "adamw8bit"), ("adam", "adamw"),
)  # fmt: skip
"""The nearest that we have, by a part of the name."""

SCRIPTS_PROJECT = "network_train"
"""Where sd-scripts' LoRA training sends curves when no project is named."""

DECAYS = {"adamw": 0.01, "adamw8bit": 0.01}
"""Weight decay that an optimizer has where nothing is said; 0 for the others."""


def settle_optimizer(ledger: Ledger, key: str, args_key: str, *, schedule: str | None) -> str | None:
    """The optimizer and its arguments; its name with us."""
    name = _optimizer(ledger, key)
    raw = ledger.peek(args_key)
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


def _optimizer(ledger: Ledger, key: str) -> str | None:
    given = ledger.read(key, text)
    if given is None:
        return None
    word = given.lower()
    if word in OPTIMIZERS:
        ledger.settle(key, "optimizer.name", OPTIMIZERS[word])
        return OPTIMIZERS[word]
    near = next((ours for part, ours in NEAR_OPTIMIZERS if part in word), None)
    if near is None:
        ledger.contradict(key, "we have no such optimizer, and none that is near it")
        return None
    ledger.settle(key, "optimizer.name", near, f"we have no {given[:40]}; {near} is the nearest")
    return near


def argument_items(raw: Any) -> tuple[str, ...]:
    """`name=value` items of a list or a text; quotes are stripped, as kohya does."""
    parts: Iterable[Any] = raw if isinstance(raw, list | tuple) else str(raw).split()
    cleaned = (str(part).replace('"', "").replace("'", "").strip() for part in list(parts)[:200])
    return tuple(re.sub(r"\s*=\s*", "=", part) for part in cleaned if part)


def settle_rates(ledger: Ledger, rate: float, unet: float | None, text_encoder: float | None, *, is_gui: bool) -> None:
    """The three rates, each with its trap: left out, or all 0."""
    unet_only = ledger.spoken("network_train_unet_only")
    text_only = ledger.spoken("network_train_text_encoder_only")
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
    key = ledger.spoken(key)
    found = ledger.read(key, numbers)
    if not found:
        return None
    several = len(set(found)) > 1
    ledger.settle(key, path, found[0], "the first of several, which are not all alike" if several else "")
    value = ledger.settings.get(path)
    return value if isinstance(value, float) else None


def settle_noise(ledger: Ledger, *, multires: bool, offset: bool) -> None:
    """Noise offset and coarser noise, as far as kohya looks at each."""
    for key, path, reader, counts in (
        ("noise_offset", "loss.noise_offset", number, offset),
        ("adaptive_noise_scale", "loss.adaptive_noise_scale", number, offset),
        ("multires_noise_iterations", "loss.multires_iterations", whole, multires),
        ("multires_noise_discount", "loss.multires_discount", number, multires),
    ):
        name = ledger.spoken(key)
        value = ledger.read(name, reader)
        if value is None:
            continue
        if not counts and not name.startswith("--"):
            ledger.idle(name, "not looked at with this kind of noise offset")
        else:
            ledger.settle(name, path, value)


def settle_resolution(ledger: Ledger, key: str) -> None:
    """One side: of a rectangle the square of the same area."""
    name = ledger.spoken(key)
    sides = ledger.read(name, _sides)
    if not sides:
        return
    if len(set(sides)) == 1:
        odd = "x" in str(ledger.peek(name)).lower()
        ledger.settle(name, "dataset.resolution_px", sides[0], "kohya wants a comma between the sides" if odd else "")
        return
    side = max(64, round(math.sqrt(sides[0] * sides[1]) / 64) * 64)
    ledger.settle(name, "dataset.resolution_px", side, "a rectangle; the square of the same area is taken")


def _sides(raw: Any) -> tuple[int, ...]:
    if isinstance(raw, str):
        raw = re.sub(r"[()\[\] ]", "", raw.lower()).replace("x", ",").split(",")
    found = tuple(whole(part) for part in (raw if isinstance(raw, list) else [raw]) if not says_nothing(part))
    if not 1 <= len(found) <= 2 or min(found, default=0) < 1:
        raise ValueError("no width and height")
    return found


def settle_buckets(ledger: Ledger, *, default_upscale: bool | None) -> None:
    """Buckets; without them only the square."""
    enabled = ledger.read(name := ledger.spoken("enable_bucket"), flag, True)
    least, most = ledger.spoken("min_bucket_reso"), ledger.spoken("max_bucket_reso")
    if ledger.has(name):
        ledger.translate(name, "" if enabled else "no buckets: the square is the only size")
    if enabled:
        for key, path in ((least, "dataset.min_bucket_px"), (most, "dataset.max_bucket_px")):
            if (value := ledger.read(key, whole)) is not None:
                ledger.settle(key, path, value)
    else:
        side = ledger.settings.get("dataset.resolution_px", 512)
        for key, path in ((least, "dataset.min_bucket_px"), (most, "dataset.max_bucket_px")):
            ledger.imply(path, side)
            ledger.idle(key, "there are no buckets")
    name = ledger.spoken("bucket_no_upscale")
    if (fixed := ledger.read(name, flag)) is not None:
        ledger.settle(name, "dataset.bucket_upscale", not fixed, "turned round: kohya's key says no")
    elif default_upscale is not None:
        ledger.imply("dataset.bucket_upscale", default_upscale)


def settle_bucket_step(ledger: Ledger, key: str, family: str) -> None:
    """The step between buckets' sides, which sd-scripts takes in multiples only."""
    step, unit = ledger.read(key, whole), 32 if family == "sdxl" else 64
    if step is None:
        return
    if step > 0 and step % unit == 0:
        ledger.settle(key, "dataset.bucket_step_px", step)
        return
    ledger.correct(key, "dataset.bucket_step_px", 64, f"sd-scripts wants a multiple of {unit} here; 64 is taken")


def settle_keep_last(ledger: Ledger) -> None:
    """How many saves are kept: kohya counts epochs and steps, we count files."""
    epochs, steps = ledger.spoken("save_last_n_epochs"), ledger.spoken("save_last_n_steps")
    kept = ledger.read(epochs, whole, 0)
    if kept and ledger.settings.get("saving.every_epochs"):
        ledger.settle(epochs, "saving.keep_last", kept)
    every = ledger.settings.get("saving.every_steps", 0)
    last = ledger.read(steps, whole, 0)
    if last and every:
        number_kept = math.ceil(last / every)
        if "saving.keep_last" in ledger.settings and ledger.settings["saving.keep_last"] != number_kept:
            ledger.contradict(steps, "epochs and steps keep different numbers; that of the epochs counts")
            return
        ledger.settle(steps, "saving.keep_last", number_kept, f"{last} steps are {number_kept} files")


def settle_tracking(ledger: Ledger) -> None:
    """The project at Weights & Biases, where kohya sends its curves to one; a key is never taken over."""
    log, name = ledger.spoken("log_with"), ledger.spoken("log_tracker_name")
    is_ticked = ledger.has("use_wandb") and ledger.read("use_wandb", flag, False)
    if str(ledger.read(log, text, "")).lower() not in ("wandb", "all") and not is_ticked:
        return
    key = log if ledger.has(log) else "use_wandb"
    if ledger.has(name):
        ledger.take(name, Key("run.wandb_project", text))
        ledger.translate(key, "curves are sent to that project; here that needs `wandb login` too")
    else:
        ledger.settle(key, "run.wandb_project", SCRIPTS_PROJECT, "sd-scripts' own name for a project without one")


def settle_masks(ledger: Ledger) -> None:
    """Masks: from the pictures' alpha channel, or from files."""
    loss, alpha = ledger.spoken("masked_loss"), ledger.spoken("alpha_mask")
    is_masked, uses_alpha = ledger.read(loss, flag, False), ledger.read(alpha, flag, False)
    if ledger.has(loss):
        ledger.settle(loss, "dataset.masks", is_masked)
    if uses_alpha:
        ledger.imply("dataset.masks", True)
        ledger.settle(alpha, "dataset.mask_source", "alpha", "the pictures' alpha channel is the mask")
    elif is_masked:
        ledger.imply("dataset.mask_source", "files")


def settle_prediction(ledger: Ledger, family: str) -> None:
    """What the base model predicts."""
    key = ledger.spoken("v_parameterization")
    if (is_v := ledger.read(key, flag)) is not None:
        ledger.settle(key, "model.prediction", "v_prediction" if is_v else "epsilon")
    elif family in ("sd1", "sd2", "sdxl"):
        ledger.imply("model.prediction", "epsilon")
    else:
        ledger.imply("model.prediction", "flow")


def settle_seed(ledger: Ledger) -> None:
    """The seed; kohya's GUI takes 0 for a random one."""
    key = ledger.spoken("seed")
    seed = ledger.read(key, whole)
    if seed is None:
        return
    if seed == 0 and not key.startswith("--"):
        ledger.drop(key, "0 is a random seed there; ours is always the same")
        return
    ledger.settle(key, "run.seed", seed % 2**32, "" if 0 <= seed < 2**32 else "cut to 32 bits")
