"""A configuration as the tables of sd-scripts' `config.toml` and `dataset.toml`; touches no file."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from advisor.families import family
from advisor.settings.config import DatasetConfig, LossConfig, NetworkConfig, TrainingConfig
from templates.exporting.derived import conv_alpha
from templates.exporting.image_folders import PlacedFolder
from templates.kohya.export_anima import anima_model, anima_network_arguments, anima_times, caches_text, is_anima
from templates.kohya.export_arguments import holds_out, optimizer_arguments
from templates.kohya.export_gui_values import (
    block_dims,
    block_rates,
    is_lycoris,
    saved_files,
    tracking,
    uses_convolutions,
)
from templates.kohya.export_layout import ExportLayout
from templates.kohya.export_schedule import Curve, Warmup, limits
from templates.kohya.words import (
    ALGORITHMS,
    ANIMA,
    HUBER_SCHEDULES,
    LOSSES,
    LYCORIS_ALL,
    LYCORIS_TRANSFORMERS,
    MIXED_PRECISIONS,
    NETWORK_MODULES,
    OPTIMIZERS,
    SAMPLERS,
    SAVE_PRECISIONS,
)
from templates.render import Value

Table = dict[str, Value]


@dataclass(frozen=True)
class Subset:
    """One folder of images in `dataset.toml`."""

    image_dir: str
    num_repeats: int
    class_tokens: str
    """What an image without a caption is captioned."""
    is_reg: bool = False


def subsets(root: str, folders: Iterable[PlacedFolder], *, is_reg: bool = False) -> tuple[Subset, ...]:
    """Subsets for the `N_name` folders under `root`."""
    return tuple(Subset(f"{root}/{f.name}", f.repeats, f.concept, is_reg) for f in folders)


def script_settings(
    config: TrainingConfig, layout: ExportLayout, *, dataset: str, prompts: str, preset: str = ""
) -> Mapping[str, Table]:
    """The tables of `config.toml`; sd-scripts looks at the keys only.

    Args:
        dataset: path of `dataset.toml`.
        prompts: path of the file of prompts; empty: there is none.
        preset: path of LyCORIS' preset; empty: one of its own.
    """
    return {
        "model": _model(config, layout),
        "dataset": _data(config, dataset),
        "network": _network(config, layout, preset),
        "optimizer": _optimizer(config),
        "schedule": _schedule(config, layout),
        "loss": _loss(config),
        "memory": _memory(config),
        "saving": _saving(config, layout),
        "samples": _samples(config, prompts),
    }


def dataset_settings(config: TrainingConfig) -> Table:
    """What `dataset.toml` says of the images of all subsets."""
    dataset = config.dataset
    settled: Table = {
        "resolution": [dataset.resolution_px, dataset.resolution_px],
        "batch_size": config.schedule.batch_size,
        "enable_bucket": True,
        "bucket_reso_steps": dataset.bucket_step_px,
        "min_bucket_reso": dataset.min_bucket_px,
        "max_bucket_reso": dataset.max_bucket_px,
        "bucket_no_upscale": not dataset.bucket_upscale,
        "caption_extension": dataset.caption_extension,
        "shuffle_caption": dataset.shuffle_captions,
        "keep_tokens": dataset.keep_tokens,
        "enable_wildcard": dataset.wildcards or dataset.caption_lines == "random",
        "caption_dropout_rate": dataset.caption_dropout,
        "caption_tag_dropout_rate": dataset.tag_dropout,
        "flip_aug": dataset.flip,
        "random_crop": dataset.random_crop,
    }
    if dataset.keep_tokens_separator:
        settled["keep_tokens_separator"] = dataset.keep_tokens_separator
    if holds_out(config.validation):
        settled["validation_split"] = config.validation.share
    return settled


def _is_masked(dataset: DatasetConfig) -> bool:
    return dataset.masks and dataset.mask_source == "alpha"


def _model(config: TrainingConfig, layout: ExportLayout) -> Table:
    model = config.model
    if is_anima(config):
        return anima_model(layout)
    settled: Table = {"pretrained_model_name_or_path": layout.model}
    if model.family == "sd2":
        settled["v2"] = True
    if model.prediction == "v_prediction":
        settled["v_parameterization"] = True
    if config.loss.zero_terminal_snr:
        settled["zero_terminal_snr"] = True
    if model.family == "sdxl":
        settled["no_half_vae"] = True
    elif model.clip_skip > 1:
        settled["clip_skip"] = model.clip_skip
    if layout.vae:
        settled["vae"] = layout.vae
    return settled


def _data(config: TrainingConfig, dataset: str) -> Table:
    settled: Table = {
        "dataset_config": dataset,
        "weighted_captions": config.dataset.weighted_captions and not is_anima(config),
        "max_data_loader_n_workers": config.machine.data_workers,
    }
    if config.dataset.max_tokens > 75 and not is_anima(config):
        settled["max_token_length"] = config.dataset.max_tokens
    if holds_out(config.validation) and config.validation.every_epochs:
        settled["validate_every_n_epochs"] = config.validation.every_epochs
    return settled


def _network(config: TrainingConfig, layout: ExportLayout, preset: str) -> Table:
    network = config.network
    module, arguments = NETWORK_MODULES.theirs(network.kind), _network_arguments(config, preset)
    if is_anima(config) and not is_lycoris(network):
        module, arguments = family(ANIMA).lora_module, anima_network_arguments(config)
    settled: Table = {
        "network_module": module,
        "network_dim": network.rank,
        "network_alpha": network.alpha,
        "network_args": list(arguments),
    }
    if network.dropout:
        settled["network_dropout"] = network.dropout
    if network.max_norm:
        settled["scale_weight_norms"] = network.max_norm
    if layout.weights:
        settled["network_weights"] = layout.weights
    return settled


def _network_arguments(config: TrainingConfig, preset: str) -> Iterable[str]:
    network = config.network
    if is_lycoris(network):
        yield from _lycoris_arguments(network, preset)
    if uses_convolutions(network):
        yield from (f"conv_dim={network.conv_rank}", f"conv_alpha={conv_alpha(network):g}")
    if network.rank_dropout:
        yield f"rank_dropout={network.rank_dropout}"
    if network.module_dropout:
        yield f"module_dropout={network.module_dropout}"
    if network.block_ranks:
        yield f"block_dims={block_dims(config)}"
    yield from (f"{name}={factors}" for name, factors in block_rates(config).items() if factors)


def _lycoris_arguments(network: NetworkConfig, preset: str) -> Iterable[str]:
    yield f"algo={ALGORITHMS.theirs(network.kind)}"
    yield f"preset={preset or (LYCORIS_ALL if uses_convolutions(network) else LYCORIS_TRANSFORMERS)}"
    if network.kind == "dora":
        yield from ("dora_wd=True", f"wd_on_output={network.dora_axis == 'output'}")
    if network.kind == "lokr":
        yield f"factor={network.factor}"


def _optimizer(config: TrainingConfig) -> Table:
    optimizer = config.optimizer
    settled: Table = {
        "optimizer_type": OPTIMIZERS.theirs(optimizer.name),
        "optimizer_args": list(optimizer_arguments(optimizer, config.schedule)),
        "learning_rate": optimizer.learning_rate,
        "max_grad_norm": optimizer.max_grad_norm,
    }
    if optimizer.unet_learning_rate:
        settled["unet_lr"] = optimizer.unet_learning_rate
    else:
        settled["network_train_text_encoder_only"] = True
    if optimizer.text_encoder_learning_rate:
        settled["text_encoder_lr"] = [optimizer.text_encoder_learning_rate] * 2
    else:
        settled["network_train_unet_only"] = True
    return settled


def _schedule(config: TrainingConfig, layout: ExportLayout) -> Table:
    curve, warmup = Curve.of(config), Warmup.of(config)
    settled: Table = {
        "lr_scheduler": curve.scheduler,
        "lr_scheduler_num_cycles": curve.cycles,
        "lr_scheduler_power": curve.power,
        "gradient_accumulation_steps": config.schedule.gradient_accumulation,
        "seed": config.run.seed,
    }
    optional: dict[str, Value | None] = {
        "lr_warmup_steps": warmup.steps or warmup.share or None,
        "lr_scheduler_min_lr_ratio": curve.min_ratio,
        "lr_decay_steps": curve.decay_steps,
        "lr_scheduler_args": list(curve.arguments) or None,
    }
    settled |= {name: value for name, value in optional.items() if value is not None}
    return settled | limits(config, layout.length)


def _loss(config: TrainingConfig) -> Table:
    loss = config.loss
    settled: Table = {
        "loss_type": LOSSES.theirs(loss.kind),
        "huber_c": loss.huber_c,
        "huber_schedule": HUBER_SCHEDULES.theirs(loss.huber_schedule),
        **(anima_times(loss) if is_anima(config) else _ddpm_times(loss)),
        "prior_loss_weight": loss.prior_weight,
        "masked_loss": _is_masked(config.dataset),
    }
    optional = {
        "min_snr_gamma": loss.min_snr_gamma,
        "noise_offset": loss.noise_offset,
        "adaptive_noise_scale": loss.adaptive_noise_scale,
        "ip_noise_gamma": loss.input_perturbation,
    }
    settled |= {name: value for name, value in optional.items() if value}
    if loss.multires_iterations:
        settled["multires_noise_iterations"] = loss.multires_iterations
        settled["multires_noise_discount"] = loss.multires_discount
    return settled


def _ddpm_times(loss: LossConfig) -> Table:
    return {
        "debiased_estimation_loss": loss.debiased,
        "min_timestep": loss.min_timestep,
        "max_timestep": loss.max_timestep,
    }


def _memory(config: TrainingConfig) -> Table:
    memory = config.memory
    settled: Table = {
        "mixed_precision": MIXED_PRECISIONS.theirs(memory.compute_dtype),
        "gradient_checkpointing": memory.gradient_checkpointing,
        "cache_latents": memory.cache_latents,
        "sdpa": True,
    }
    if caches_text(config) if is_anima(config) else config.model.family == "sdxl" and memory.cache_text:
        settled["cache_text_encoder_outputs"] = True
    return settled


def _saving(config: TrainingConfig, layout: ExportLayout) -> Table:
    saving = config.saving
    settled: Table = {
        "output_dir": layout.output,
        "output_name": saving.name,
        "logging_dir": layout.log,
        **tracking(config),
        "save_model_as": "safetensors",
        "save_precision": SAVE_PRECISIONS.theirs(saving.dtype),
    }
    return settled | saved_files(saving)


def _samples(config: TrainingConfig, prompts: str) -> Table:
    if not prompts:
        return {}
    return {
        "sample_prompts": prompts,
        "sample_every_n_epochs": config.sampling.every_epochs,
        "sample_sampler": SAMPLERS.theirs(config.sampling.sampler),
    }
