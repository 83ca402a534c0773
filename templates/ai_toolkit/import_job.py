"""Import of ai-toolkit's job file."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from templates.ai_toolkit.import_folders import settle_datasets
from templates.ai_toolkit.import_keys import HARMLESS_MEANINGS, HARMLESS_VALUES, SETTING_KEYS, UNMAPPED_KEYS
from templates.ai_toolkit.words import (
    FAMILIES,
    KEEP_ALL,
    KINDS,
    LAST_TIMESTEP,
    OPTIMIZERS,
    PROCESS_TYPES,
    SAMPLERS,
    SCHEDULES,
)
from templates.importing.imported import Imported
from templates.importing.ledger import Key, Ledger, flat
from templates.importing.local_files import LocalFiles
from templates.importing.readers import flag, number, text, whole

TITLE = "ai-toolkit"

DEFAULTS: Mapping[str, Any] = {
    "network.rank": 4, "network.alpha": 1.0, "schedule.name": "constant", "schedule.epochs": 1000,
    "schedule.max_steps": 1000, "optimizer.name": "adamw", "memory.compute_dtype": "float32",
    "saving.every_epochs": 0, "saving.every_steps": 1000, "saving.keep_last": 5, "memory.gradient_checkpointing": True,
    "dataset.caption_lines": "joined",
    "memory.cache_latents": False, "machine.data_workers": 2, "optimizer.weight_decay": 0.01,
    "optimizer.learning_rate": 1e-6, "optimizer.unet_learning_rate": 1e-6, "optimizer.text_encoder_learning_rate": 0.0,
}  # fmt: skip
"""What ai-toolkit does where nothing is said, where ours differs."""

SAMPLE_KEYS = (
    ("neg", "negative", text), ("seed", "seed", whole), ("guidance_scale", "guidance", number),
    ("sample_steps", "steps", whole),
)  # fmt: skip
RATES = ("optimizer.learning_rate", "optimizer.unet_learning_rate", "optimizer.text_encoder_learning_rate")


def is_job(tree: Mapping[str, Any]) -> bool:
    """Whether a file is a job of ai-toolkit."""
    config = tree.get("config")
    return isinstance(config, Mapping) and ("job" in tree or "process" in config)


def import_job(tree: Mapping[str, Any], local: LocalFiles, *, source: str = "") -> Imported:
    """The job in our settings."""
    ledger = Ledger(dict(_shortened(tree)))
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
    exposures = settle_datasets(ledger, local)
    _settle_length(ledger, exposures)
    _settle_samples(ledger, exposures)
    _settle_tracking(ledger)
    lines = ledger.finish(UNMAPPED_KEYS, HARMLESS_VALUES, HARMLESS_MEANINGS)
    settings = ledger.settings
    defaults = {} if meant_for else {path: value for path, value in DEFAULTS.items() if path not in settings}
    if "schedule.epochs" in settings:
        defaults.pop("schedule.max_steps", None)
    if "saving.every_epochs" in settings:
        defaults.pop("saving.every_steps", None)
    return Imported("ai-toolkit", TITLE, source, settings, lines, defaults, meant_for=meant_for)


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


def _steps_of_epoch(ledger: Ledger, exposures: int | None) -> float | None:
    batch = int(ledger.settings.get("schedule.batch_size", 1))
    accumulation = int(ledger.settings.get("schedule.gradient_accumulation", 1))
    return exposures / batch / accumulation if exposures else None


def _settle_length(ledger: Ledger, exposures: int | None) -> None:
    """Steps; as epochs where they are just so many."""
    steps, epoch = ledger.read("train.steps", whole, 0), _steps_of_epoch(ledger, exposures)
    if steps > 0:
        epochs = _epochs(steps, epoch)
        if epoch and math.ceil(epoch * epochs) == steps:
            ledger.settle("train.steps", "schedule.epochs", epochs, f"{steps} steps are so many epochs")
            ledger.imply("schedule.max_steps", 0)
        else:
            ledger.settle("train.steps", "schedule.max_steps", steps)
            ledger.imply("schedule.epochs", epochs)
    _settle_schedule(ledger)
    every = ledger.read("save.save_every", whole, 0)
    if every > 0 and every >= steps > 0:
        ledger.idle("save.save_every", "only the last is saved")
        ledger.imply("saving.every_epochs", 0)
    elif every > 0 and epoch and every % math.ceil(epoch) == 0:
        ledger.settle("save.save_every", "saving.every_epochs", every // math.ceil(epoch), "so many epochs")
    elif every > 0:
        ledger.settle("save.save_every", "saving.every_steps", every)
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


def _settle_schedule(ledger: Ledger) -> None:
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
        ledger.settle(key, "schedule.warmup_steps", warmup)
    for name in ("start_factor", "end_factor"):
        ledger.idle(f"train.lr_scheduler_params.{name}", "our linear falls to 0")


def _settle_samples(ledger: Ledger, exposures: int | None) -> None:
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
    epoch, every = _steps_of_epoch(ledger, exposures), ledger.read("sample.sample_every", whole, 0)
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
