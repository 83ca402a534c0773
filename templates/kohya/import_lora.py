"""Import of a LoRA file's own `ss_*` metadata: how it was trained."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from itertools import islice
from typing import Any

from advisor.checkpoints.identity import Identity
from advisor.families import KNOWN_FAMILIES
from templates.importing.imported import Imported, Line
from templates.importing.ledger import Key, Ledger
from templates.importing.local_files import NUMBERED_FOLDER
from templates.importing.named_folders import first_word
from templates.importing.readers import flag, number, says_nothing, text, whole
from templates.kohya.defaults import BUCKETS, METADATA_DEFAULTS, WEIGHT_DECAYS, defaults_beside
from templates.kohya.import_anima import anima_defaults, settle_anima_arguments, settle_times
from templates.kohya.import_keys import SETTING_KEYS
from templates.kohya.import_network import NetworkArguments, settle_arguments
from templates.kohya.import_optimizer import rate_of, settle_optimizer
from templates.kohya.import_shared import Buckets, settle_buckets, settle_noise, settle_resolution
from templates.kohya.words import ALGORITHMS, ANIMA, BASE_MODEL_VERSIONS, LYCORIS_MODULE, NETWORK_MODULES

TITLE = "a LoRA's own metadata"

RENAMED: Mapping[str, Key] = {
    "debiased_estimation": Key("loss.debiased", flag),
    "batch_size_per_device": Key("schedule.batch_size", whole),
    "sd_model_name": Key("model.path", text, "only its name; name the base model's file with --model"),
    "vae_name": Key("model.vae_path", text, "only its name"),
}
"""What metadata call otherwise than arguments."""

NOT_THERE = ("pretrained_model_name_or_path", "vae", "bucket_reso_steps", "caption_extension", "network_weights")
"""Arguments that metadata do not hold, or hold otherwise."""

RECORDED = frozenset({"learning_rate", "optimizer", "network_module"})
"""sd-scripts write all of their arguments beside these; other trainers' files have a few `ss_` keys without them."""

DIFFERS = "its folders differ in it; ours is one for all pictures, and is as it is where nothing is said"

RECORDS = "a record of that training, which says nothing of how to train"
UNMAPPED_KEYS: Mapping[str, str] = dict.fromkeys(
    ("session_id", "training_started_at", "training_finished_at", "training_comment", "steps", "epoch",
     "num_train_images", "num_reg_images", "num_validation_images", "num_batches_per_epoch", "sd_model_hash",
     "new_sd_model_hash", "vae_hash", "new_vae_hash", "tag_frequency", "bucket_info", "total_batch_size",
     "max_train_steps",
     "sd_scripts_commit_hash", "reg_dataset_dirs", "lowram", "full_fp16", "full_bf16", "color_aug",
     "face_crop_aug_range", "fp8_base",
     "caption_dropout_every_n_epochs", "dataset_dirs", "datasets"),
    RECORDS,
)  # fmt: skip

MOST_ARGUMENTS = 50
"""Of an optimizer that are read."""

OTHER_RECORDS = re.compile(r"^(modelspec\.|sshs_|format$|software|version|training_info|name$|ot_)")


def import_lora(
    metadata: Mapping[str, str], identity: Identity, *, source: str = "", has_text_encoder: bool = True
) -> Imported:
    """What the metadata and the weights themselves tell.

    Args:
        has_text_encoder: whether there are adapters of a text encoder among the weights.
    """
    tree = {name.removeprefix("ss_"): value for name, value in metadata.items() if name.startswith("ss_")}
    others = {name: value for name, value in metadata.items() if not name.startswith("ss_")}
    in_datasets, differing = _in_datasets(tree)
    ledger = Ledger({**tree, **in_datasets, **others}, texts_are_usual=True)
    family = _family(ledger, identity)
    _settle_prediction(ledger, identity, family)
    settle_resolution(ledger, "resolution")
    is_recorded = bool(RECORDED & tree.keys())
    if is_recorded:
        settle_buckets(ledger, Buckets(BUCKETS, enabled=False))
    settle_noise(ledger, multires=True, offset=True)
    _settle_optimizer(ledger, has_text_encoder=has_text_encoder)
    for key, meaning in {**SETTING_KEYS, **RENAMED}.items():
        if key not in NOT_THERE and ledger.has(key):
            ledger.take(key, meaning)
    if (seed := ledger.read("seed", whole)) is not None:
        ledger.settle("seed", "run.seed", seed % 2**32)
    _settle_network(ledger, identity, family)
    if (known := KNOWN_FAMILIES.get(family)) is not None and known.trainable and known.prediction == "flow":
        settle_times(ledger, "")
    _settle_length(ledger)
    _settle_folders(ledger)
    records = {**UNMAPPED_KEYS, **{name: RECORDS for name in others if OTHER_RECORDS.match(name)}}
    lines = ledger.finish(records, {}, frozenset({RECORDS}))
    notes = () if tree else ("it tells nothing of its training, so only what the weights show was taken over",)
    lines += _compare_with_weights(ledger, identity)
    lines += tuple(Line(f"datasets {name}", "", "contradictory", note=DIFFERS) for name in differing)
    usual = anima_defaults(family, METADATA_DEFAULTS)
    defaults = defaults_beside(ledger.settings, usual) if is_recorded else {}
    return Imported("lora", TITLE, source, ledger.settings, lines, defaults, notes=notes)


def _in_datasets(tree: Mapping[str, str]) -> tuple[dict[str, Any], tuple[str, ...]]:
    """Keys of the first data set, and those of subsets that say the same in all; the names of those that differ."""
    try:
        datasets = [one for one in json.loads(tree.get("datasets", "[]")) if isinstance(one, dict)]
        subsets = [one for found in datasets for one in found["subsets"] if isinstance(one, dict)]
    except (ValueError, RecursionError, LookupError, TypeError):
        return {}, ()
    names = dict.fromkeys(name for subset in subsets for name in subset if name not in tree)
    alike = [name for name in names if all(one.get(name) == subsets[0].get(name) for one in subsets)]
    plain = {**(datasets[0] if datasets else {}), **{name: subsets[0][name] for name in alike}}
    found = {
        name: value for name, value in plain.items()
        if name not in tree and name != "subsets" and isinstance(value, str | int | float | bool | list)
    }  # fmt: skip
    return found, tuple(name for name in names if name not in alike and name in SETTING_KEYS)


def _family(ledger: Ledger, identity: Identity) -> str:
    version = ledger.read("base_model_version", text, "")
    found = next((family for beginning, family in BASE_MODEL_VERSIONS if version.lower().startswith(beginning)), None)
    if identity.family and found and identity.family != found:
        ledger.contradict("base_model_version", f"its weights are of {identity.family}, and they count")
        found = identity.family
    elif found:
        ledger.settle("base_model_version", "model.family", found, "our name of it")
    family = identity.family or found or "sd1"
    ledger.imply("model.family", family)
    if ledger.has("v2"):
        ledger.idle("v2", "the family says it")
    return family


def _settle_prediction(ledger: Ledger, identity: Identity, family: str) -> None:
    given = ledger.read("modelspec.prediction_type", text, "")
    if (known := KNOWN_FAMILIES.get(family)) is not None and known.prediction == "flow":
        ledger.imply("model.prediction", "flow")  # sd-scripts writes epsilon for these too
        ledger.idle("modelspec.prediction_type", "all models of this family are of flow matching")
        return
    version = str(ledger.raw("base_model_version") or "")
    is_v = given.startswith("v") or "_v" in version.replace("sd_v", "").replace("base_v", "")
    if given:
        ledger.settle("modelspec.prediction_type", "model.prediction", "v_prediction" if is_v else "epsilon")
    elif identity.prediction:
        ledger.imply("model.prediction", identity.prediction)


def _arguments(text: str) -> Iterator[tuple[str, str]]:
    """Names and values in `name=value,name=(value,value)`."""
    for found in re.finditer(r"(?<!\w)(\w++)=(\([^)]*\)|\[[^\]]*\]|[^,]*)", text):
        yield found[1], found[2]


def _settle_optimizer(ledger: Ledger, *, has_text_encoder: bool) -> None:
    """`package.Name(argument=value,...)`."""
    given = ledger.read("optimizer", text, "")
    found = re.match(r"^([\w.]+)\s*(?:\((.*)\))?", given, re.DOTALL)
    schedule = str(ledger.raw("lr_scheduler") or "")
    if found:
        items = [
            name + "=" + re.sub(r"[()\s]", "", value)
            for name, value in islice(_arguments(found[2] or ""), MOST_ARGUMENTS)
        ]
        side = Ledger({"optimizer": found[1], "arguments": items})
        settle_optimizer(side, "optimizer", "arguments", schedule=schedule)
        for path, value in side.settings.items():
            ledger.settle("optimizer", path, value, "" if path == "optimizer.name" else "one of its arguments")
        name = side.settings.get("optimizer.name")
        if name and "optimizer.weight_decay" not in side.settings:
            ledger.imply("optimizer.weight_decay", WEIGHT_DECAYS.get(name, 0.0))
    rate = rate_of(ledger, "learning_rate", "optimizer.learning_rate")
    if rate_of(ledger, "unet_lr", "optimizer.unet_learning_rate") is None and rate is not None:
        ledger.imply("optimizer.unet_learning_rate", rate)
    if not has_text_encoder:
        ledger.imply("optimizer.text_encoder_learning_rate", 0.0)
        note = "no adapter of a text encoder is in the file: none was trained, and its rate is 0"
        ledger.translate("text_encoder_lr", note) if "text_encoder_lr" in ledger.all_keys() else None
    elif rate_of(ledger, "text_encoder_lr", "optimizer.text_encoder_learning_rate") is None and rate is not None:
        ledger.imply("optimizer.text_encoder_learning_rate", rate)


def _settle_network(ledger: Ledger, identity: Identity, family: str) -> None:
    items = _network_arguments(ledger)
    module = ledger.read("network_module", text)
    is_lycoris = module == LYCORIS_MODULE
    known = NETWORK_MODULES.ours(module or "")
    kind = known
    if is_lycoris:
        kind = ALGORITHMS.ours(str(items.get("algo", "lora"))) or "locon"
    kind = kind or identity.adapter or "lora"
    if kind == "lora" and "conv_dim" in items:
        kind = "locon"
    if module:
        ledger.settle("network_module", "network.kind", kind, "" if known else f"{kind} is the nearest")
    arguments = NetworkArguments(items, dict.fromkeys(items, "network_args"))
    settle_arguments(ledger, kind, arguments, is_lycoris=is_lycoris, family=family)
    if family == ANIMA:
        settle_anima_arguments(ledger, items, "network_args")
    if identity.dora_axis is not None:
        ledger.imply("network.dora_axis", identity.dora_axis)  # the file itself, whatever its metadata leave out
    if ledger.has("network_args"):
        ledger.translate("network_args", "what it says of convolutions and dropout")


def _network_arguments(ledger: Ledger) -> dict[str, Any]:
    raw = ledger.raw("network_args")
    try:
        found = json.loads(raw) if isinstance(raw, str) else raw
    except (ValueError, RecursionError):
        return {}
    items = found if isinstance(found, dict) else {}
    return {
        str(name): value for name, value in list(items.items())[:100] if isinstance(value, str | int | float | bool)
    }


def _settle_length(ledger: Ledger) -> None:
    epochs, steps = ledger.read("num_epochs", whole, 0), ledger.read("max_train_steps", whole, 0)
    batches = ledger.read("num_batches_per_epoch", whole, 0)
    if epochs > 0:
        ledger.settle("num_epochs", "schedule.epochs", epochs)
        accumulation = int(ledger.settings.get("schedule.gradient_accumulation", 1))
        if 0 < steps * accumulation < epochs * batches:
            ledger.settle("max_train_steps", "schedule.max_steps", steps)
    warmup = ledger.read("lr_warmup_steps", number, 0.0)
    if 0 < warmup < 1:
        ledger.settle("lr_warmup_steps", "schedule.warmup_share", warmup, "under 1 it is a share of the steps")
    elif ledger.has("lr_warmup_steps"):
        ledger.settle("lr_warmup_steps", "schedule.warmup_steps", int(warmup))


def _settle_folders(ledger: Ledger) -> None:
    """Repeats and trigger, by the folders' names."""
    raw = ledger.raw("dataset_dirs")
    try:
        folders = json.loads(raw) if isinstance(raw, str) else None
    except (ValueError, RecursionError):
        folders = None
    if not isinstance(folders, dict):
        if (repeats := ledger.read("num_repeats", whole)) is not None:
            ledger.settle("num_repeats", "dataset.repeats", repeats)
        return
    repeats = {str(name): entry["n_repeats"] for name, entry in folders.items() if _is_count(entry)}
    named = {name: found for name in repeats if (found := NUMBERED_FOLDER.match(name))}
    captions = {name: (found[2] or "").strip() for name, found in named.items()}
    if len(set(repeats.values())) == 1:
        ledger.settle("dataset_dirs", "dataset.repeats", next(iter(repeats.values())), "the same for all its folders")
    elif repeats:
        listed = [
            {"path": name, "repeats": count, "subfolders": False, "caption": captions.get(name, "")}
            for name, count in repeats.items()
        ]
        ledger.settle("dataset_dirs", "dataset.folders", listed, "these folders and no others, each with its own")
        ledger.imply("dataset.only_folders", True)
    if captions and (word := first_word(list(captions.values()))):
        ledger.settle("dataset_dirs", "run.trigger", word, "from the names of its folders")


def _is_count(entry: Any) -> bool:
    return isinstance(entry, dict) and isinstance(entry.get("n_repeats"), int) and entry["n_repeats"] > 0


def _compare_with_weights(ledger: Ledger, identity: Identity) -> tuple[Line, ...]:
    """What the tensors show, where the metadata are silent or say otherwise."""
    lines = []
    for path, value in (("network.rank", identity.rank), ("network.alpha", identity.alpha)):
        if value is None or not 0 < value <= 512:
            continue
        said = ledger.settings.get(path)
        if says_nothing(said):
            ledger.imply(path, value)
            lines.append(Line("the weights", str(value), "translated", path, value, "the metadata do not tell"))
        elif said != value:
            note = f"the metadata say {said}, the weights {value:g}: the metadata are taken"
            lines.append(Line("the weights", str(value), "contradictory", note=note))
    return tuple(lines)
