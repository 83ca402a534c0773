"""Import of the JSON of kohya_ss's LoRA tab, of any age; files of its other tabs are recognised and named."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from templates.importing.imported import Imported, Line
from templates.importing.ledger import Ledger
from templates.importing.local_files import LocalFiles
from templates.importing.readers import flag, number, text, whole
from templates.kohya.defaults import GUI_DEFAULTS, defaults_beside
from templates.kohya.import_anima import anima_defaults, settle_anima, settle_anima_arguments, without_unused
from templates.kohya.import_dataset_toml import ImportedImages, import_dataset
from templates.kohya.import_keys import HARMLESS_MEANINGS, HARMLESS_VALUES, OTHER_FAMILIES, SETTING_KEYS, UNMAPPED_KEYS
from templates.kohya.import_network import (
    UNMAPPED_ARGUMENTS,
    NetworkArguments,
    settle_arguments,
    settle_gui_kind,
)
from templates.kohya.import_optimizer import argument_items, settle_learning_rates, settle_optimizer
from templates.kohya.import_parameters import command_line
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
from templates.kohya.words import ANIMA, BLOCK_RATES, FAMILY_TICKS, MULTIRES_NOISE, SCRIPTS

TITLE = "kohya_ss GUI (LoRA tab)"

LORA_KEYS = frozenset({"LoRA_type", "network_dim", "network_alpha", "unet_lr", "text_encoder_lr", "network_weights"})
"""Only the LoRA tab saves these."""

OTHER_TABS: Mapping[str, frozenset[str]] = {
    "fine-tuning": frozenset({"train_dir", "image_folder", "create_caption", "use_latent_files", "full_path"}),
    "textual inversion": frozenset({"token_string", "init_word", "num_vectors_per_token"}),
    "Dreambooth": frozenset({"no_token_padding", "learning_rate_te", "stop_text_encoder_training_pct",
                             "stop_text_encoder_training", "train_data_dir"}),
}  # fmt: skip
"""Keys that only the other tabs' files have, the surest first."""

OTHER_FAMILY_PARTS = (
    "flux", "sd3", "lumina", "anima", "hunyuan", "t5xxl", "clip_g", "clip_l", "ggpo", "_attn_dim", "_mlp_dim",
    "_mod_dim", "single_dim", "in_dims", "block_indices", "split_qkv", "logit_", "mode_scale", "weighting_scheme",
    "guidance_scale", "discrete_flow", "timestep_sampling", "sigmoid_scale", "model_prediction_type",
    "blocks_to_swap", "apply_t5", "single_blocks", "double_blocks", "mem_eff_save", "pos_emb", "enable_all_linear",
    "train_t5", "train_blocks",
    "save_clip", "fused_", "show_timesteps_resolution",
)  # fmt: skip
"""Parts of keys that only other families of models have."""

OTHER_FAMILY_KEYS = frozenset({"ae", "model_type"})
EMPTY_EXTENSION = ""
"""The GUI hands an empty field on as nothing; an absent key leaves `.txt` in it."""
UNMAPPED_GUI_KEYS = {"additional_parameters": "each of its parameters has its own line"}

WHOLE_MODEL = ("optimizer.", "network.", "schedule.name", "schedule.epochs", "schedule.max_steps", "schedule.warmup",
               "schedule.cycles", "schedule.power", "saving.every", "saving.keep_last")  # fmt: skip
"""What does not make sense for a LoRA, when it was chosen for a whole model."""

WHOLE_MODEL_KEYS = ("learning_rate_te", "train_text_encoder", "full_path", "use_latent_files", "create_caption")
"""Beginnings of keys that only those tabs have."""

GUI_STEPS = 1600
"""The GUI's own `max_train_steps`, which a file without the key gets; and what sd-scripts train where it is 0 and a
file describes the data set."""


@dataclass(frozen=True)
class _Length:
    """How long is trained."""

    exposures: int | None
    batch: int
    accumulation: int
    by_steps: bool = False
    """Only steps count, since the GUI cannot count the images."""


def other_tab(tree: Mapping[str, Any]) -> str:
    """Which other tab saved it, `Dreambooth` for one; empty: the LoRA tab."""
    if LORA_KEYS & tree.keys():
        return ""
    return next((tab for tab, keys in OTHER_TABS.items() if keys & tree.keys()), "")


def import_gui(tree: Mapping[str, Any], local: LocalFiles, *, source: str = "", dataset: Any = None) -> Imported:
    """The GUI's file in our settings.

    Args:
        tree: the file.
        local: what else is on this machine.
        source: its path.
        dataset: what the `dataset.toml` that it names holds; None where there is none here.
    """
    tab = other_tab(tree)
    given, unused = {**tree, **command_line(tree)}, tuple[Line, ...]()
    if _family(Ledger(given)) == ANIMA:
        given, unused = without_unused(given, is_gui=True)
    ledger = Ledger(given)
    family = _family(ledger)
    kind, is_lycoris = settle_gui_kind(ledger)
    settle_model_and_sizes(ledger, family, "max_resolution", Buckets(in_other_file=dataset is not None))
    multires = str(ledger.raw("noise_offset_type")).lower() == MULTIRES_NOISE.lower()
    is_forced = any(name.startswith("--multires") for name in ledger.all_keys("--"))
    settle_noise(ledger, multires=multires or is_forced, offset=not multires)
    ledger.translate("noise_offset_type", "which of the two is looked at") if ledger.has("noise_offset_type") else None
    _settle_optimizer(ledger)
    _take_setting_keys(ledger)
    _correct_zeros(ledger)
    if ledger.raw("caption_extension") == EMPTY_EXTENSION:
        ledger.settle("caption_extension", "dataset.caption_extension", ".caption", "empty: sd-scripts' own")
    _settle_network(ledger, kind or "lora", is_lycoris=is_lycoris, family=family)
    settle_saves(ledger, zero_is_left_out=True)
    images = _settle_images(ledger, local, dataset, family)
    _settle_length(ledger, _length(ledger, images, by_steps=ledger.has("dataset_config")))
    _settle_samples(ledger)
    if family == ANIMA:
        settle_anima(ledger, is_gui=True)
    else:
        settle_text_cache(ledger, "sdxl_cache_text_encoder_outputs", family)
    _mark_other_families(ledger, family)
    lines = ledger.finish(
        {**UNMAPPED_KEYS, **UNMAPPED_ARGUMENTS, **UNMAPPED_GUI_KEYS}, HARMLESS_VALUES, HARMLESS_MEANINGS
    )
    settings = {**ledger.settings, **images.settings}
    defaults = defaults_beside(settings, anima_defaults(family, GUI_DEFAULTS))
    found = Imported("kohya-gui", TITLE, source, settings, (*lines, *images.lines, *unused), defaults)
    return _for_a_lora(found, tab) if tab else found


def _family(ledger: Ledger) -> str:
    ticks = [name for name in FAMILY_TICKS if ledger.read(name, flag, False)]
    for name in ticks[1:]:
        if FAMILY_TICKS[name] != FAMILY_TICKS[ticks[0]]:
            ledger.contradict(name, f"a model is of one family; {ticks[0]} counts")
    family = FAMILY_TICKS[ticks[0]] if ticks else "sd1"
    if ticks:
        ledger.settle(ticks[0], "model.family", family, "the tick names the family")
    ledger.imply("model.family", family)
    return family


ARGUMENTS_KEY = "--network_args"
LEAVES_OUT_ZERO = ("max_grad_norm", "prior_loss_weight", "network_alpha", "lr_scheduler_power")
"""Keys of which the GUI hands on no 0, so that sd-scripts take their own value."""


def _correct_zeros(ledger: Ledger) -> None:
    for key in LEAVES_OUT_ZERO:
        path = SETTING_KEYS[key].path
        if ledger.effective_key(key) == key and ledger.has(key) and ledger.read(key, number, 1.0) == 0:
            usual = GUI_DEFAULTS[path]
            ledger.correct(key, path, usual, f"the GUI hands on no 0: sd-scripts' own {usual:g} counts")


def _take_setting_keys(ledger: Ledger) -> None:
    for key, meaning in SETTING_KEYS.items():
        name = ledger.effective_key(key)
        if ledger.raw(name) is None or key in ("max_token_length", "rank_dropout", "module_dropout", "vae"):
            continue
        if key == "lr_scheduler_min_lr_ratio" or name.startswith("--") or ledger.has(name):
            ledger.take(name, meaning)
    vae, tokens = ledger.effective_key("vae"), ledger.effective_key("max_token_length")
    if ledger.has(vae):
        ledger.take(vae, SETTING_KEYS["vae"])
    if ledger.has(tokens):
        ledger.take(tokens, SETTING_KEYS["max_token_length"])


def _settle_optimizer(ledger: Ledger) -> None:
    schedule = str(ledger.raw(ledger.effective_key("lr_scheduler")) or "cosine").lower()
    if ledger.has("optimizer"):
        ledger.idle("use_8bit_adam", "an old key; the optimizer counts")
    elif (eight_bit := ledger.read("use_8bit_adam", flag)) is not None:
        ledger.imply("optimizer.name", "adamw8bit" if eight_bit else "adamw")
        ledger.translate("use_8bit_adam", "the old key: optimizer.name says it")
    settle_optimizer(ledger, "optimizer", "optimizer_args", schedule=schedule)
    settle_learning_rates(ledger, GUI_DEFAULTS, is_gui=True)


def _settle_network(ledger: Ledger, kind: str, *, is_lycoris: bool, family: str) -> None:
    old = "lora_network_weights"
    if ledger.has(old) and not ledger.has("network_weights"):
        ledger.settle(old, "network.start_from", ledger.read(old, text, ""), "the old name of network_weights")
    names = (
        "dora_wd",
        "rank_dropout",
        "module_dropout",
        "factor",
        "block_dims",
        "conv_dim",
        "conv_alpha",
        *BLOCK_RATES,
    )
    keys = {name: name for name in names if ledger.has(name)}
    if ledger.has("LyCORIS_preset"):
        keys["preset"] = "LyCORIS_preset"
    values = {name: ledger.raw(key) for name, key in keys.items()}
    if family == ANIMA and ledger.has(ARGUMENTS_KEY):  # in place of all that the GUI makes of its keys
        for key in keys.values():
            ledger.idle(key, f"{ARGUMENTS_KEY} in the additional parameters counts")
        values = dict(item.partition("=")[::2] for item in argument_items(ledger.raw(ARGUMENTS_KEY)))
        keys = dict.fromkeys(values, ARGUMENTS_KEY)
        ledger.translate(ARGUMENTS_KEY, "the adapter's arguments")
        settle_anima_arguments(ledger, values, ARGUMENTS_KEY)
    found = NetworkArguments(values, keys)
    settle_arguments(ledger, kind, found, is_lycoris=is_lycoris, family=family)


def _settle_images(ledger: Ledger, local: LocalFiles, dataset: Any, family: str) -> ImportedImages:
    if not ledger.has("dataset_config"):
        return ImportedImages({}, (), settle_folders(ledger, local))
    for key in ("train_data_dir", "reg_data_dir"):
        ledger.idle(key, "dataset_config counts")
    if dataset is None:
        ledger.drop("dataset_config", "that file is not on this machine, so nothing is known of the pictures")
        return ImportedImages({}, ())
    ledger.translate("dataset_config", "its keys follow")
    has_buckets = ledger.read(ledger.effective_key("enable_bucket"), flag, True)
    return import_dataset(dataset, family, {**GUI_DEFAULTS, **ledger.settings}, has_buckets=has_buckets)


def _length(ledger: Ledger, images: ImportedImages, *, by_steps: bool) -> _Length:
    batch = images.settings.get("schedule.batch_size", ledger.settings.get("schedule.batch_size", 1))
    accumulation = int(ledger.settings.get("schedule.gradient_accumulation", 1))
    return _Length(images.exposures, int(batch), accumulation, by_steps)


def _settle_length(ledger: Ledger, length: _Length) -> None:
    """Steps beat epochs in the GUI, but for its key of epochs that beats both."""
    epochs = max(1, ledger.read("epoch", whole, 1))
    steps_key, most_key = ledger.effective_key("max_train_steps"), ledger.effective_key("max_train_epochs")
    steps, most_epochs = ledger.read(steps_key, whole, 0), ledger.read(most_key, whole, 0)
    if length.by_steps and not steps and not most_epochs:
        steps, note = GUI_STEPS, f"with a file for the data set the GUI leaves it to sd-scripts: {GUI_STEPS} steps"
        ledger.idle("epoch", note)
        ledger.imply("schedule.max_steps", steps)
    if most_epochs > 0:
        ledger.settle(most_key, "schedule.epochs", most_epochs)
        for key in ("epoch", steps_key):
            ledger.idle(key, "max_train_epochs counts")
        steps = 0
    elif steps > 0:
        needed = epochs_needed(steps, length.exposures, batch=length.batch, accumulation=length.accumulation)
        if ledger.has(steps_key):
            ledger.settle(steps_key, "schedule.max_steps", steps)
        note = "" if needed <= epochs else f"kohya looks at the {steps} steps only; so many epochs hold them"
        if ledger.is_pending("epoch"):
            ledger.settle("epoch", "schedule.epochs", max(epochs, needed), note)
        else:
            ledger.imply("schedule.epochs", max(epochs, needed))
    elif ledger.has("epoch"):
        ledger.settle("epoch", "schedule.epochs", epochs)
    if steps_key == "max_train_steps" and ledger.raw(steps_key) is None and not steps and not most_epochs:
        note = f"absent: today's GUI would train {GUI_STEPS} steps; the epochs are taken, as the file means them"
        ledger.contradict(steps_key, note)
    _settle_warmup(ledger)


def _settle_warmup(ledger: Ledger) -> None:
    share, number = (
        ledger.read("lr_warmup", whole, None),
        ledger.read(ledger.effective_key("lr_warmup_steps"), whole, 0),
    )
    is_constant = ledger.settings.get("schedule.name") == "constant"
    if is_constant and (share or number):
        ledger.contradict("lr_warmup_steps" if number else "lr_warmup", "a constant rate has no warm-up")
        ledger.imply("schedule.warmup_share", 0.0)
        return
    if number:
        ledger.settle(ledger.effective_key("lr_warmup_steps"), "schedule.warmup_steps", number)
        ledger.idle("lr_warmup", "the number of steps counts")
        ledger.imply("schedule.warmup_share", 0.0)
    elif share is not None:
        ledger.settle(
            "lr_warmup", "schedule.warmup_share", share / 100, "a percentage; ours is a share" if share else ""
        )
    if is_constant:
        ledger.imply("schedule.warmup_share", 0.0)


def _settle_samples(ledger: Ledger) -> None:
    prompts, every = ledger.read("sample_prompts", str), ledger.read("sample_every_n_epochs", whole, 0)
    if not prompts or not every:
        mark_samples_idle(ledger)
        return
    settle_prompts(ledger, "sample_prompts", prompts)
    ledger.settle("sample_every_n_epochs", "sampling.every_epochs", every)
    settle_sampler(ledger, "sample_sampler")


def _mark_other_families(ledger: Ledger, family: str) -> None:
    """Keys that only other families have: for a Stable Diffusion model they change nothing."""
    for key in ledger.all_keys():
        if ledger.is_pending(key) and (key in OTHER_FAMILY_KEYS or any(part in key for part in OTHER_FAMILY_PARTS)):
            say = ledger.idle if family in SCRIPTS.written or not ledger.has(key) else ledger.drop
            say(key, OTHER_FAMILIES)


def _for_a_lora(found: Imported, tab: str) -> Imported:
    """Images, base model and captions of another tab's file; rates and lengths were meant for a whole model."""
    lines = tuple(_without(line, tab) if _is_for_whole_models(line) else line for line in found.lines)
    settings = {path: value for path, value in found.settings.items() if not path.startswith(WHOLE_MODEL)}
    title = f"kohya_ss GUI ({tab} tab)"
    defaults = {path: value for path, value in found.defaults.items() if path.startswith("dataset.")}
    return Imported("kohya-gui", title, found.source, settings, lines, defaults, meant_for=tab)


def _is_for_whole_models(line: Line) -> bool:
    return line.path.startswith(WHOLE_MODEL) or (line.verdict == "unknown" and line.key.startswith(WHOLE_MODEL_KEYS))


def _without(line: Line, tab: str) -> Line:
    return Line(line.key, line.found, "dropped", note=f"meant for {tab}, not for a LoRA")
