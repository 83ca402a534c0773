"""A configuration as the tree of an ai-toolkit job; keys and values as of August 2026."""

from __future__ import annotations

import ast
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from advisor.settings.config import TrainingConfig
from templates.ai_toolkit.export_flow import caches_text, flow_base, flow_model, flow_network, flow_times
from templates.ai_toolkit.words import (
    FAMILIES,
    FLOW_MATCHING,
    KEEP_ALL,
    KINDS,
    LAST_TIMESTEP,
    LOSSES,
    MODEL_DTYPES,
    OPTIMIZERS,
    PROCESS,
    SAMPLERS,
    SAVE_DTYPES,
    SCHEDULES,
    TRAIN_DTYPES,
)
from templates.exporting.derived import Length, conv_alpha
from templates.exporting.image_folders import PlacedFolder

Tree = dict[str, Any]


@dataclass(frozen=True)
class ExportLayout:
    """Where the files of an export are."""

    home: str
    model: str
    vae: str
    weights: str
    images: str
    folders: tuple[PlacedFolder, ...] | None
    """None: the images are not on this machine."""
    regularization: str
    regular_folders: tuple[PlacedFolder, ...]
    length: Length | None
    """None where the images are not on this machine."""


def total_steps(config: TrainingConfig, length: Length | None) -> int:
    """How many steps are trained; 0 where nobody can know."""
    return config.schedule.max_steps if length is None else length.steps


def epoch_steps(config: TrainingConfig, length: Length | None) -> int:
    """Steps of one epoch; all there are where nobody can know."""
    return max(1, config.schedule.max_steps) if length is None else length.steps_per_epoch


def job_tree(config: TrainingConfig, layout: ExportLayout) -> Tree:
    """The job."""
    process: Tree = {
        "type": PROCESS,
        "training_folder": f"{layout.home}/output",
        "device": "cuda:0",
        "training_seed": config.run.seed,
        "network": _network(config, layout),
        "save": _save(config, layout),
        "datasets": list(_datasets(config, layout)),
        "train": _train(config, layout),
        "model": _model(config, layout),
    }
    if config.run.wandb_project:
        process["logging"] = {
            "use_wandb": True, "project_name": config.run.wandb_project, "run_name": config.saving.name
        }  # fmt: skip
    if draws(config):
        process["sample"] = _sample(config, layout)
    return {"job": "extension", "config": {"name": config.saving.name, "process": [process]}}


def draws(config: TrainingConfig) -> bool:
    """Whether samples are drawn."""
    return bool(config.sampling.prompts and config.sampling.every_epochs)


def arguments(items: Iterable[str]) -> Tree:
    """Arguments of an optimizer as values; tuples as lists."""
    found: Tree = {}
    for item in items:
        name, _, text = item.partition("=")
        value = _literal(text)
        found[name] = list(value) if isinstance(value, tuple) else value
    return found


def _literal(text: str) -> Any:
    try:
        value = ast.literal_eval(text)
    except (ValueError, SyntaxError, MemoryError, RecursionError):
        return text
    return value if isinstance(value, bool | int | float | tuple) else text


def _network(config: TrainingConfig, layout: ExportLayout) -> Tree:
    network = config.network
    settled: Tree = {"type": KINDS.theirs(network.kind), "linear": network.rank, "linear_alpha": network.alpha}
    if network.conv_rank:
        settled |= {"conv": network.conv_rank, "conv_alpha": conv_alpha(network)}
    if network.kind == "lokr":
        settled |= {"lokr_full_rank": False, "lokr_factor": network.factor}
    if network.dropout:
        settled["dropout"] = network.dropout
    if layout.weights:
        settled["pretrained_lora_path"] = layout.weights
    extra = {name: getattr(network, name) for name in ("rank_dropout", "module_dropout") if getattr(network, name)}
    if (base := flow_base(config)) is not None:
        own = flow_network(config, base)
        return settled | own | {"network_kwargs": {**own["network_kwargs"], **extra}}
    return settled | ({"network_kwargs": extra} if extra else {})


def _save(config: TrainingConfig, layout: ExportLayout) -> Tree:
    saving = config.saving
    every = saving.every_steps or saving.every_epochs * epoch_steps(config, layout.length)
    return {
        "dtype": SAVE_DTYPES.theirs(saving.dtype),
        "save_every": every or total_steps(config, layout.length),
        "max_step_saves_to_keep": saving.keep_last or KEEP_ALL,
        "push_to_hub": False,
    }


def _datasets(config: TrainingConfig, layout: ExportLayout) -> Iterator[Tree]:
    """One for each folder; without the images one that waits for them."""
    if layout.folders is None:
        yield _dataset(config, layout.images, config.dataset.repeats, config.run.trigger)
    for folder in layout.folders or ():
        yield _dataset(config, f"{layout.images}/{folder.name}", folder.repeats, folder.concept)
    for folder in layout.regular_folders:
        path = f"{layout.regularization}/{folder.name}"
        yield _dataset(config, path, folder.repeats, folder.concept) | {"is_reg": True}


def _dataset(config: TrainingConfig, path: str, repeats: int, concept: str) -> Tree:
    dataset = config.dataset
    settled: Tree = {
        "folder_path": path,
        "num_repeats": repeats,
        "caption_ext": dataset.caption_extension,
        "resolution": [dataset.resolution_px],
        "buckets": True,
        "bucket_tolerance": dataset.bucket_step_px,
        "caption_dropout_rate": dataset.caption_dropout,
        "token_dropout_rate": dataset.tag_dropout,
        "shuffle_tokens": dataset.shuffle_captions,
        "keep_tokens": dataset.keep_tokens,
        "flip_x": dataset.flip,
        "random_crop": dataset.random_crop,
        "cache_latents_to_disk": config.memory.cache_latents,
        "cache_text_embeddings": caches_text(config),
        "num_workers": config.machine.data_workers,
        "alpha_mask": dataset.masks and dataset.mask_source == "alpha",
    }
    return settled | ({"default_caption": concept} if concept else {})


def _train(config: TrainingConfig, layout: ExportLayout) -> Tree:
    optimizer, schedule, loss = config.optimizer, config.schedule, config.loss
    steps = total_steps(config, layout.length)
    rate = optimizer.unet_learning_rate or optimizer.text_encoder_learning_rate
    settled: Tree = {
        "steps": steps,
        "batch_size": schedule.batch_size,
        "gradient_accumulation": schedule.gradient_accumulation,
        "train_unet": optimizer.unet_learning_rate > 0,
        "train_text_encoder": optimizer.trains_text_encoder,
        "lr": rate,
        "optimizer": OPTIMIZERS.theirs(optimizer.name),
        "optimizer_params": {"weight_decay": optimizer.weight_decay, **arguments(optimizer.arguments)},
        "lr_scheduler": SCHEDULES.theirs(schedule.name),
        "lr_scheduler_params": _schedule_arguments(config, steps, rate),
        "max_grad_norm": optimizer.max_grad_norm,
        **({"noise_scheduler": "ddpm"} if flow_base(config) is None else flow_times(loss)),
        "noise_offset": loss.noise_offset,
        "min_denoising_steps": LAST_TIMESTEP + 1 - loss.max_timestep,
        "max_denoising_steps": LAST_TIMESTEP - loss.min_timestep,
        "loss_type": LOSSES.theirs(loss.kind),
        "reg_weight": loss.prior_weight,
        "gradient_checkpointing": config.memory.gradient_checkpointing,
        "dtype": TRAIN_DTYPES.theirs(config.memory.compute_dtype),
        "sdp": True,
        "skip_first_sample": True,
        "disable_sampling": not draws(config),
        "ema_config": {"use_ema": loss.ema, "ema_decay": loss.ema_decay},
    }
    return settled | ({"min_snr_gamma": loss.min_snr_gamma} if loss.min_snr_gamma else {})


def _schedule_arguments(config: TrainingConfig, steps: int, rate: float) -> Tree:
    """What torch's schedules need to do as ours do: `linear` there rises unless it is told to fall."""
    schedule = config.schedule
    warmup = schedule.warmup_steps or int(schedule.warmup_share * steps)
    if schedule.name == "constant_with_warmup":
        return {"num_warmup_steps": warmup}
    if schedule.name == "linear":
        return {"start_factor": 1.0, "end_factor": 0.0}
    if schedule.name == "cosine_with_min_lr":
        return {"eta_min": schedule.min_rate * rate}
    return {}


def _model(config: TrainingConfig, layout: ExportLayout) -> Tree:
    model = config.model
    settled: Tree = {
        "name_or_path": layout.model,
        "arch": FAMILIES.theirs(model.family),
        "is_v_pred": model.prediction == "v_prediction",
        "dtype": MODEL_DTYPES.theirs(config.memory.base_dtype),
    }
    if (base := flow_base(config)) is not None:
        return settled | flow_model(config, base)
    return settled | ({"vae_path": layout.vae} if layout.vae else {})


def _sample(config: TrainingConfig, layout: ExportLayout) -> Tree:
    sampling, side = config.sampling, config.dataset.resolution_px
    return {
        "sampler": SAMPLERS.theirs(sampling.sampler) if flow_base(config) is None else FLOW_MATCHING,
        "sample_every": sampling.every_epochs * epoch_steps(config, layout.length),
        "width": side,
        "height": side,
        "prompts": list(sampling.prompts),
        "neg": sampling.negative,
        "seed": sampling.seed,
        "walk_seed": True,
        "guidance_scale": sampling.guidance,
        "sample_steps": sampling.steps,
    }
