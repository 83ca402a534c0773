"""A configuration as the tree of OneTrainer's `config.json`; keys and values as of August 2026."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from advisor.families import family
from advisor.settings.config import LossConfig, OptimizerConfig, ScheduleConfig, TrainingConfig
from templates.exporting.separate_parts import is_file_name
from templates.onetrainer.export_flow import denoiser_file, flow_base, flow_files
from templates.onetrainer.words import (
    ALL_LAYERS,
    ATTENTION_FILTER,
    ATTENTION_LAYERS,
    BETAS,
    CONSTANT_WEIGHT,
    DEBIASED,
    DTYPES,
    EPOCH,
    FIXED_ADAFACTOR,
    FLAG_ARGUMENTS,
    KINDS,
    LEAST_SCALE,
    LOSSES,
    MIN_SNR,
    MODEL_TYPES,
    NEVER,
    NUMBER_ARGUMENTS,
    OPTIMIZERS,
    OUTPUT_AXIS,
    SCHEDULES,
    SD2_V_PREDICTION,
    STEP,
    TIMESTEP_SAMPLINGS,
    WEIGHT_DTYPES,
)

Tree = dict[str, Any]

CONFIG_VERSION = 11
"""Without this OneTrainer takes a file for an old one and changes it."""


@dataclass(frozen=True)
class ConceptFolder:
    """One folder of images."""

    path: str
    repeats: int
    recursive: bool = False


@dataclass(frozen=True)
class ExportLayout:
    """Where the files of an export are."""

    home: str
    model: str
    vae: str
    weights: str
    """A LoRA to go on from; empty: none."""
    folders: tuple[ConceptFolder, ...]
    regularization: tuple[ConceptFolder, ...]


def config_tree(config: TrainingConfig, layout: ExportLayout) -> Tree:
    """`config.json`."""
    return {
        "__version": CONFIG_VERSION,
        "training_method": "LORA",
        "model_type": model_type(config),
        **_files(config, layout),
        **_training(config),
        **_loss(config.loss),
        **(_parts(config, layout.vae) if flow_base(config) is None else _flow_parts(config, layout)),
        **_network(config, layout),
        "optimizer": _optimizer(config.optimizer),
        **_saving(config),
    }


def model_type(config: TrainingConfig) -> str:
    """OneTrainer's name of the family."""
    model = config.model
    if model.family == "sd2" and model.prediction == "v_prediction":
        return SD2_V_PREDICTION
    return MODEL_TYPES.theirs(model.family)


def _files(config: TrainingConfig, layout: ExportLayout) -> Tree:
    prediction = config.model.prediction
    return {
        "base_model_name": layout.model,
        "workspace_dir": f"{layout.home}/workspace",
        "cache_dir": f"{layout.home}/cache",
        "concept_file_name": f"{layout.home}/concepts.json",
        "sample_definition_file_name": f"{layout.home}/samples.json",
        "output_model_destination": f"{layout.home}/model/{config.saving.name}.safetensors",
        "output_model_format": "KOHYA_LORA",
        "output_dtype": DTYPES.theirs(config.saving.dtype),
        "save_filename_prefix": f"{config.saving.name}-",
        "force_v_prediction": prediction == "v_prediction",
        "force_epsilon_prediction": prediction == "epsilon",
        **({} if (base := flow_base(config)) is None else flow_files(config, base, layout.model)),
    }


def _training(config: TrainingConfig) -> Tree:
    dataset, schedule, memory = config.dataset, config.schedule, config.memory
    return {
        "resolution": str(dataset.resolution_px),
        "aspect_ratio_bucketing": True,
        "latent_caching": memory.cache_latents,
        "masked_training": dataset.masks,
        "unmasked_probability": 0.0,
        "unmasked_weight": 0.0,
        "learning_rate": config.optimizer.learning_rate,
        "learning_rate_scheduler": SCHEDULES.theirs(schedule.name),
        "learning_rate_warmup_steps": _warmup(schedule),
        "learning_rate_cycles": float(schedule.cycles),
        "learning_rate_min_factor": schedule.min_rate if schedule.name == "cosine_with_min_lr" else 0.0,
        "learning_rate_scaler": "NONE",
        "epochs": schedule.epochs,
        "batch_size": schedule.batch_size,
        "gradient_accumulation_steps": schedule.gradient_accumulation,
        "train_dtype": DTYPES.theirs(memory.compute_dtype),
        "fallback_train_dtype": DTYPES.theirs("float32" if memory.compute_dtype == "float32" else "bfloat16"),
        "ema": "GPU" if config.loss.ema else "OFF",
        "ema_decay": config.loss.ema_decay,
        "ema_update_step_interval": 1,
        "dataloader_threads": config.machine.cpu_threads,
        "clip_grad_norm": config.optimizer.max_grad_norm or None,
    }


def _warmup(schedule: ScheduleConfig) -> float:
    """Above 1 a number of batches, up to 1 a share: one batch is written as a little more than one."""
    if not schedule.warmup_steps:
        return schedule.warmup_share
    batches = schedule.warmup_steps * schedule.gradient_accumulation
    return 1.5 if batches == 1 else float(batches)


def _loss(loss: LossConfig) -> Tree:
    strengths = dict.fromkeys(LOSSES.spellings, 0.0)
    strengths[LOSSES.theirs(loss.kind)] = 1.0
    weight, strength = CONSTANT_WEIGHT, 5.0
    if loss.min_snr_gamma:
        weight, strength = MIN_SNR, loss.min_snr_gamma
    elif loss.debiased:
        weight = DEBIASED
    return {
        **strengths,
        "huber_delta": loss.huber_c,
        "loss_weight_fn": weight,
        "loss_weight_strength": strength,
        "offset_noise_weight": loss.noise_offset,
        "perturbation_noise_weight": loss.input_perturbation,
        "rescale_noise_scheduler_to_zero_terminal_snr": loss.zero_terminal_snr,
        "min_noising_strength": strength_of(loss.min_timestep),
        "max_noising_strength": strength_of(loss.max_timestep),
        **_timesteps(loss),
    }


def _timesteps(loss: LossConfig) -> Tree:
    by_size = loss.timestep_shift == "auto"
    return {
        "timestep_distribution": TIMESTEP_SAMPLINGS.theirs(loss.timestep_sampling),
        "noising_bias": loss.timestep_mean,
        "noising_weight": loss.timestep_scale - LEAST_SCALE,
        "timestep_shift": 1.0 if by_size else loss.timestep_shift,
        "dynamic_timestep_shifting": by_size,
    }


def strength_of(timestep: int) -> float:
    """The share of 1000 timesteps that OneTrainer, which cuts off, takes for this one."""
    found = timestep / 1000
    while int(1000 * found) < timestep:
        found = math.nextafter(found, 2.0)
    return found


def _parts(config: TrainingConfig, vae: str) -> Tree:
    optimizer, memory = config.optimizer, config.memory
    text = _part(optimizer.text_encoder_learning_rate, config) | {
        "dropout_probability": config.dataset.caption_dropout,
        "stop_training_after": None,
        "stop_training_after_unit": NEVER,
    }
    parts: Tree = {
        "unet": _part(optimizer.unet_learning_rate, config),
        "text_encoder": text,
        "text_encoder_layer_skip": config.model.clip_skip - 1 if config.model.family != "sdxl" else 0,
        "vae": {
            "model_name": vae,
            "weight_dtype": DTYPES.theirs("float32" if memory.compute_dtype != "bfloat16" else "bfloat16"),
        },
    }
    if config.model.family == "sdxl":
        parts["text_encoder_2"] = dict(text)
    return parts


def _flow_parts(config: TrainingConfig, layout: ExportLayout) -> Tree:
    """The denoiser is a `transformer`; the text encoder is not trained, and leaving captions out stops OneTrainer."""
    memory = config.memory
    computed = WEIGHT_DTYPES.theirs(memory.compute_dtype)
    packs_text = memory.quantised is not None and family(config.model.family).quantised_text is not None
    text = WEIGHT_DTYPES.theirs("int8") if packs_text else computed
    return {
        "transformer": _part(config.optimizer.unet_learning_rate, config) | denoiser_file(layout.model),
        "text_encoder": {"train": False, "weight_dtype": text, "dropout_probability": 0.0},
        "vae": {"model_name": "" if is_file_name(layout.vae) else layout.vae, "weight_dtype": computed},
    }


def _part(rate: float, config: TrainingConfig) -> Tree:
    return {
        "train": rate > 0,
        "learning_rate": rate,
        "weight_dtype": WEIGHT_DTYPES.theirs(config.memory.base_dtype),
        "gradient_checkpointing": config.memory.gradient_checkpointing,
        "stop_training_after": None,
        "stop_training_after_unit": NEVER,
    }


def _network(config: TrainingConfig, layout: ExportLayout) -> Tree:
    network, base = config.network, flow_base(config)
    has_convolutions = network.conv_rank > 0
    usual_filter = "" if has_convolutions else ATTENTION_FILTER
    settled: Tree = {
        "peft_type": KINDS.theirs(network.kind),
        "lora_model_name": layout.weights,
        "lora_rank": network.rank,
        "lora_alpha": network.alpha,
        "lora_decompose": network.kind == "dora",
        OUTPUT_AXIS: network.kind == "dora" and network.dora_axis == "output",
        "lora_weight_dtype": DTYPES.theirs("float32"),
        "lokr_dim": network.rank,
        "lokr_decompose_factor": network.factor,
        "dropout_probability": network.dropout,
        "layer_filter_preset": ALL_LAYERS if has_convolutions else ATTENTION_LAYERS,
        "layer_filter": usual_filter if base is None else base.filters,
        "layer_filter_regex": base is not None and base.filters_are_patterns,
    }
    return settled


def _optimizer(optimizer: OptimizerConfig) -> Tree:
    settled: Tree = {
        "__version": 0,
        "optimizer": OPTIMIZERS.theirs(optimizer.name),
        "weight_decay": optimizer.weight_decay,
        "stochastic_rounding": optimizer.name in ("adamw", "adafactor", "came"),
        "fused_back_pass": False,
    }
    if optimizer.name == "adafactor":
        settled |= dict.fromkeys(FIXED_ADAFACTOR, False)
    return settled | dict(known_arguments(optimizer.arguments))


def known_arguments(arguments: Iterable[str]) -> Mapping[str, Any]:
    """Those arguments of an optimizer that OneTrainer has keys for."""
    found: Tree = {}
    for argument in arguments:
        name, _, text = argument.partition("=")
        if name == "betas":
            betas = text.strip("()[]").split(",")
            found |= {f"beta{number}": float(beta) for number, beta in enumerate(betas, 1) if _is_number(beta)}
        elif name in (*BETAS, *NUMBER_ARGUMENTS, "weight_decay") and _is_number(text):
            found[name] = float(text)
        elif name in FLAG_ARGUMENTS and text in ("True", "False"):
            found[name] = text == "True"
    return found


def _is_number(text: str) -> bool:
    try:
        return math.isfinite(float(text))
    except ValueError:
        return False


def _saving(config: TrainingConfig) -> Tree:
    saving, sampling = config.saving, config.sampling
    draws = bool(sampling.prompts and sampling.every_epochs)
    by_steps = saving.every_steps > 0
    every = saving.every_steps if by_steps else saving.every_epochs
    minutes = saving.state_every_minutes
    return {
        "save_every": every,
        "save_every_unit": (STEP if by_steps else EPOCH) if every else NEVER,
        "backup_after": minutes or 1,
        "backup_after_unit": "MINUTE" if minutes else EPOCH,
        "rolling_backup": True,
        "rolling_backup_count": 1,
        "backup_before_save": False,
        "sample_after": sampling.every_epochs if draws else 0,
        "sample_after_unit": EPOCH if draws else NEVER,
        "non_ema_sampling": False,
    }
