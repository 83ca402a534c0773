"""A configuration as the keys and values of kohya_ss's LoRA tab; touches no file."""

from __future__ import annotations

from advisor.settings.config import (
    DatasetConfig,
    LossConfig,
    NetworkConfig,
    OptimizerConfig,
    SavingConfig,
    ScheduleConfig,
    TrainingConfig,
)
from templates.exporting.derived import conv_alpha
from templates.kohya.export_anima import anima_gui_values, is_anima
from templates.kohya.export_arguments import MOST_NORM, MOST_SNR_GAMMA, command_line, optimizer_arguments
from templates.kohya.export_layout import ExportLayout
from templates.kohya.export_schedule import Curve, Warmup, known_steps, limits
from templates.kohya.gui_keys import GuiValue, gui_keys
from templates.kohya.prompt_lines import prompt_lines
from templates.kohya.words import (
    BLOCK_RATES,
    BLOCKS,
    GUI_KINDS,
    HUBER_SCHEDULES,
    LOSSES,
    LYCORIS_ALL,
    LYCORIS_MODULE,
    LYCORIS_TRANSFORMERS,
    MIXED_PRECISIONS,
    MULTIRES_NOISE,
    NETWORK_MODULES,
    OPTIMIZERS,
    ORIGINAL_NOISE,
    SAMPLERS,
    SAVE_PRECISIONS,
)


def gui_settings(config: TrainingConfig, layout: ExportLayout) -> dict[str, GuiValue]:
    """Every key of the GUI's JSON, in the GUI's order and types."""
    settled: dict[str, GuiValue] = {
        **_model(config, layout),
        **_dataset(config.dataset),
        **_network(config),
        **_optimizer(config.optimizer, config.schedule),
        **_schedule(config, layout),
        **_loss(config.loss),
        **_machine(config),
        **_saving(config),
        **_sampling(config),
        "additional_parameters": " ".join(command_line(config)),
    }
    if is_anima(config):
        settled |= anima_gui_values(config, layout)
    keys = gui_keys()
    unknown = settled.keys() - keys.keys()
    assert not unknown, unknown
    return {name: key.written(settled.get(name, key.default)) for name, key in keys.items()}


def is_lycoris(network: NetworkConfig) -> bool:
    """Whether kohya needs the LyCORIS package for this kind of adapter."""
    return NETWORK_MODULES.theirs(network.kind) == LYCORIS_MODULE


def uses_convolutions(network: NetworkConfig) -> bool:
    """Whether 3x3 convolutions get adapters."""
    return network.conv_rank > 0


def _model(config: TrainingConfig, layout: ExportLayout) -> dict[str, GuiValue]:
    model = config.model
    is_sdxl = model.family == "sdxl"
    return {
        "pretrained_model_name_or_path": layout.model,
        "v2": model.family == "sd2",
        "v_parameterization": model.prediction == "v_prediction",
        "sdxl": is_sdxl,
        "sdxl_no_half_vae": is_sdxl,
        "sdxl_cache_text_encoder_outputs": is_sdxl and config.memory.cache_text,
        "clip_skip": model.clip_skip,
        "network_weights": layout.weights,
        "vae": layout.vae,
        "train_data_dir": layout.images,
        "reg_data_dir": layout.regularization,
        "logging_dir": layout.log,
        "output_dir": layout.output,
    }


def _dataset(dataset: DatasetConfig) -> dict[str, GuiValue]:
    return {
        "max_resolution": f"{dataset.resolution_px},{dataset.resolution_px}",
        "enable_bucket": True,
        "bucket_reso_steps": dataset.bucket_step_px,
        "min_bucket_reso": dataset.min_bucket_px,
        "max_bucket_reso": dataset.max_bucket_px,
        "bucket_no_upscale": not dataset.bucket_upscale,
        "caption_extension": dataset.caption_extension,
        "shuffle_caption": dataset.shuffle_captions,
        "keep_tokens": dataset.keep_tokens,
        "weighted_captions": dataset.weighted_captions,
        "caption_dropout_rate": dataset.caption_dropout,
        "flip_aug": dataset.flip,
        "random_crop": dataset.random_crop,
        "max_token_length": dataset.max_tokens,
        "masked_loss": dataset.masks and dataset.mask_source == "alpha",
    }


def _network(config: TrainingConfig) -> dict[str, GuiValue]:
    network = config.network
    settled: dict[str, GuiValue] = {
        "LoRA_type": _lora_type(network),
        "network_dim": network.rank,
        "network_alpha": network.alpha,
        "network_dropout": network.dropout,
        "rank_dropout": network.rank_dropout,
        "module_dropout": network.module_dropout,
        "scale_weight_norms": min(network.max_norm, MOST_NORM),
        "block_dims": block_dims(config),
        "dora_wd": network.kind == "dora",
        "factor": network.factor,
        **block_rates(config),
    }
    if uses_convolutions(network):
        alpha = conv_alpha(network)
        settled |= {"conv_dim": network.conv_rank, "conv_alpha": int(alpha) if alpha.is_integer() else alpha}
    if is_lycoris(network):
        settled["LyCORIS_preset"] = LYCORIS_ALL if uses_convolutions(network) else LYCORIS_TRANSFORMERS
    return settled


def _lora_type(network: NetworkConfig) -> str:
    """As the GUI has it, plain LoRA and LoCon told apart by whether convolutions get adapters."""
    if network.kind in ("lora", "locon"):
        return GUI_KINDS.theirs("locon" if uses_convolutions(network) else "lora")
    return GUI_KINDS.theirs(network.kind)


def block_dims(config: TrainingConfig) -> str:
    """A rank for each block; SDXL's list has one more at either end, where no layer is adapted."""
    ranks = config.network.block_ranks
    if config.model.family == "sdxl" and len(ranks) == sum(BLOCKS["sdxl"]):
        ranks = (0, *ranks, 0)
    return ",".join(map(str, ranks))


def block_rates(config: TrainingConfig) -> dict[str, str]:
    """Factors for the U-Net's blocks going down, in the middle and going up, empty where all are the same."""
    factors = config.optimizer.block_learning_rates
    down, middle, _ = BLOCKS.get(config.model.family, (0, 0, 0))
    parts = (factors[:down], factors[down : down + middle], factors[down + middle :])
    return {name: ",".join(map(str, part)) for name, part in zip(BLOCK_RATES, parts, strict=True)}


def _optimizer(optimizer: OptimizerConfig, schedule: ScheduleConfig) -> dict[str, GuiValue]:
    return {
        "optimizer": OPTIMIZERS.theirs(optimizer.name),
        "optimizer_args": " ".join(optimizer_arguments(optimizer, schedule)),
        "learning_rate": optimizer.learning_rate,
        "unet_lr": optimizer.unet_learning_rate,
        "text_encoder_lr": optimizer.text_encoder_learning_rate,
        "max_grad_norm": optimizer.max_grad_norm,
    }


def _schedule(config: TrainingConfig, layout: ExportLayout) -> dict[str, GuiValue]:
    schedule, curve = config.schedule, Curve.of(config)
    warmup = Warmup.of(config, known_steps(config, layout.length))
    return {
        "lr_scheduler": curve.scheduler,
        "lr_warmup": round(100 * warmup.share),
        "lr_warmup_steps": warmup.steps,
        "lr_scheduler_num_cycles": curve.cycles,
        "lr_scheduler_power": curve.power,
        "lr_scheduler_args": " ".join(curve.arguments),
        "epoch": schedule.epochs,
        "max_train_epochs": 0,
        "max_train_steps": 0,
        **limits(config, layout.length),
        "train_batch_size": schedule.batch_size,
        "gradient_accumulation_steps": schedule.gradient_accumulation,
        "seed": config.run.seed,
    }


def _loss(loss: LossConfig) -> dict[str, GuiValue]:
    is_multires = loss.multires_iterations > 0 and not loss.noise_offset
    settled: dict[str, GuiValue] = {
        "loss_type": LOSSES.theirs(loss.kind),
        "huber_c": loss.huber_c,
        "huber_schedule": HUBER_SCHEDULES.theirs(loss.huber_schedule),
        "min_snr_gamma": min(round(loss.min_snr_gamma), MOST_SNR_GAMMA),
        "debiased_estimation_loss": loss.debiased,
        "noise_offset_type": MULTIRES_NOISE if is_multires else ORIGINAL_NOISE,
        "noise_offset": loss.noise_offset,
        "adaptive_noise_scale": loss.adaptive_noise_scale,
        "multires_noise_iterations": loss.multires_iterations,
        "multires_noise_discount": loss.multires_discount,
        "ip_noise_gamma": loss.input_perturbation,
        "min_timestep": loss.min_timestep,
        "max_timestep": loss.max_timestep,
        "prior_loss_weight": loss.prior_weight,
    }
    return settled


def _machine(config: TrainingConfig) -> dict[str, GuiValue]:
    memory, machine = config.memory, config.machine
    return {
        "mixed_precision": MIXED_PRECISIONS.theirs(memory.compute_dtype),
        "gradient_checkpointing": memory.gradient_checkpointing,
        "cache_latents": memory.cache_latents,
        "xformers": "sdpa",
        "num_cpu_threads_per_process": machine.cpu_threads,
        "max_data_loader_n_workers": machine.data_workers,
    }


def _saving(config: TrainingConfig) -> dict[str, GuiValue]:
    saving = config.saving
    return {
        "output_name": saving.name,
        "save_model_as": "safetensors",
        "save_precision": SAVE_PRECISIONS.theirs(saving.dtype),
        "save_every_n_epochs": saving.every_epochs,
        "save_every_n_steps": saving.every_steps,
        **tracking(config),
        "save_last_n_epochs": saving.keep_last if saving.every_epochs else 0,
        "save_last_n_steps": kept_steps(saving),
    }


def kept_steps(saving: SavingConfig) -> int:
    """`save_last_n_steps` that keeps `saving.keep_last` files: a file goes once it is older than so many steps."""
    return max(0, saving.keep_last * saving.every_steps - 1)


def saved_files(saving: SavingConfig) -> dict[str, int]:
    """How often the scripts save a LoRA, and how many they keep."""
    settled = dict[str, int]()
    if saving.every_epochs:
        settled["save_every_n_epochs"] = saving.every_epochs
        if saving.keep_last:
            settled["save_last_n_epochs"] = saving.keep_last
    if saving.every_steps:
        settled["save_every_n_steps"] = saving.every_steps
        if saving.keep_last:
            settled["save_last_n_steps"] = kept_steps(saving)
    return settled


def tracking(config: TrainingConfig) -> dict[str, str]:
    """Weights & Biases beside TensorBoard, where the curves go to a project; else nothing."""
    project = config.run.wandb_project
    if not project:
        return {}
    return {"log_with": "all", "log_tracker_name": project, "wandb_run_name": config.saving.name}


def _sampling(config: TrainingConfig) -> dict[str, GuiValue]:
    sampling = config.sampling
    if not sampling.prompts or not sampling.every_epochs:
        return {"sample_prompts": "", "sample_every_n_epochs": 0, "sample_sampler": SAMPLERS.theirs(sampling.sampler)}
    return {
        "sample_prompts": "\n".join(prompt_lines(sampling, config.dataset.resolution_px)),
        "sample_every_n_epochs": sampling.every_epochs,
        "sample_sampler": SAMPLERS.theirs(sampling.sampler),
    }
