"""A configuration as the tables of musubi-tuner's `config.toml` and `dataset.toml`; touches no file."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from advisor.families import family
from advisor.settings.config import TrainingConfig, changed
from advisor.settings.script_times import script_times
from templates.exporting.image_folders import PlacedFolder
from templates.kohya.export_arguments import optimizer_arguments
from templates.kohya.export_gui_values import saved_files, tracking
from templates.kohya.export_layout import ExportLayout
from templates.kohya.export_schedule import Curve, Warmup, limits
from templates.kohya.words import MIXED_PRECISIONS, SAVE_PRECISIONS
from templates.musubi.words import MOST_SWAPPED, NETWORK_MODULES, OPTIMIZERS
from templates.render import Value

Table = dict[str, Value]


@dataclass(frozen=True)
class DatasetFolder:
    """One folder of images in `dataset.toml`."""

    image_directory: str
    cache_directory: str
    """Where its latents and text are kept; no two folders may have the same."""
    num_repeats: int


def dataset_folders(images: str, caches: str, folders: Iterable[PlacedFolder]) -> tuple[DatasetFolder, ...]:
    """Those of the `N_name` folders under `images`."""
    return tuple(DatasetFolder(f"{images}/{one.name}", f"{caches}/{one.name}", one.repeats) for one in folders)


def dataset_settings(config: TrainingConfig) -> Table:
    """What `dataset.toml` says of the images of all folders."""
    dataset = config.dataset
    return {
        "resolution": [dataset.resolution_px, dataset.resolution_px],
        "batch_size": config.schedule.batch_size,
        "enable_bucket": True,
        "bucket_no_upscale": not dataset.bucket_upscale,
        "caption_extension": dataset.caption_extension,
    }


def config_tables(config: TrainingConfig, layout: ExportLayout, *, dataset: str, prompts: str) -> Mapping[str, Table]:
    """The tables of `config.toml`; musubi-tuner looks at the keys only.

    Args:
        dataset: path of `dataset.toml`.
        prompts: path of the file of prompts; empty: there is none.
    """
    config = at_one_rate(config)
    return {
        "model": {"dit": layout.model, "text_encoder": layout.text_encoder, "vae": layout.vae},
        "dataset": _data(config, dataset),
        "network": _network(config, layout),
        "optimizer": _optimizer(config),
        "schedule": _schedule(config, layout),
        "times": _times(config),
        "memory": _memory(config),
        "saving": _saving(config, layout),
        "samples": {"sample_prompts": prompts, "sample_every_n_epochs": config.sampling.every_epochs}
        if prompts
        else {},
    }


def at_one_rate(config: TrainingConfig) -> TrainingConfig:
    """With the denoiser's rate as the one of all, which schedules are reckoned from."""
    rate = config.optimizer.unet_learning_rate
    return changed(config, "optimizer.learning_rate", rate) if rate else config


def packs_text(config: TrainingConfig) -> bool:
    """Whether the text encoder is kept in 8 bits: on a base that is kept in fewer bits, as with us."""
    return config.memory.quantised is not None and family(config.model.family).quantised_text is not None


def _data(config: TrainingConfig, dataset: str) -> Table:
    workers = config.machine.data_workers
    return {
        "dataset_config": dataset,
        "max_data_loader_n_workers": workers,
        "persistent_data_loader_workers": workers > 0,
    }


def _network(config: TrainingConfig, layout: ExportLayout) -> Table:
    network = config.network
    settled: Table = {
        "network_module": NETWORK_MODULES.theirs(network.kind),
        "network_dim": network.rank,
        "network_alpha": network.alpha,
        "network_args": list(_network_arguments(config)),
    }
    optional = {"network_dropout": network.dropout, "scale_weight_norms": network.max_norm}
    settled |= {name: value for name, value in optional.items() if value}
    return settled | ({"network_weights": layout.weights} if layout.weights else {})


def _network_arguments(config: TrainingConfig) -> Iterator[str]:
    network = config.network
    for name, share in (("rank_dropout", network.rank_dropout), ("module_dropout", network.module_dropout)):
        if share:
            yield f"{name}={share}"
    if network.kind == "lokr":
        yield f"factor={network.factor}"


def _optimizer(config: TrainingConfig) -> Table:
    optimizer = config.optimizer
    return {
        "optimizer_type": OPTIMIZERS.theirs(optimizer.name),
        "optimizer_args": list(optimizer_arguments(optimizer, config.schedule)),
        "learning_rate": optimizer.unet_learning_rate,
        "max_grad_norm": optimizer.max_grad_norm,
    }


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


def _times(config: TrainingConfig) -> Table:
    times = script_times(config.loss)
    assert times is not None, config.loss  # refused before
    return {
        "timestep_sampling": times.sampling,
        "sigmoid_scale": times.sigmoid_scale,
        "discrete_flow_shift": times.flow_shift,
        "weighting_scheme": "none",
        "min_timestep": config.loss.min_timestep,
        "max_timestep": config.loss.max_timestep,
    }


def _memory(config: TrainingConfig) -> Table:
    memory = config.memory
    settled: Table = {
        "mixed_precision": MIXED_PRECISIONS.theirs(memory.compute_dtype),
        "gradient_checkpointing": memory.gradient_checkpointing,
        "sdpa": True,
    }
    if memory.quantised is not None:
        settled |= {"fp8_base": True, "fp8_scaled": True, "fp8_llm": packs_text(config)}
    if memory.swapped_blocks:
        settled["blocks_to_swap"] = min(memory.swapped_blocks, MOST_SWAPPED)
    return settled


def _saving(config: TrainingConfig, layout: ExportLayout) -> Table:
    saving = config.saving
    settled: Table = {
        "output_dir": layout.output,
        "output_name": saving.name,
        "logging_dir": layout.log,
        "log_with": "tensorboard",
        **tracking(config),
        "save_precision": SAVE_PRECISIONS.theirs(saving.dtype),
    }
    return settled | saved_files(saving)
