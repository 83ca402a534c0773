"""Import of OneTrainer's `config.json`, with the concepts and samples that it names."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from templates.importing.imported import Imported, Line
from templates.importing.ledger import Key, Ledger, flat
from templates.importing.readers import flag, number, text, whole
from templates.onetrainer.defaults import DEFAULTS, WEIGHT_DECAYS
from templates.onetrainer.flow_bases import FlowBase
from templates.onetrainer.import_concepts import settle_concepts, settle_samples
from templates.onetrainer.import_flow import as_for_others, flow_base_of, original_key, settle_filter, settle_flow
from templates.onetrainer.import_keys import (
    HARMLESS_MEANINGS,
    HARMLESS_VALUES,
    OTHER_PARTS,
    SETTING_KEYS,
    UNMAPPED_KEYS,
    UNMAPPED_PART_KEYS,
)
from templates.onetrainer.import_optimizer import settle_optimizer, settle_schedule
from templates.onetrainer.words import (
    ALL_LAYERS,
    ATTENTION_FILTER,
    CONSTANT_WEIGHT,
    DEBIASED,
    EPOCH,
    KINDS,
    LEAST_SCALE,
    LOSSES,
    MIN_SNR,
    MINUTES,
    MODEL_TYPES,
    NEVER,
    OUTPUT_AXIS,
    STEP,
    TIMESTEP_SAMPLINGS,
    V_PREDICTION_TYPES,
    WEIGHT_DTYPES,
)

TITLE = "OneTrainer"

OF_ANY_TRAINING = ("model.", "dataset.", "run.")
"""Beginnings of settings that make sense for a LoRA too, where a file trains something else."""

OWN_KEYS = frozenset(
    {"training_method", "base_model_name", "model_type", "lora_rank", "concept_file_name", "workspace_dir"}
)
"""A file with two of these is OneTrainer's."""


def is_onetrainer(tree: Mapping[str, Any]) -> bool:
    """Whether a file is OneTrainer's configuration."""
    return len(OWN_KEYS & tree.keys()) >= 2


def import_onetrainer(
    tree: Mapping[str, Any], *, source: str = "", concepts: Any = None, samples: Any = None
) -> Imported:
    """The file in our settings.

    Args:
        tree: the configuration.
        source: its path.
        concepts: what its concept file holds; None where it is not here, and the configuration's own count.
        samples: likewise of its samples.
    """
    parts: dict[str, Any] = {"concepts": concepts, "samples": samples}
    whole_tree = {**tree, **{name: found for name, found in parts.items() if isinstance(found, list)}}
    given, unused = dict(flat(whole_tree)), tuple[Line, ...]()
    if (base := flow_base_of(tree)) is not None:
        given, unused = as_for_others(given)
    ledger = Ledger(given)
    meant_for = _method(ledger)
    family = _family(ledger)
    _settle_model(ledger, family)
    for key, meaning in SETTING_KEYS.items():
        if ledger.has(key):
            ledger.take(key, meaning)
    settle_optimizer(ledger, family)
    settle_schedule(ledger)
    _settle_network(ledger, base)
    _settle_loss(ledger)
    _settle_memory(ledger)
    _settle_saving(ledger)
    settle_concepts(ledger)
    settle_samples(ledger)
    if base is not None:
        settle_flow(ledger)
    _mark_other_parts(ledger)
    lines = ledger.finish(UNMAPPED_KEYS, HARMLESS_VALUES, HARMLESS_MEANINGS)
    if base is not None:
        lines = (*map(original_key, lines), *unused)
    settings = ledger.settings
    defaults = _defaults(settings)
    if meant_for:
        settings = {path: value for path, value in settings.items() if path.startswith(OF_ANY_TRAINING)}
        lines = tuple(_without(line, meant_for) if line.path not in ("", *settings) else line for line in lines)
        defaults = {path: value for path, value in defaults.items() if path.startswith("dataset.")}
    return Imported("onetrainer", TITLE, source, settings, lines, defaults, notes=(SIZES,), meant_for=meant_for)


def _defaults(settings: Mapping[str, Any]) -> dict[str, Any]:
    found = {path: value for path, value in DEFAULTS.items() if path not in settings}
    if "optimizer.weight_decay" in found:
        found["optimizer.weight_decay"] = WEIGHT_DECAYS[settings.get("optimizer.name", "adamw")]
    if "schedule.warmup_share" in settings:
        found.pop("schedule.warmup_steps", None)
        found |= {} if "schedule.warmup_steps" in settings else {"schedule.warmup_steps": 0}
    return found


def _without(line: Line, meant_for: str) -> Line:
    return Line(line.key, line.found, "dropped", note=f"meant for {meant_for}, not for a LoRA")


def _method(ledger: Ledger) -> str:
    method = ledger.read("training_method", text, "FINE_TUNE")
    ledger.translate("training_method", "what is trained") if ledger.has("training_method") else None
    return "" if method == "LORA" else str(method).lower().replace("_", " ")


def _family(ledger: Ledger) -> str:
    given = str(ledger.read("model_type", text, MODEL_TYPES.theirs("sd1")))
    family = MODEL_TYPES.ours(given) or given.lower()[:40]
    if ledger.has("model_type"):
        ledger.settle("model_type", "model.family", family, "our name of it")
    if "INPAINTING" in given or "DEPTH" in given:
        ledger.contradict("model_type", "we train no models for inpainting or depth")
    ledger.imply("model.family", family)
    return family


def _settle_model(ledger: Ledger, family: str) -> None:
    is_v, is_epsilon = (ledger.read(f"force_{name}_prediction", flag, False) for name in ("v", "epsilon"))
    if is_v and is_epsilon:
        ledger.contradict("force_epsilon_prediction", "force_v_prediction is on too, and counts")
    if is_v or is_epsilon:
        key = "force_v_prediction" if is_v else "force_epsilon_prediction"
        ledger.settle(key, "model.prediction", "v_prediction" if is_v else "epsilon", "what the base model predicts")
    elif family == "sd2" and ledger.raw("model_type") in V_PREDICTION_TYPES:
        ledger.imply("model.prediction", "v_prediction")
    skip = ledger.read("text_encoder_layer_skip", whole)
    if skip is not None and family != "sdxl":
        ledger.settle("text_encoder_layer_skip", "model.clip_skip", skip + 1, "ours counts from 1" if skip else "")
    if (side := ledger.read("resolution", _side)) is not None:
        odd = str(ledger.raw("resolution")).strip() != str(side)
        ledger.settle("resolution", "dataset.resolution_px", side, "the first of several" if odd else "kept as text")
    _settle_buckets(ledger)


SIZES = (
    "OneTrainer takes each picture to the nearest of nine aspect ratios, with sides in steps of 8 px (SDXL: 64); here "
    "sides are multiples of 64 within the limits of the buckets, so that sizes differ a little"
)
"""Told with every import: no key of the file says it."""


def _settle_buckets(ledger: Ledger) -> None:
    """OneTrainer's buckets reach to four times as long as wide; without them the square is the only size."""
    side = int(ledger.settings.get("dataset.resolution_px", DEFAULTS["dataset.resolution_px"]))
    has_buckets = ledger.read("aspect_ratio_bucketing", flag, True)
    least, most = (side // 2, side * 2) if has_buckets else (side, side)
    ledger.imply("dataset.min_bucket_px", least)
    ledger.imply("dataset.max_bucket_px", most)
    if ledger.has("aspect_ratio_bucketing"):
        ledger.translate("aspect_ratio_bucketing", "" if has_buckets else "no buckets: the square is the only size")


def _side(raw: Any) -> int:
    first = str(raw).replace("x", ",").split(",")[0].strip()
    return whole(first)


def _settle_network(ledger: Ledger, base: FlowBase | None) -> None:
    kind = KINDS.ours(ledger.read("peft_type", text, KINDS.theirs("lora")))
    if kind is None:
        ledger.contradict("peft_type", "we have no such kind; a plain LoRA is taken")
        kind = "lora"
    elif ledger.has("peft_type"):
        ledger.settle("peft_type", "network.kind", kind)
    rank_key = "lokr_dim" if kind == "lokr" and ledger.has("lokr_dim") else "lora_rank"
    if ledger.has(rank_key):
        ledger.take(rank_key, Key("network.rank", whole))
    ledger.idle("lora_rank" if rank_key == "lokr_dim" else "lokr_dim", "it belongs to another kind")
    if (factor := ledger.read("lokr_decompose_factor", whole)) is not None:
        if kind == "lokr":
            ledger.settle("lokr_decompose_factor", "network.factor", factor)
        else:
            ledger.idle("lokr_decompose_factor", "it belongs to LoKr")
    preset_key = "layer_filter_preset" if ledger.has("layer_filter_preset") else "lora_layer_preset"
    preset = ledger.read(preset_key, text, ALL_LAYERS)
    if ledger.has(preset_key):
        ledger.translate(
            preset_key, "all layers: network.conv_rank is the rank" if preset == ALL_LAYERS else "no convolutions"
        )
    filters = ledger.read("layer_filter", text, "")
    if base is not None:
        settle_filter(ledger, base, filters, preset)
    elif filters not in ("", ATTENTION_FILTER):
        ledger.drop("layer_filter", "we choose no single layers")
    elif filters:
        ledger.idle("layer_filter", "the preset says it")
    has_convolutions = preset == ALL_LAYERS and not filters and base is None
    ledger.imply("network.conv_rank", ledger.settings.get("network.rank", 16) if has_convolutions else 0)
    if has_convolutions and kind == "lora":
        kind = "locon"
    if kind in ("lora", "locon") and ledger.read("lora_decompose", flag, False):
        kind = "dora"
        ledger.translate("lora_decompose", "network.kind is dora")
    _settle_dora_axis(ledger, kind)
    ledger.imply("network.kind", kind)


def _settle_dora_axis(ledger: Ledger, kind: str) -> None:
    by_output = ledger.read(OUTPUT_AXIS, flag, False)
    if kind != "dora":
        ledger.idle(OUTPUT_AXIS, "only DoRA reads it") if by_output else None
    elif ledger.has(OUTPUT_AXIS):
        ledger.settle(OUTPUT_AXIS, "network.dora_axis", "output" if by_output else "input")
    else:
        ledger.imply("network.dora_axis", "input")


def _settle_loss(ledger: Ledger) -> None:
    usual = LOSSES.theirs("l2")
    strengths = {key: ledger.read(key, number, 1.0 if key == usual else 0.0) for key in LOSSES.spellings}
    strongest = max(strengths, key=lambda key: strengths[key])
    for key, kind in LOSSES.spellings.items():
        if key == strongest and ledger.has(key):
            note = "" if strengths[key] == 1 and sum(strengths.values()) == 1 else "the strongest of several is taken"
            ledger.settle(key, "loss.kind", kind, note)
        elif strengths[key] and ledger.has(key):
            ledger.drop(key, "we have one kind of loss")
    function = ledger.read("loss_weight_fn", text, CONSTANT_WEIGHT).upper()
    strength = ledger.read("loss_weight_strength", number, 5.0)
    if function == MIN_SNR:
        ledger.settle("loss_weight_strength", "loss.min_snr_gamma", strength, "the gamma of min-SNR")
        ledger.translate("loss_weight_fn", "loss.min_snr_gamma says it")
    elif function == DEBIASED:
        ledger.settle("loss_weight_fn", "loss.debiased", True, "the weight by the signal-to-noise ratio's root")
    elif function != CONSTANT_WEIGHT:
        ledger.drop("loss_weight_fn", "we have no such weight of timesteps")
    ledger.idle("loss_weight_fn") if function == CONSTANT_WEIGHT else None
    if function != MIN_SNR:
        ledger.idle("loss_weight_strength", "nothing takes it")
    for key, path in (("min_noising_strength", "loss.min_timestep"), ("max_noising_strength", "loss.max_timestep")):
        if (share := ledger.read(key, number)) is not None:
            ledger.settle(
                key, path, int(1000 * share), "a share of the 1000 timesteps" if share not in (0.0, 1.0) else ""
            )
    _settle_timesteps(ledger)


def _settle_timesteps(ledger: Ledger) -> None:
    """How timesteps are drawn; its numbers are OneTrainer's for other distributions too, which we do not have."""
    distribution = ledger.read("timestep_distribution", text, "UNIFORM").upper()
    found = TIMESTEP_SAMPLINGS.spellings.get(distribution)
    if found is None:
        ledger.drop("timestep_distribution", f"we draw timesteps evenly or logit-normal, not by {distribution[:30]}")
    elif ledger.has("timestep_distribution"):
        ledger.settle("timestep_distribution", "loss.timestep_sampling", found)
    if found == "logit_normal":
        for key, path, more in (
            ("noising_bias", "loss.timestep_mean", 0.0),
            ("noising_weight", "loss.timestep_scale", LEAST_SCALE),
        ):
            if (given := ledger.read(key, number)) is not None:
                ledger.settle(key, path, given + more)
    else:
        ledger.idle("noising_bias", "only LOGIT_NORMAL takes it with us")
        ledger.idle("noising_weight", "only LOGIT_NORMAL takes it with us")
    if ledger.read("dynamic_timestep_shifting", flag, False):
        ledger.settle("dynamic_timestep_shifting", "loss.timestep_shift", "auto")
        ledger.idle("timestep_shift", "the shift follows from the picture's size")
    elif (shift := ledger.read("timestep_shift", number)) is not None:
        ledger.settle("timestep_shift", "loss.timestep_shift", shift)


def _settle_memory(ledger: Ledger) -> None:
    for key in ("unet.weight_dtype", "weight_dtype"):
        if not ledger.has(key):
            continue
        given = str(ledger.raw(key))
        known = WEIGHT_DTYPES.ours(given)
        dtype = known or WEIGHT_DTYPES.nearest(given)
        if dtype is None:
            ledger.contradict(key, "we keep the base model in no such type")
        else:
            ledger.settle(key, "memory.base_dtype", dtype, "" if known else f"{dtype} is the nearest")
            break
    for key in ("unet.gradient_checkpointing", "gradient_checkpointing"):
        if not ledger.has(key):
            continue
        raw = ledger.raw(key)
        value = (
            raw != "OFF" if isinstance(raw, str) and raw in ("ON", "OFF", "CPU_OFFLOADED") else ledger.read(key, flag)
        )
        if value is not None:
            ledger.settle(key, "memory.gradient_checkpointing", value)
        break
    ema = ledger.read("ema", text, "OFF").upper()
    if ledger.has("ema"):
        ledger.settle("ema", "loss.ema", ema != "OFF", "" if ema in ("OFF", "GPU") else "kept where the weights are")


def _settle_saving(ledger: Ledger) -> None:
    destination = ledger.read("output_model_destination", text, "")
    name = destination.replace("\\", "/").rpartition("/")[2].rpartition(".")[0] or destination.rpartition("/")[2]
    if name:
        ledger.settle("output_model_destination", "saving.name", name, "the file's name")
    ledger.idle("save_filename_prefix", "saves are named after the LoRA")
    _settle_every(ledger)
    unit = ledger.read("backup_after_unit", text, "MINUTE").upper()
    after = ledger.read("backup_after", whole, 30)
    if unit in MINUTES and ledger.has("backup_after"):
        minutes = max(1, round(after * MINUTES[unit]))
        ledger.settle("backup_after", "saving.state_every_minutes", minutes, "a backup is what a run resumes from")
    else:
        ledger.imply("saving.state_every_minutes", 0)
        ledger.idle("backup_after", "our state is saved at the end of each epoch")
    ledger.idle("backup_after_unit")


def _settle_every(ledger: Ledger) -> None:
    unit, every = ledger.read("save_every_unit", text, NEVER).upper(), ledger.read("save_every", whole, 0)
    paths = {EPOCH: "saving.every_epochs", STEP: "saving.every_steps"}
    if unit in paths and every:
        ledger.settle("save_every", paths[unit], every, f"counted in {unit.lower()}s")
        ledger.translate("save_every_unit", "with save_every")
    elif unit in (NEVER, EPOCH, STEP):
        ledger.idle("save_every", "only the last is saved")
        ledger.idle("save_every_unit")
    else:
        ledger.drop("save_every", f"we save by epochs or steps, not by {unit[:20].lower()}")
        ledger.idle("save_every_unit")
    ledger.imply("saving.every_epochs", every if unit == EPOCH else 0)


def _mark_other_parts(ledger: Ledger) -> None:
    """Parts that this model does not have, and the record of other optimizers' settings."""
    for key in ledger.all_keys():
        if not ledger.is_pending(key):
            continue
        top = key.partition(".")[0].partition("[")[0]
        if top in OTHER_PARTS:
            ledger.idle(key, OTHER_PARTS[top])
        elif top in ("unet", "text_encoder", "text_encoder_2", "vae", "optimizer") and key not in UNMAPPED_KEYS:
            name = key.rpartition(".")[2]
            if ledger.raw(key) in HARMLESS_VALUES.get(name, (None, False, 0, 0.0, "", 1.0, True)):
                ledger.idle(key)
            elif name in UNMAPPED_PART_KEYS:
                ledger.drop(key, UNMAPPED_PART_KEYS[name])
