"""Import of sd-scripts' `config.toml`, the `dataset.toml` that it names, and the shell line that starts them."""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from advisor.families import KNOWN_FAMILIES
from templates.importing.imported import Imported, Line
from templates.importing.ledger import Ledger
from templates.importing.local_files import LocalFiles
from templates.importing.readers import flag, number, text, whole
from templates.kohya.defaults import BUCKETS, SCRIPTS_DEFAULTS, defaults_beside
from templates.kohya.import_anima import ARGUMENTS as ANIMA_ARGUMENTS
from templates.kohya.import_anima import UNMAPPED_ARGUMENTS as ANIMA_UNMAPPED
from templates.kohya.import_anima import (
    adapts_text,
    anima_defaults,
    settle_anima,
    settle_anima_arguments,
    without_unused,
)
from templates.kohya.import_dataset_toml import ImportedImages, import_dataset
from templates.kohya.import_keys import HARMLESS_MEANINGS, HARMLESS_VALUES, SETTING_KEYS, UNMAPPED_KEYS
from templates.kohya.import_network import UNMAPPED_ARGUMENTS, NetworkArguments, settle_arguments
from templates.kohya.import_optimizer import argument_items, settle_learning_rates, settle_optimizer
from templates.kohya.import_shared import (
    Buckets,
    epochs_needed,
    mark_samples_idle,
    settle_folders,
    settle_model_and_sizes,
    settle_noise,
    settle_saves,
    settle_text_cache,
)
from templates.kohya.prompt_lines import settle_prompts, settle_sampler
from templates.kohya.words import (
    ALGORITHMS,
    ANIMA,
    BLOCK_RATES,
    CUDA_PREFIXES,
    LYCORIS_MODULE,
    NETWORK_MODULES,
    SCRIPTS,
    VISIBLE_DEVICES,
)

TITLE = "sd-scripts (config.toml)"

SCRIPT_KEYS = frozenset({
    "pretrained_model_name_or_path", "network_module", "network_dim", "dataset_config", "optimizer_type", "unet_lr",
    "train_data_dir", "network_args", "output_name", "max_train_epochs",
})  # fmt: skip
"""A file with two of these is sd-scripts'."""


def flattened(tree: Mapping[str, Any]) -> tuple[dict[str, Any], tuple[str, ...]]:
    """Keys without their tables, as sd-scripts reads them, and those that stand in two."""
    found: dict[str, Any] = {}
    doubled: list[str] = []
    for name, value in tree.items():
        for key, item in value.items() if isinstance(value, dict) and value else ((name, value),):
            if key in found and found[key] != item:
                doubled.append(key)
            found[str(key)] = item
    return found, tuple(doubled)


def import_scripts(
    tree: Mapping[str, Any], local: LocalFiles, *, source: str = "", dataset: Any = None, launch: str = ""
) -> Imported:
    """Both files in our settings.

    Args:
        tree: `config.toml`.
        look: what else is on this machine.
        source: its path.
        dataset: the contents of `dataset.toml`; None where it is not here.
        launch: the shell line that starts the training, where it lies beside them.
    """
    flat, doubled = flattened(tree)
    started = launched(launch)
    given, unused = {**flat, **started.keys}, tuple[Line, ...]()
    if is_anima := _is_anima(given, started.script):
        given, unused = without_unused(given, is_gui=False)
    ledger = Ledger(given)
    family = _family(ledger, started.script, launch, is_anima=is_anima)
    buckets = Buckets(BUCKETS, enabled=False, in_other_file=dataset is not None)
    settle_model_and_sizes(ledger, family, "resolution", buckets)
    settle_noise(ledger, multires=True, offset=True)
    _settle_optimizer(ledger)
    _take_setting_keys(ledger)
    _settle_network(ledger, family, local)
    settle_saves(ledger, zero_is_left_out=False)
    images = _settle_images(ledger, local, dataset, family)
    settle_length(ledger, images.exposures)
    _settle_samples(ledger, local)
    if is_anima:
        settle_anima(ledger, is_gui=False)
    else:
        settle_text_cache(ledger, "cache_text_encoder_outputs", family)
    lines = (*ledger.finish({**UNMAPPED_KEYS, **UNMAPPED_ARGUMENTS}, HARMLESS_VALUES, HARMLESS_MEANINGS), *images.lines)
    lines += unused
    lines += tuple(Line(key, "", "contradictory", note="stands in two tables; the last counts") for key in doubled)
    settings = {**ledger.settings, **images.settings}
    defaults = _defaults(settings, anima_defaults(family, SCRIPTS_DEFAULTS), has_config=bool(tree))
    return Imported("sd-scripts", TITLE, source, settings, lines, defaults)


@dataclass(frozen=True)
class Launch:
    """What a launch line says."""

    script: str
    keys: Mapping[str, Any]


def launched(line: str) -> Launch:
    """A launch line's script and options; one that no shell takes says nothing."""
    try:
        words = shlex.split(line.replace("\\\n", " "), comments=True)
    except ValueError:
        words = []
    script, name, keys = "", "", dict[str, Any]()
    for word in words[:500]:
        if word.startswith(f"{VISIBLE_DEVICES}="):
            gpu = word.partition("=")[2]
            keys |= {VISIBLE_DEVICES: gpu} if gpu.startswith(CUDA_PREFIXES) else {}
        elif word.startswith("--"):
            name, sign, value = word[2:].partition("=")
            keys[name] = value if sign else True
        elif word.endswith("train_network.py"):
            script, name = word.rpartition("/")[2], ""
        elif name:
            keys[name] = word if keys[name] is True else f"{keys[name]} {word}"
    keys.pop("config_file", None)
    return Launch(script, keys)


def _is_anima(given: Mapping[str, Any], script: str) -> bool:
    """By the script, else by what only Anima's takes."""
    if script:
        return SCRIPTS.ours(script) == ANIMA
    return bool(given.get("qwen3")) or given.get("network_module") == KNOWN_FAMILIES[ANIMA].lora_module


def _family(ledger: Ledger, script: str, launch: str, *, is_anima: bool) -> str:
    """By the script, else by what only SDXL's takes."""
    family = ANIMA if is_anima else SCRIPTS.ours(script) or "sd1"
    if family == "sd1":
        if ledger.read("v2", flag, False):
            ledger.settle("v2", "model.family", "sd2", "the tick names the family")
            return "sd2"
        sdxl = ("no_half_vae", "cache_text_encoder_outputs", "cache_text_encoder_outputs_to_disk")
        family = "sdxl" if not launch and any(ledger.read(key, flag, False) for key in sdxl) else "sd1"
    elif ledger.has("v2"):
        ledger.idle("v2")
    ledger.imply("model.family", family)
    return family


def _take_setting_keys(ledger: Ledger) -> None:
    for key, meaning in SETTING_KEYS.items():
        if ledger.has(key):
            ledger.take(key, meaning)
    if ledger.has(VISIBLE_DEVICES):
        ledger.settle(VISIBLE_DEVICES, "machine.gpu_uuid", ledger.read(VISIBLE_DEVICES, text))
    if (old := ledger.read("caption_extention", text)) is not None:
        ledger.settle("caption_extention", "dataset.caption_extension", old, "an old spelling")


def _settle_optimizer(ledger: Ledger) -> None:
    for key, name in (("use_8bit_adam", "adamw8bit"), ("use_lion_optimizer", "lion")):
        if ledger.read(key, flag, False):
            ledger.settle(key, "optimizer.name", name, "the old key")
    schedule = str(ledger.raw("lr_scheduler") or "constant").lower()
    settle_optimizer(ledger, "optimizer_type", "optimizer_args", schedule=schedule)
    if ledger.all_keys():
        settle_learning_rates(ledger, SCRIPTS_DEFAULTS, is_gui=False)


def _settle_network(ledger: Ledger, family: str, local: LocalFiles) -> None:
    items = dict(item.partition("=")[::2] for item in argument_items(ledger.raw("network_args") or ()))
    module = ledger.read("network_module", text)
    is_lycoris = module == LYCORIS_MODULE
    known = NETWORK_MODULES.ours(module or NETWORK_MODULES.theirs("lora"))
    kind = known
    if is_lycoris:
        algorithm = str(items.get("algo", "lora"))
        kind = ALGORITHMS.ours(algorithm)
        if kind is None:
            ledger.contradict("network_args", f"we have no algorithm {algorithm[:40]}; a locon is taken")
    elif module is not None and kind is None:
        ledger.contradict("network_module", "we have no such module; a plain LoRA is taken")
    kind = kind or ("locon" if is_lycoris else "lora")
    if kind == "lora" and "conv_dim" in items:
        kind = "locon"
    if module is not None and known is not None:
        ledger.settle("network_module", "network.kind", kind)
    keys = dict.fromkeys(items, "network_args")
    settle_arguments(ledger, kind, NetworkArguments(items, keys), is_lycoris=is_lycoris, family=family)
    if family == ANIMA:
        settle_anima_arguments(ledger, items, "network_args")
        if is_lycoris and adapts_text(local.text(str(items.get("preset", ""))) or ""):
            ledger.imply("network.text_adapter", True)
    _say_of_others(ledger, items, family)


def _say_of_others(ledger: Ledger, items: Mapping[str, str], family: str) -> None:
    """Arguments of the adapter that are no setting of ours."""
    of_anima = family == ANIMA
    unmapped = {**UNMAPPED_ARGUMENTS, **(ANIMA_UNMAPPED if of_anima else {})}
    settled = SETTLED_ARGUMENTS | (ANIMA_ARGUMENTS if of_anima else frozenset())
    for name, value in items.items():
        if name in unmapped and value.lower() not in ("false", "none", "0"):
            ledger.drop("network_args", f"{name}: {unmapped[name]}")
        elif name not in ("algo", "preset", *settled) and name not in unmapped:
            ledger.contradict("network_args", f"{name[:40]} is no argument that we know")
    if not items:
        ledger.idle("network_args")


SETTLED_ARGUMENTS = frozenset({
    "dora_wd", "wd_on_output", "conv_dim", "conv_alpha", "rank_dropout", "module_dropout", "factor", "block_dims",
    *BLOCK_RATES,
})  # fmt: skip


def _settle_images(ledger: Ledger, local: LocalFiles, dataset: Any, family: str) -> ImportedImages:
    if dataset is not None:
        ledger.translate("dataset_config", "its keys follow") if ledger.has("dataset_config") else None
        has_buckets = ledger.read("enable_bucket", flag, False)
        return import_dataset(dataset, family, {**SCRIPTS_DEFAULTS, **ledger.settings}, has_buckets=has_buckets)
    if ledger.has("dataset_config"):
        ledger.drop("dataset_config", "that file is not on this machine, so nothing is known of the pictures")
    return ImportedImages({}, (), settle_folders(ledger, local))


def settle_length(ledger: Ledger, exposures: int | None) -> None:
    """Epochs beat steps; with neither there are 1600 steps."""
    epochs, steps = ledger.read("max_train_epochs", whole, 0), ledger.read("max_train_steps", whole, 0)
    if epochs > 0:
        ledger.settle("max_train_epochs", "schedule.epochs", epochs)
        ledger.imply("schedule.max_steps", 0)
        ledger.idle("max_train_steps", "max_train_epochs counts")
    elif steps > 0:
        batch = int(ledger.settings.get("schedule.batch_size", 1))
        accumulation = int(ledger.settings.get("schedule.gradient_accumulation", 1))
        ledger.settle("max_train_steps", "schedule.max_steps", steps)
        needed = epochs_needed(steps, exposures, batch=batch, accumulation=accumulation)
        ledger.settle("max_train_steps", "schedule.epochs", needed, "so many epochs hold them")
    warmup = ledger.read("lr_warmup_steps", number, 0.0)
    if ledger.settings.get("schedule.name", "constant") == "constant" and warmup:
        ledger.contradict("lr_warmup_steps", "a constant rate has no warm-up")
    elif 0 < warmup < 1:
        ledger.settle("lr_warmup_steps", "schedule.warmup_share", warmup, "under 1 it is a share of the steps")
    elif ledger.has("lr_warmup_steps"):
        ledger.settle("lr_warmup_steps", "schedule.warmup_steps", int(warmup))


def _settle_samples(ledger: Ledger, local: LocalFiles) -> None:
    if settle_prompt_file(ledger, local):
        settle_sampler(ledger, "sample_sampler")


def settle_prompt_file(ledger: Ledger, local: LocalFiles) -> bool:
    """Settle what is drawn while it trains, and how often; False: nothing is."""
    file, every = ledger.read("sample_prompts", text), ledger.read("sample_every_n_epochs", whole, 0)
    if not file or not every:
        mark_samples_idle(ledger)
        return False
    found = local.text(file)
    if found is None:
        ledger.drop("sample_prompts", "that file is not on this machine, or outside the folder of the configuration")
    else:
        settle_prompts(ledger, "sample_prompts", found)
    ledger.settle("sample_every_n_epochs", "sampling.every_epochs", every)
    return True


def _defaults(settings: Mapping[str, Any], usual: Mapping[str, Any], *, has_config: bool) -> dict[str, Any]:
    """Of the images alone, where only `dataset.toml` was given."""
    found = defaults_beside(settings, usual)
    return found if has_config else {path: value for path, value in found.items() if path.startswith("dataset.")}


def is_scripts(tree: Mapping[str, Any]) -> bool:
    """Whether a file is sd-scripts' `config.toml`."""
    return len(SCRIPT_KEYS & flattened(tree)[0].keys()) >= 2
