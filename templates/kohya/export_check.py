"""What kohya_ss's GUI and sd-scripts refuse, drop or misread without a word: checked before anything is written."""

from __future__ import annotations

import ast
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Literal

from templates.kohya.gui_keys import GuiKey, GuiValue, gui_keys
from templates.kohya.words import BLOCK_RATES, BLOCKS, GUI_KINDS, LYCORIS_TRANSFORMERS

Values = Mapping[str, GuiValue]


@dataclass(frozen=True)
class Diagnostic:
    """An error, which stops an export, or a warning, which becomes one of its notes."""

    level: Literal["error", "warning"]
    key: str
    """The GUI's key."""
    message: str
    """What would happen, and the mend."""


CONVOLUTION_TYPES = tuple(GUI_KINDS.theirs(kind) for kind in ("locon", "loha", "lokr", "dora"))
BLOCK_KEYS = ("block_dims", *BLOCK_RATES)
BLOCK_TYPES = tuple(GUI_KINDS.theirs(kind) for kind in ("lora", "locon"))
"""Kinds of adapter for which the GUI hands on settings by block."""

WIDER_STEP = "plan it anew with --set dataset.bucket_step_px={step} and export that run"
"""What to do with a run whose buckets are finer; pictures are then cropped to other sizes."""


def check_gui(values: Values, *, machine_threads: int | None = None) -> tuple[Diagnostic, ...]:
    """All that is wrong with a GUI file, in the order of the checks.

    Args:
        values: every key of the file.
        machine_threads: logical threads of the machine that the GUI runs on; None: unknown.
    """
    found = [*_keys(values)]
    if any(finding.level == "error" for finding in found):
        return tuple(found)  # wrong types would only make the rest stumble
    for check in CHECKS:
        found += check(values)
    found += _threads(values, machine_threads)
    return tuple(found)


def check_scripts(values: Values) -> tuple[Diagnostic, ...]:
    """What sd-scripts itself would refuse or misread, whatever the GUI's sliders allow."""
    return tuple(finding for check in CHECKS for finding in check(values))


def _error(key: str, message: str) -> Diagnostic:
    return Diagnostic("error", key, message)


def _warning(key: str, message: str) -> Diagnostic:
    return Diagnostic("warning", key, message)


def _keys(values: Values) -> Iterator[Diagnostic]:
    """A missing key keeps what the GUI shows, a number as text fails silently, one off its slider bricks the page."""
    keys = gui_keys()
    for name in keys.keys() - values.keys():
        yield _error(name, "the key is missing, so the GUI would keep what it shows at that moment: write it")
    for name, value in values.items():
        key = keys.get(name)
        if key is None:
            yield _error(name, "the GUI has no such key and would ignore it: leave it out")
        elif not key.has_type_of(value):
            yield _error(name, f"{value!r} is no {key.type}: the GUI shows it and fails on it later")
        else:
            yield from _within(key, value)


def _within(key: GuiKey, value: GuiValue) -> Iterator[Diagnostic]:
    if key.choices is not None and value not in key.choices:
        yield _error(key.name, f"the GUI takes only {', '.join(repr(item) for item in key.choices)}")
    if isinstance(value, str):
        return
    if key.least is not None and value < key.least:
        yield _error(key.name, f"the GUI takes {key.least:g} or more")
    if key.most is not None and value > key.most:
        yield _error(key.name, f"the GUI takes {key.most:g} at most")


def _rates(values: Values) -> Iterator[Diagnostic]:
    rate, unet, text = (float(values[name]) for name in ("learning_rate", "unet_lr", "text_encoder_lr"))
    if min(rate, unet, text) < 0:
        yield _error("learning_rate", "a rate below 0 makes things worse with every step: use 0 or more")
    if unet == 0 and text == 0:
        key, what = ("learning_rate", f"trains at {rate:g}") if rate else ("unet_lr", "refuses to start")
        yield _error(key, f"both rates are 0, but the GUI drops them and {what}: give the U-Net a rate")
    elif rate == 0:
        yield _warning(
            "learning_rate",
            "0 is dropped and sd-scripts notes its own 2e-6; nothing trains at that, as both parts have their own rate",
        )
    if unet == 0 and text > 0:
        yield _warning("unet_lr", "0: kohya trains the text encoder only")


def _steps(values: Values) -> Iterator[Diagnostic]:
    if values["max_train_steps"] and values["epoch"]:
        yield _warning(
            "max_train_steps", f"training ends after {values['max_train_steps']} steps; `epoch` is not looked at"
        )
    warms_up = bool(values["lr_warmup"] or values["lr_warmup_steps"])
    if values["lr_scheduler"] == "constant" and warms_up:
        yield _error(
            "lr_scheduler", "`constant` with warm-up steps is an error in sd-scripts: use constant_with_warmup"
        )
    if values["lr_scheduler"] == "piecewise_constant":
        yield _error(
            "lr_scheduler", "piecewise_constant needs step rules, which no setting here gives: use another schedule"
        )
    is_adafactor = values["optimizer"] == "Adafactor" and "relative_step=False" not in str(values["optimizer_args"])
    if values["lr_scheduler"] == "adafactor" and not is_adafactor:
        yield _error(
            "lr_scheduler", "the adafactor schedule works with the adafactor optimizer only: use another of the two"
        )
    if values["lr_scheduler"] != "adafactor" and is_adafactor:
        yield _error("optimizer_args", "Adafactor would choose its own rate: add relative_step=False")
    if values["seed"] == 0 and "--seed 0" not in str(values["additional_parameters"]):
        yield _warning("seed", "0 means a random seed to kohya: use another number to be able to repeat the run")


def _network(values: Values) -> Iterator[Diagnostic]:
    kind = str(values["LoRA_type"])
    if float(values["network_alpha"]) > int(values["network_dim"]):
        yield _warning(
            "network_alpha", "alpha is above the rank, so the adapter counts more than it should: use at most the rank"
        )
    if kind in CONVOLUTION_TYPES and values["LyCORIS_preset"] != LYCORIS_TRANSFORMERS and int(values["conv_dim"]) < 1:
        yield _error("conv_dim", f"{kind} needs a rank for convolutions of 1 or more")
    if kind not in BLOCK_TYPES:
        for key in BLOCK_KEYS:
            if values[key]:
                yield _error(key, f"the GUI does not hand this on for {kind}: empty it, or use lora or locon")
    num_ranks = 23 if values["sdxl"] else 25
    if values["block_dims"] and len(str(values["block_dims"]).split(",")) != num_ranks:
        yield _error("block_dims", f"sd-scripts wants {num_ranks} ranks, one a block")
    parts = BLOCKS["sdxl" if values["sdxl"] else "sd1"]
    rates = [str(values[key]).split(",") if values[key] else [] for key in BLOCK_RATES]
    if any(rates) and tuple(map(len, rates)) != parts:
        yield _error(
            "down_lr_weight",
            f"sd-scripts wants {sum(parts)} factors: {parts[0]} down, {parts[1]} in the middle, {parts[2]} up",
        )


def _are_arguments(text: str) -> bool:
    """Whether it is `name=value` with single blanks between."""
    items = text.split(" ")
    return text.split() == items and all("=" in item[1:-1] for item in items)


def _arguments(values: Values) -> Iterator[Diagnostic]:
    for key in ("optimizer_args", "lr_scheduler_args"):
        text = str(values[key])
        if text and not _are_arguments(text):
            yield _error(key, "must be name=value with single blanks between and none around `=`")
            continue
        for item in text.split():
            name, _, value = item.partition("=")
            if not _is_literal(value):
                yield _error(
                    key, f"sd-scripts cannot read the value of {name}: it must be a number, True, False or None"
                )
    words = str(values["additional_parameters"])
    if '"' in words:
        yield _error("additional_parameters", "the GUI strips quotes and splits at blanks: no value may hold either")


def _is_literal(text: str) -> bool:
    """Whether sd-scripts' reading (a Python literal, one `=`, quotes stripped by the GUI) takes it."""
    if "=" in text or '"' in text or "'" in text:
        return False
    try:
        ast.literal_eval(text)
    except (ValueError, SyntaxError, MemoryError, RecursionError):
        return False
    return True


def _images(values: Values) -> Iterator[Diagnostic]:
    resolution = str(values["max_resolution"])
    if not re.fullmatch(r"\d+(,\d+)?", resolution):
        yield _error("max_resolution", "must be `512,512` or `512`: sd-scripts crashes on anything else")
        return
    sides = [int(side) for side in resolution.split(",")]
    step = 16 if values["anima_checkbox"] else 32 if values["sdxl"] else 64
    if int(values["bucket_reso_steps"]) % step:
        yield _error(
            "bucket_reso_steps",
            f"sd-scripts wants a multiple of {step} for this family: {WIDER_STEP.format(step=step)}",
        )
    if min(sides) < int(values["min_bucket_reso"]):
        yield _error("min_bucket_reso", "is above the resolution, which sd-scripts refuses: lower it")
    if max(sides) > int(values["max_bucket_reso"]):
        yield _error("max_bucket_reso", "is below the resolution, which sd-scripts refuses: raise it")
    if values["random_crop"] and values["cache_latents"]:
        yield _error("random_crop", "cannot go with cached latents: turn memory.cache_latents off")
    if not values["train_data_dir"]:
        yield _error("train_data_dir", "is empty: the GUI refuses to start")
    if not values["output_dir"]:
        yield _error("output_dir", "is empty: the GUI refuses to start")


def _text(values: Values) -> Iterator[Diagnostic]:
    if not values["sdxl_cache_text_encoder_outputs"]:
        return
    extras = str(values["additional_parameters"])
    alters = values["shuffle_caption"] or values["caption_dropout_rate"] or "--caption_tag_dropout_rate" in extras
    if values["text_encoder_lr"] or alters or "--enable_wildcard" in extras:
        yield _error(
            "sdxl_cache_text_encoder_outputs",
            "cached text needs a text-encoder rate of 0 and captions that neither shuffle nor drop nor choose: "
            "turn memory.cache_text off",
        )


def _clashes(values: Values) -> Iterator[Diagnostic]:
    if values["adaptive_noise_scale"] and not values["noise_offset"]:
        yield _error("adaptive_noise_scale", "needs a noise offset above 0: sd-scripts refuses it alone")
    if int(values["min_timestep"]) >= int(values["max_timestep"]):
        yield _error("min_timestep", "must be below the highest timestep")
    if values["full_fp16"] and values["mixed_precision"] != "fp16":
        yield _error("full_fp16", "goes with mixed precision fp16 only")
    if values["full_bf16"] and values["mixed_precision"] != "bf16":
        yield _error("full_bf16", "goes with mixed precision bf16 only")
    if values["persistent_data_loader_workers"] and not values["max_data_loader_n_workers"]:
        yield _error("persistent_data_loader_workers", "with 0 workers crashes sd-scripts: turn it off")
    if values["v2"] and values["sdxl"]:
        yield _error("v2", "a model is SD2 or SDXL, not both")
    if "--zero_terminal_snr" in str(values["additional_parameters"]) and not values["v_parameterization"]:
        yield _warning(
            "v_parameterization", "zero terminal SNR without v-prediction gives poor results: choose one or the other"
        )
    if values["max_grad_norm"] == 0 and "--max_grad_norm 0" not in str(values["additional_parameters"]):
        yield _error("max_grad_norm", "0 is dropped, and gradients are cut at 1: give `--max_grad_norm 0` by hand")
    if values["v2"] and int(values["clip_skip"]) > 1:
        yield _warning("clip_skip", "sd-scripts advises against clip skip on SD2")
    if values["sdxl"] and int(values["clip_skip"]) > 1:
        yield _warning("clip_skip", "means nothing on SDXL and is ignored")


def _threads(values: Values, machine_threads: int | None) -> Iterable[Diagnostic]:
    threads = int(values["num_cpu_threads_per_process"])
    if machine_threads is not None and threads > machine_threads:
        yield _warning(
            "num_cpu_threads_per_process",
            f"{threads} is above this machine's {machine_threads} threads; the GUI refuses more than its machine has",
        )


CHECKS: tuple[Callable[[Values], Iterator[Diagnostic]], ...] = (
    _rates, _steps, _network, _arguments, _images, _text, _clashes,
)  # fmt: skip
