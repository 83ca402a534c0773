"""Import of ai-toolkit's job file."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from templates.ai_toolkit.defaults import DEFAULTS, WEIGHT_DECAYS
from templates.ai_toolkit.flow_bases import FLOW_BASES
from templates.ai_toolkit.import_flow import settle_flow, without_unused
from templates.ai_toolkit.import_folders import settle_datasets
from templates.ai_toolkit.import_keys import HARMLESS_MEANINGS, HARMLESS_VALUES, SETTING_KEYS, UNMAPPED_KEYS
from templates.ai_toolkit.import_length import settle_length
from templates.ai_toolkit.words import (
    FAMILIES,
    KINDS,
    OPTIMIZERS,
    PROCESS_TYPES,
)
from templates.importing.imported import Imported, Line
from templates.importing.ledger import Key, Ledger, flat
from templates.importing.local_files import LocalFiles
from templates.importing.readers import flag, number, text, whole

TITLE = "ai-toolkit"

SIZES = (
    "ai-toolkit trains at sizes in the steps of the base's VAE (8 px), whatever bucket_tolerance says; here sides are "
    "multiples of the step that it names, so that sizes differ a little"
)
"""Told with every import: the key alone would say otherwise."""

RATES = ("optimizer.learning_rate", "optimizer.unet_learning_rate", "optimizer.text_encoder_learning_rate")


def is_job(tree: Mapping[str, Any]) -> bool:
    """Whether a file is a job of ai-toolkit."""
    config = tree.get("config")
    return isinstance(config, Mapping) and ("job" in tree or "process" in config)


def import_job(tree: Mapping[str, Any], local: LocalFiles, *, source: str = "") -> Imported:
    """The job in our settings."""
    given, unused = dict(_shortened(tree)), tuple[Line, ...]()
    base = FLOW_BASES.get(FAMILIES.ours(str(given.get("model.arch", "")).split(":")[0]) or "")
    if base is not None:
        given, unused = without_unused(given)
    ledger = Ledger(given)
    kind = ledger.read("type", text, "")
    meant_for = "" if "network.type" in ledger.all_keys() or ledger.all_keys("network.") else "a whole model"
    if kind and kind not in PROCESS_TYPES:
        meant_for = f"something else ({kind[:40]})"
    for key, meaning in SETTING_KEYS.items():
        if ledger.has(key):
            ledger.take(key, meaning)
    _settle_model(ledger)
    _settle_network(ledger)
    _settle_optimizer(ledger)
    if base is not None:
        settle_flow(ledger, base)
    exposures = settle_datasets(ledger, local)
    settle_length(ledger, exposures)
    _settle_tracking(ledger)
    lines = (*ledger.finish(UNMAPPED_KEYS, HARMLESS_VALUES, HARMLESS_MEANINGS), *unused)
    settings = ledger.settings
    defaults = _defaults(settings)
    if meant_for:
        defaults = {path: value for path, value in defaults.items() if path.startswith("dataset.")}
    return Imported("ai-toolkit", TITLE, source, settings, lines, defaults, notes=(SIZES,), meant_for=meant_for)


def _defaults(settings: Mapping[str, Any]) -> dict[str, Any]:
    found = {path: value for path, value in DEFAULTS.items() if path not in settings}
    if "optimizer.weight_decay" in found:
        name = settings.get("optimizer.name", DEFAULTS["optimizer.name"])
        found["optimizer.weight_decay"] = WEIGHT_DECAYS.get(name, 0.0)
    if "schedule.epochs" in settings and "schedule.max_steps" in found:
        found["schedule.max_steps"] = 0
    if "saving.every_epochs" in settings and "saving.every_steps" in found:
        found["saving.every_steps"] = 0
    return found


def _settle_tracking(ledger: Ledger) -> None:
    """The project at Weights & Biases, where curves are sent to one."""
    if not ledger.read("logging.use_wandb", flag, False):
        return
    name = "logging.project_name"
    if ledger.has(name):
        ledger.take(name, Key("run.wandb_project", text))
        ledger.translate("logging.use_wandb", "curves are sent to that project; here that needs `wandb login` too")
    else:
        ledger.settle("logging.use_wandb", "run.wandb_project", "ai-toolkit", "ai-toolkit's own name for a project")


def _shortened(tree: Mapping[str, Any]) -> list[tuple[str, Any]]:
    """Flat, with the first process's keys without their long beginning."""
    found = []
    for key, value in flat(tree):
        name = key.removeprefix("config.process[0].")
        found.append((name.replace("config.", "job.", 1) if name.startswith("config.") else name, value))
    return found


def _settle_model(ledger: Ledger) -> None:
    arch = ledger.read("model.arch", text, "").split(":")[0]
    ticks = [key for key in ledger.all_keys("model.is_") if key != "model.is_v_pred" and _ticked(ledger, key)]
    family = (FAMILIES.ours(arch) or arch.lower()[:40]) if arch else ""
    if not family and ticks:
        name = ticks[0].removeprefix("model.is_")
        family = FAMILIES.spellings.get(name, name)
    if arch:
        ledger.settle("model.arch", "model.family", family, "" if arch == family else "our name of it")
    for key in ticks:
        ledger.translate(key, "the tick names the family")
    ledger.imply("model.family", family or "sd1")
    if (is_v := ledger.read("model.is_v_pred", flag)) is not None:
        ledger.settle("model.is_v_pred", "model.prediction", "v_prediction" if is_v else "epsilon")
    quantized = ledger.read("model.quantize", flag, False)
    if quantized:
        ledger.settle("model.quantize", "memory.base_dtype", "int8", "we keep a base model in 8 bits as int8")


def _ticked(ledger: Ledger, key: str) -> bool:
    return bool(ledger.read(key, flag, False))


def _settle_network(ledger: Ledger) -> None:
    given = ledger.read("network.type", text, "lora").lower()
    kind = KINDS.ours(given)
    if kind is None:
        ledger.contradict("network.type", "we have no such kind; a plain LoRA is taken")
        kind = "lora"
    rank_key = "network.rank" if ledger.has("network.rank") else "network.linear"
    if (rank := ledger.read(rank_key, whole)) is not None:
        ledger.settle(rank_key, "network.rank", rank)
        ledger.idle("network.linear") if rank_key == "network.rank" else None
    alpha_key = "network.linear_alpha" if ledger.has("network.linear_alpha") else "network.alpha"
    if (alpha := ledger.read(alpha_key, number)) is not None:
        ledger.settle(alpha_key, "network.alpha", alpha)
        ledger.idle("network.alpha", "linear_alpha counts") if alpha_key != "network.alpha" else None
    convolutions = ledger.read("network.conv", whole, 0)
    if ledger.has("network.conv"):
        ledger.settle("network.conv", "network.conv_rank", convolutions)
    if convolutions and ledger.has("network.conv_alpha"):
        ledger.settle("network.conv_alpha", "network.conv_alpha", ledger.read("network.conv_alpha", number, 1.0))
    elif convolutions:
        ledger.imply("network.conv_alpha", float(convolutions))
    kind = "locon" if kind == "lora" and convolutions else kind
    if ledger.has("network.type"):
        ledger.settle("network.type", "network.kind", kind, "" if kind == given else "with its convolutions")
    ledger.imply("network.kind", kind)
    if kind == "dora":
        ledger.imply("network.dora_axis", "output")  # ai-toolkit's lengths are those of the weight's rows
    if kind == "lokr" and ledger.read("network.lokr_full_rank", flag, True):
        ledger.contradict("network.lokr_full_rank", "our LoKr has a rank of 512 at most")
        ledger.imply("network.rank", 512)
    elif ledger.has("network.lokr_full_rank"):
        ledger.idle("network.lokr_full_rank", "the rank counts")
    if ledger.has("network.lokr_factor"):
        ledger.settle("network.lokr_factor", "network.factor", ledger.read("network.lokr_factor", whole, -1))


def _settle_optimizer(ledger: Ledger) -> None:
    given = ledger.read("train.optimizer", text)
    if given is not None:
        name = OPTIMIZERS.ours(given)
        near = name or OPTIMIZERS.nearest(given)
        if near is None:
            ledger.contradict("train.optimizer", "we have no such optimizer, and none that is near it")
        else:
            ledger.settle("train.optimizer", "optimizer.name", near, "" if name else f"{near} is the nearest")
    _settle_arguments(ledger)
    rate = ledger.read("train.lr", number)
    if rate is not None:
        ledger.settle("train.lr", "optimizer.learning_rate", rate, "one rate for all parts")
    rate = ledger.settings.get("optimizer.learning_rate", DEFAULTS["optimizer.learning_rate"])
    for key in ("train.unet_lr", "train.text_encoder_lr"):
        if ledger.has(key):
            ledger.drop(key, "ai-toolkit does not look at it either: `lr` is for all parts")
    for key, path, usual in (("train.train_unet", RATES[1], True), ("train.train_text_encoder", RATES[2], False)):
        trains = ledger.read(key, flag, usual)
        if ledger.has(key):
            ledger.translate(key, "trained" if trains else "not trained: its rate is 0")
        ledger.imply(path, rate if trains else 0.0)


def _settle_arguments(ledger: Ledger) -> None:
    beginning, found = "train.optimizer_params.", []
    for key in ledger.all_keys(beginning):
        name, raw = key.removeprefix(beginning), ledger.raw(key)
        if name == "weight_decay":
            if (decay := ledger.read(key, number)) is not None:
                ledger.settle(key, "optimizer.weight_decay", decay)
            continue
        value = ",".join(map(str, raw)) if isinstance(raw, list) else str(raw)
        if name.isidentifier() and value and not any(letter.isspace() for letter in value):
            found.append(f"{name}={value}")
            ledger.translate(key, "one of optimizer.arguments")
        else:
            ledger.contradict(key, "no argument that an optimizer can take")
    ledger.imply("optimizer.arguments", found)
