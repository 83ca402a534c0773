"""What kohya's trainers do where a file says nothing: sd-scripts' argument parser, the GUI's form at its start.

Observed on sd-scripts' `train_network.py` and kohya_ss' LoRA tab. Settings that are not here are no trainer's but of a
machine or a run: names, paths, the seed, what is drawn.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

_BOTH: Mapping[str, Any] = {
    "model.clip_skip": 1, "model.vae_path": None, "model.text_encoder_path": None,
    "dataset.resolution_px": 512, "dataset.bucket_step_px": 64,
    "dataset.shuffle_captions": False, "dataset.keep_tokens": 0, "dataset.keep_tokens_separator": "",
    "dataset.wildcards": False, "dataset.weighted_captions": False, "dataset.caption_dropout": 0.0,
    "dataset.tag_dropout": 0.0, "dataset.flip": False, "dataset.random_crop": False, "dataset.max_tokens": 75,
    "dataset.caption_lines": "first", "dataset.prepend_trigger": False, "dataset.masks": False,
    "dataset.mask_source": "alpha", "dataset.repeats": 1,
    "network.kind": "lora", "network.alpha": 1.0, "network.conv_rank": 0, "network.conv_alpha": 0.0,
    "network.dropout": 0.0, "network.rank_dropout": 0.0, "network.module_dropout": 0.0, "network.max_norm": 0.0,
    "network.block_ranks": (), "network.factor": -1, "network.start_from": None,
    "network.dora_axis": "input", "network.resize_start": False, "network.text_adapter": False,
    "optimizer.block_learning_rates": (), "optimizer.max_grad_norm": 1.0, "optimizer.arguments": (),
    "schedule.warmup_steps": 0, "schedule.cycles": 1, "schedule.power": 1.0, "schedule.min_rate": 0.0,
    "schedule.batch_size": 1, "schedule.gradient_accumulation": 1,
    "loss.kind": "l2", "loss.huber_c": 0.1, "loss.huber_schedule": "snr", "loss.min_snr_gamma": 0.0,
    "loss.debiased": False, "loss.noise_offset": 0.0, "loss.adaptive_noise_scale": 0.0,
    "loss.multires_iterations": 0, "loss.multires_discount": 0.3, "loss.input_perturbation": 0.0,
    "loss.min_timestep": 0, "loss.max_timestep": 1000, "loss.prior_weight": 1.0, "loss.zero_terminal_snr": False,
    "loss.timestep_sampling": "uniform", "loss.timestep_mean": 0.0, "loss.timestep_scale": 1.0,
    "loss.timestep_shift": 1.0, "loss.timestep_weighting": "none",
    "loss.ema": False, "loss.ema_decay": 0.999,
    "memory.gradient_checkpointing": False, "memory.cache_text": False, "memory.text_variants": 0,
    "memory.checkpointed_blocks": 0, "memory.encode_slices": 1, "memory.decode_slices": 1,
    "memory.swapped_blocks": 0,
    "saving.every_steps": 0, "saving.keep_last": 0, "saving.layer_names": "usual", "saving.diffusers_copy": False,
    "validation.share": 0.0, "validation.every_epochs": 1,
}  # fmt: skip

SCRIPTS_DEFAULTS: Mapping[str, Any] = {
    **_BOTH,
    "dataset.min_bucket_px": 512, "dataset.max_bucket_px": 512, "dataset.bucket_upscale": True,
    "dataset.caption_extension": ".caption",
    "network.rank": 4,
    "optimizer.name": "adamw", "optimizer.learning_rate": 2e-6, "optimizer.unet_learning_rate": 2e-6,
    "optimizer.text_encoder_learning_rate": 2e-6, "optimizer.weight_decay": 0.01,
    "schedule.name": "constant", "schedule.warmup_share": 0.0, "schedule.epochs": 1600, "schedule.max_steps": 1600,
    "memory.compute_dtype": "float32", "memory.base_dtype": "float32", "memory.cache_latents": False,
    "machine.data_workers": 8,
    "saving.every_epochs": 0, "saving.dtype": "float32",
}  # fmt: skip
"""Without `enable_bucket` every picture is scaled to cover the square: the resolution is the only size."""

BUCKETS: Mapping[str, Any] = {
    "dataset.min_bucket_px": 256, "dataset.max_bucket_px": 1024, "dataset.bucket_upscale": True,
}  # fmt: skip
"""sd-scripts with `enable_bucket`, and a file that says no more of buckets."""

GUI_DEFAULTS: Mapping[str, Any] = {
    **_BOTH,
    "dataset.min_bucket_px": 256, "dataset.max_bucket_px": 2048, "dataset.bucket_upscale": False,
    "dataset.caption_extension": ".txt",
    "network.rank": 8,
    "optimizer.name": "adamw8bit", "optimizer.learning_rate": 1e-4, "optimizer.unet_learning_rate": 1e-4,
    "optimizer.text_encoder_learning_rate": 1e-4, "optimizer.weight_decay": 0.01,
    "schedule.name": "cosine", "schedule.warmup_share": 0.1, "schedule.epochs": 1, "schedule.max_steps": 0,
    "memory.compute_dtype": "float16", "memory.base_dtype": "float16", "memory.cache_latents": True,
    "machine.cpu_threads": 2, "machine.data_workers": 0,
    "saving.every_epochs": 1, "saving.dtype": "float16",
}  # fmt: skip
"""A key that is absent leaves the form as it is at its start."""

NOT_RECORDED = (
    "dataset.caption_extension", "dataset.weighted_captions", "dataset.bucket_step_px", "dataset.repeats",
    "schedule.epochs", "schedule.max_steps", "memory.base_dtype", "memory.cache_text", "machine.", "saving.",
    "validation.", "network.start_from", "network.resize_start", "loss.ema",
)  # fmt: skip
"""What the metadata of a LoRA never say, so that its absence there means nothing."""
METADATA_DEFAULTS = {path: value for path, value in SCRIPTS_DEFAULTS.items() if not path.startswith(NOT_RECORDED)}

WEIGHT_DECAYS: Mapping[str, float] = {"adamw": 0.01, "adamw8bit": 0.01}
"""Weight decay of each optimizer of ours where a file gives none; 0 for the others."""


def defaults_beside(settings: Mapping[str, Any], usual: Mapping[str, Any]) -> dict[str, Any]:
    """What holds where a file says nothing, beside the settings that it does say.

    Of several lines of a caption the first is trained, but one at random where {a|b} is read.

    Args:
        usual: the trainer's table.
    """
    found = {path: value for path, value in usual.items() if path not in settings}
    if "optimizer.weight_decay" in found:
        name = settings.get("optimizer.name", usual["optimizer.name"])
        found["optimizer.weight_decay"] = WEIGHT_DECAYS.get(name, 0.0)
    if settings.get("dataset.wildcards"):
        found["dataset.caption_lines"] = "random"
    if "memory.base_dtype" in found:
        found["memory.base_dtype"] = settings.get("memory.compute_dtype", usual["memory.compute_dtype"])
    if "schedule.epochs" in settings:
        found.pop("schedule.max_steps", None)
        found |= {} if "schedule.max_steps" in settings else {"schedule.max_steps": 0}
    if "schedule.warmup_steps" in settings or settings.get("schedule.name") == "constant":
        found |= {} if "schedule.warmup_share" in settings else {"schedule.warmup_share": 0.0}
    return found
