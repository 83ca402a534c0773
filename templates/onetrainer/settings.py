"""A configuration in the words of OneTrainer's files: pure, no file is touched. Keys and values as of August 2026."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from advisor.settings.config import LossConfig, OptimizerConfig, ScheduleConfig, TrainingConfig

Tree = dict[str, Any]

CONFIG_VERSION = 11
"""Without this OneTrainer takes a file for an old one and changes it."""

DTYPES = {"float32": "FLOAT_32", "float16": "FLOAT_16", "bfloat16": "BFLOAT_16", "int8": "INT_8", "nf4": "NFLOAT_4"}
OPTIMIZERS = {
    "adamw": "ADAMW", "adamw8bit": "ADAMW_8BIT", "adafactor": "ADAFACTOR", "prodigy": "PRODIGY", "lion": "LION",
    "came": "CAME", "schedule_free_adamw": "SCHEDULE_FREE_ADAMW",
}  # fmt: skip
SCHEDULES = {
    "constant": "CONSTANT", "constant_with_warmup": "CONSTANT", "linear": "LINEAR", "cosine": "COSINE",
    "cosine_with_restarts": "COSINE_WITH_HARD_RESTARTS", "cosine_with_min_lr": "COSINE", "adafactor": "ADAFACTOR",
}  # fmt: skip
NEAR_SCHEDULES = {
    "polynomial": "LINEAR", "inverse_sqrt": "COSINE", "warmup_stable_decay": "CONSTANT",
    "piecewise_constant": "CONSTANT",
}  # fmt: skip
"""What comes nearest where OneTrainer has no such schedule."""

LOSSES = {"l2": "mse_strength", "l1": "mae_strength", "huber": "huber_strength", "smooth_l1": "huber_strength"}
SAMPLERS = {"ddim": "DDIM", "euler": "EULER", "euler_a": "EULER_A", "unipc": "UNIPC", "dpmpp_2m": "DPMPP"}
KINDS = {"lora": "LORA", "locon": "LORA", "dora": "LORA", "loha": "LOHA", "lokr": "LOKR"}

OPTIMIZER_FLOATS = (
    "beta1", "beta2", "beta3", "eps", "eps2", "d0", "d_coef", "growth_rate", "clip_threshold", "decay_rate",
)  # fmt: skip
OPTIMIZER_FLAGS = (
    "decouple", "use_bias_correction", "safeguard_warmup", "amsgrad", "scale_parameter", "relative_step", "warmup_init",
)  # fmt: skip
"""Arguments of optimizers that OneTrainer has keys for."""

REGULARIZATION = "regularization"
"""What the concept of regularisation pictures is called."""


@dataclass(frozen=True)
class Place:
    """One folder of pictures."""

    path: str
    repeats: int
    recursive: bool = False


@dataclass(frozen=True)
class Layout:
    """Where the files of an export are."""

    home: str
    model: str
    vae: str
    weights: str
    """A LoRA to go on from; empty: none."""
    places: tuple[Place, ...]
    regularization: str


def config_tree(config: TrainingConfig, layout: Layout) -> Tree:
    """`config.json`."""
    return {
        "__version": CONFIG_VERSION,
        "training_method": "LORA",
        "model_type": model_type(config),
        **_files(config, layout),
        **_training(config),
        **_loss(config.loss),
        **_parts(config, layout.vae),
        **_network(config, layout),
        "optimizer": _optimizer(config.optimizer),
        **_saving(config),
    }


def model_type(config: TrainingConfig) -> str:
    """OneTrainer's name of the family."""
    is_v = config.model.prediction == "v_prediction"
    sd2 = "STABLE_DIFFUSION_21" if is_v else "STABLE_DIFFUSION_21_BASE"
    return {"sd1": "STABLE_DIFFUSION_15", "sd2": sd2, "sdxl": "STABLE_DIFFUSION_XL_10_BASE"}[config.model.family]


def _files(config: TrainingConfig, layout: Layout) -> Tree:
    prediction = config.model.prediction
    return {
        "base_model_name": layout.model,
        "workspace_dir": f"{layout.home}/workspace",
        "cache_dir": f"{layout.home}/cache",
        "concept_file_name": f"{layout.home}/concepts.json",
        "sample_definition_file_name": f"{layout.home}/samples.json",
        "output_model_destination": f"{layout.home}/model/{config.saving.name}.safetensors",
        "output_model_format": "KOHYA_LORA",
        "output_dtype": DTYPES[config.saving.dtype],
        "save_filename_prefix": f"{config.saving.name}-",
        "force_v_prediction": prediction == "v_prediction",
        "force_epsilon_prediction": prediction == "epsilon",
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
        "learning_rate_scheduler": SCHEDULES.get(schedule.name) or NEAR_SCHEDULES[schedule.name],
        "learning_rate_warmup_steps": _warmup(schedule),
        "learning_rate_cycles": float(schedule.cycles),
        "learning_rate_min_factor": schedule.min_rate if schedule.name == "cosine_with_min_lr" else 0.0,
        "learning_rate_scaler": "NONE",
        "epochs": schedule.epochs,
        "batch_size": schedule.batch_size,
        "gradient_accumulation_steps": schedule.gradient_accumulation,
        "train_dtype": DTYPES[memory.compute_dtype],
        "fallback_train_dtype": "FLOAT_32" if memory.compute_dtype == "float32" else "BFLOAT_16",
        "ema": "GPU" if config.loss.ema else "OFF",
        "ema_decay": config.loss.ema_decay,
        "ema_update_step_interval": 1,
        "dataloader_threads": config.machine.cpu_threads,
        "clip_grad_norm": config.optimizer.max_grad_norm or None,
    }


def _warmup(schedule: ScheduleConfig) -> float:
    """Above 1 a number of batches, up to 1 a share: one batch is written as a little more than one."""
    if schedule.name == "constant":
        return 0.0
    if not schedule.warmup_steps:
        return schedule.warmup_share
    batches = schedule.warmup_steps * schedule.gradient_accumulation
    return 1.5 if batches == 1 else float(batches)


def _loss(loss: LossConfig) -> Tree:
    strengths = dict.fromkeys(("mse_strength", "mae_strength", "huber_strength", "log_cosh_strength"), 0.0)
    strengths[LOSSES[loss.kind]] = 1.0
    weight, strength = "CONSTANT", 5.0
    if loss.min_snr_gamma:
        weight, strength = "MIN_SNR_GAMMA", loss.min_snr_gamma
    elif loss.debiased:
        weight = "DEBIASED_ESTIMATION"
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
        "timestep_distribution": "UNIFORM",
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
        "stop_training_after_unit": "NEVER",
    }
    parts: Tree = {
        "unet": _part(optimizer.unet_learning_rate, config),
        "text_encoder": text,
        "text_encoder_layer_skip": config.model.clip_skip - 1 if config.model.family != "sdxl" else 0,
        "vae": {"model_name": vae, "weight_dtype": "FLOAT_32" if memory.compute_dtype != "bfloat16" else "BFLOAT_16"},
    }
    if config.model.family == "sdxl":
        parts["text_encoder_2"] = dict(text)
    return parts


def _part(rate: float, config: TrainingConfig) -> Tree:
    return {
        "train": rate > 0,
        "learning_rate": rate,
        "weight_dtype": DTYPES[config.memory.base_dtype],
        "gradient_checkpointing": config.memory.gradient_checkpointing,
        "stop_training_after": None,
        "stop_training_after_unit": "NEVER",
    }


def _network(config: TrainingConfig, layout: Layout) -> Tree:
    network = config.network
    has_convolutions = network.conv_rank > 0
    settled: Tree = {
        "peft_type": KINDS[network.kind],
        "lora_model_name": layout.weights,
        "lora_rank": network.rank,
        "lora_alpha": network.alpha,
        "lora_decompose": network.kind == "dora",
        "lora_weight_dtype": "FLOAT_32",
        "lokr_dim": network.rank,
        "lokr_decompose_factor": network.factor,
        "dropout_probability": network.dropout,
        "layer_filter_preset": "full" if has_convolutions else "attn-mlp",
        "layer_filter": "" if has_convolutions else "attentions",
        "layer_filter_regex": False,
    }
    return settled


def _optimizer(optimizer: OptimizerConfig) -> Tree:
    settled: Tree = {
        "__version": 0,
        "optimizer": OPTIMIZERS[optimizer.name],
        "weight_decay": optimizer.weight_decay,
        "stochastic_rounding": optimizer.name in ("adamw", "adafactor", "came"),
        "fused_back_pass": False,
    }
    if optimizer.name == "adafactor":
        settled |= {"scale_parameter": False, "relative_step": False, "warmup_init": False}
    return settled | dict(known_arguments(optimizer.arguments))


def known_arguments(arguments: Iterable[str]) -> Mapping[str, Any]:
    """Those arguments of an optimizer that OneTrainer has keys for."""
    found: Tree = {}
    for argument in arguments:
        name, _, text = argument.partition("=")
        if name == "betas":
            betas = text.strip("()[]").split(",")
            found |= {f"beta{number}": float(beta) for number, beta in enumerate(betas, 1) if _is_number(beta)}
        elif name in (*OPTIMIZER_FLOATS, "weight_decay") and _is_number(text):
            found[name] = float(text)
        elif name in OPTIMIZER_FLAGS and text in ("True", "False"):
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
        "save_every_unit": ("STEP" if by_steps else "EPOCH") if every else "NEVER",
        "backup_after": minutes or 1,
        "backup_after_unit": "MINUTE" if minutes else "EPOCH",
        "rolling_backup": True,
        "rolling_backup_count": 1,
        "backup_before_save": False,
        "sample_after": sampling.every_epochs if draws else 0,
        "sample_after_unit": "EPOCH" if draws else "NEVER",
        "non_ema_sampling": False,
    }
