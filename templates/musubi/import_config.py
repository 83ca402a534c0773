"""Import of musubi-tuner's `config.toml`, the `dataset.toml` that it names, and the shell lines that start them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from advisor.errors import RunError
from advisor.families import KNOWN_FAMILIES
from templates.importing.imported import Imported, Line
from templates.importing.ledger import Ledger
from templates.importing.local_files import LocalFiles
from templates.importing.readers import flag, text
from templates.kohya.defaults import defaults_beside
from templates.kohya.import_anima import settle_times
from templates.kohya.import_dataset_toml import ImportedImages
from templates.kohya.import_network import NetworkArguments, settle_arguments
from templates.kohya.import_optimizer import argument_items, settle_optimizer
from templates.kohya.import_scripts import flattened, launched, settle_length, settle_prompt_file
from templates.kohya.import_shared import settle_saves
from templates.kohya.words import VISIBLE_DEVICES
from templates.musubi.defaults import DEFAULTS
from templates.musubi.import_dataset import import_dataset
from templates.musubi.import_keys import FLAGS, HARMLESS_MEANINGS, HARMLESS_VALUES, SETTING_KEYS, UNMAPPED_KEYS
from templates.musubi.words import FAMILIES, NETWORK_MODULES, OPTIMIZERS, PLAIN_MODULES

TITLE = "musubi-tuner (config.toml)"
TRAINING = "train_network.py"
"""What the line of `train.sh` has in it that trains."""

SIZES = (
    "musubi-tuner's sizes are multiples of 16 px and reach to about four times as long as wide; here sides are "
    "multiples of 16 within the limits of the buckets, so that sizes differ a little"
)
"""Told with every import: no key of the file says it."""
KNOWN_TIMES = ("sigma", "uniform", "sigmoid", "shift", "flux_shift")
USUAL_GUIDANCE = 4.0
GUIDANCE_DIGITS = 6
OWN_ARGUMENTS = frozenset({"rank_dropout", "module_dropout", "factor"})
"""Arguments of the adapter that are settings of ours."""


def is_musubi(tree: Mapping[str, Any]) -> bool:
    """Whether a file is musubi-tuner's `config.toml`: only its trainers call the denoiser so."""
    return "dit" in flattened(tree)[0]


def import_musubi(
    tree: Mapping[str, Any], local: LocalFiles, *, source: str = "", dataset: Any = None, launch: str = ""
) -> Imported:
    """Both files in our settings.

    Args:
        tree: `config.toml`; empty where only `dataset.toml` is imported.
        source: its path.
        dataset: the contents of `dataset.toml`; None where it is not here.
        launch: the shell lines that start the training, where they lie beside them.

    Raises:
        RunError: it is for a family of which such files are not read.
    """
    flat, doubled = flattened(tree)
    started = launched("\n".join(line for line in launch.splitlines() if TRAINING in line))
    ledger = Ledger({**flat, **started.keys})
    family = _family(ledger, started.script, source)
    ledger.imply("model.family", family)
    ledger.imply("model.prediction", "flow")
    for key, meaning in SETTING_KEYS.items():
        if ledger.has(key):
            ledger.take(key, meaning)
    if ledger.has(VISIBLE_DEVICES):
        ledger.settle(VISIBLE_DEVICES, "machine.gpu_uuid", ledger.read(VISIBLE_DEVICES, text))
    _settle_optimizer(ledger)
    _settle_network(ledger, family)
    _settle_times(ledger)
    _settle_base(ledger)
    settle_saves(ledger, zero_is_left_out=False)
    images = _settle_images(ledger, local, dataset)
    if (batch := images.settings.get("schedule.batch_size")) is not None:
        ledger.imply("schedule.batch_size", batch)
    settle_length(ledger, images.exposures)
    _settle_samples(ledger, local)
    lines = (*ledger.finish(UNMAPPED_KEYS, HARMLESS_VALUES, HARMLESS_MEANINGS), *images.lines)
    lines += tuple(Line(key, "", "contradictory", note="stands in two tables; the last counts") for key in doubled)
    settings = {**ledger.settings, **images.settings}
    defaults = defaults_beside(settings, DEFAULTS)
    if not tree:
        defaults = {path: value for path, value in defaults.items() if path.startswith("dataset.")}
    return Imported("musubi-tuner", TITLE, source, settings, lines, defaults, notes=(SIZES,))


def _family(ledger: Ledger, script: str, source: str) -> str:
    """By the script, else by the module of a plain LoRA; a module for all families leaves the one that we know."""
    module = str(ledger.raw("network_module") or "")
    found = FAMILIES.ours(script) or script if script else ""
    if not found and module.startswith(PLAIN_MODULES) and NETWORK_MODULES.ours(module) is None:
        found = module.removeprefix(PLAIN_MODULES)
    found = found or FAMILIES.written[0]
    if found in FAMILIES.written:
        return found
    known = ", ".join(KNOWN_FAMILIES[name].title for name in FAMILIES.written)
    raise RunError(f"{source or 'it'} trains {found[:40]}; of musubi-tuner's files those for {known} are read")


def _settle_optimizer(ledger: Ledger) -> None:
    schedule = str(ledger.raw("lr_scheduler") or "constant").lower()
    settle_optimizer(ledger, "optimizer_type", "optimizer_args", schedule=schedule, words=OPTIMIZERS)
    rate = ledger.settings.get("optimizer.learning_rate", DEFAULTS["optimizer.learning_rate"])
    ledger.imply("optimizer.unet_learning_rate", rate)
    ledger.imply("optimizer.text_encoder_learning_rate", 0.0)


def _settle_network(ledger: Ledger, family: str) -> None:
    items = dict(item.partition("=")[::2] for item in argument_items(ledger.raw("network_args") or ()))
    module = ledger.read("network_module", text)
    kind = NETWORK_MODULES.ours(module or NETWORK_MODULES.theirs("lora"))
    if module is not None and kind is None:
        ledger.contradict("network_module", "we have no such module; a plain LoRA is taken")
    elif module is not None:
        ledger.settle("network_module", "network.kind", kind)
    keys = dict.fromkeys(items, "network_args")
    settle_arguments(ledger, kind or "lora", NetworkArguments(items, keys), is_lycoris=False, family=family)
    for name in items.keys() - OWN_ARGUMENTS:
        if name in ("exclude_patterns", "include_patterns"):
            ledger.drop("network_args", f"{name}: we choose no single layers")
        elif name.startswith("loraplus"):
            ledger.drop("network_args", f"{name}: we have no LoRA+")
        elif name not in ("conv_dim", "conv_alpha", "verbose"):
            ledger.contradict("network_args", f"{name[:40]} is no argument that we know")
    if not items:
        ledger.idle("network_args")


def _settle_times(ledger: Ledger) -> None:
    """How times are drawn; without a word of it evenly over a schedule of 1,000 steps."""
    key = "timestep_sampling"
    given = str(ledger.read(key, text, KNOWN_TIMES[0])).lower()
    settle_times(ledger, "", usual=KNOWN_TIMES[0])
    if given not in KNOWN_TIMES:
        ledger.drop(key, "we draw timesteps in no such way: as the sigmoid of a normal distribution")


def _settle_base(ledger: Ledger) -> None:
    """The base model: in what the step computes in, or in 8-bit floats."""
    packed = [key for key in FLAGS if ledger.read(key, flag, False)]
    if packed:
        ledger.settle(packed[-1], "memory.base_dtype", "int8", "8-bit floats there, int8 with us")
    for key in FLAGS:
        if ledger.is_pending(key):
            ledger.idle(key)
    ledger.imply("memory.cache_latents", True)
    ledger.imply("memory.cache_text", True)
    ledger.imply("saving.layer_names", "kohya")


def _settle_images(ledger: Ledger, local: LocalFiles, dataset: Any) -> ImportedImages:
    if dataset is not None:
        ledger.translate("dataset_config", "its keys follow") if ledger.has("dataset_config") else None
        return import_dataset(dataset, local)
    if ledger.has("dataset_config"):
        ledger.drop("dataset_config", "that file is not on this machine, so nothing is known of the pictures")
    return ImportedImages({}, ())


def _settle_samples(ledger: Ledger, local: LocalFiles) -> None:
    if settle_prompt_file(ledger, local) and "sampling.prompts" in ledger.settings:
        _settle_guidance(ledger)


def _settle_guidance(ledger: Ledger) -> None:
    """`--l` is what is added to the prompt's own answer; without it there are 4."""
    added = float(ledger.settings.get("sampling.guidance", USUAL_GUIDANCE))
    ledger.imply("sampling.guidance", round(added + 1, GUIDANCE_DIGITS) if added > 1 else 1.0)
