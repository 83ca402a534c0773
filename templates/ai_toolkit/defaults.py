"""What ai-toolkit does where a job says nothing: the classes of its `config_modules`.

Settings that are not here are no trainer's but of a machine or a run: names, paths, the seed, what is drawn.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

DEFAULTS: Mapping[str, Any] = {
    "model.clip_skip": 1, "model.vae_path": None, "model.text_encoder_path": None,
    "dataset.repeats": 1, "dataset.resolution_px": 512, "dataset.bucket_step_px": 64, "dataset.bucket_upscale": False,
    "dataset.caption_extension": ".txt", "dataset.shuffle_captions": False, "dataset.keep_tokens": 0,
    "dataset.keep_tokens_separator": "", "dataset.wildcards": False, "dataset.weighted_captions": False,
    "dataset.caption_dropout": 0.0, "dataset.tag_dropout": 0.0, "dataset.flip": False, "dataset.random_crop": False,
    "dataset.max_tokens": 75, "dataset.caption_lines": "joined", "dataset.prepend_trigger": False,
    "dataset.masks": False, "dataset.mask_source": "alpha",
    "network.kind": "lora", "network.rank": 4, "network.alpha": 1.0, "network.conv_rank": 0, "network.conv_alpha": 0.0,
    "network.dropout": 0.0, "network.rank_dropout": 0.0, "network.module_dropout": 0.0, "network.max_norm": 0.0,
    "network.block_ranks": (), "network.factor": -1, "network.start_from": None,
    "network.dora_axis": "input", "network.resize_start": False, "network.text_adapter": False,
    "optimizer.name": "adamw", "optimizer.learning_rate": 1e-6, "optimizer.unet_learning_rate": 1e-6,
    "optimizer.text_encoder_learning_rate": 0.0, "optimizer.weight_decay": 0.01,
    "optimizer.block_learning_rates": (), "optimizer.max_grad_norm": 1.0, "optimizer.arguments": (),
    "schedule.name": "constant", "schedule.warmup_steps": 0, "schedule.warmup_share": 0.0, "schedule.cycles": 1,
    "schedule.power": 1.0, "schedule.min_rate": 0.0, "schedule.epochs": 1000, "schedule.max_steps": 1000,
    "schedule.batch_size": 1, "schedule.gradient_accumulation": 1,
    "loss.kind": "l2", "loss.huber_c": 0.1, "loss.huber_schedule": "constant", "loss.min_snr_gamma": 0.0,
    "loss.debiased": False, "loss.noise_offset": 0.0, "loss.adaptive_noise_scale": 0.0,
    "loss.multires_iterations": 0, "loss.multires_discount": 0.3, "loss.input_perturbation": 0.0,
    "loss.min_timestep": 0, "loss.max_timestep": 1000, "loss.prior_weight": 1.0, "loss.zero_terminal_snr": False,
    "loss.timestep_sampling": "uniform", "loss.timestep_mean": 0.0, "loss.timestep_scale": 1.0,
    "loss.timestep_shift": 1.0, "loss.timestep_weighting": "none",
    "loss.ema": False, "loss.ema_decay": 0.999,
    "memory.compute_dtype": "float32", "memory.base_dtype": "float16", "memory.gradient_checkpointing": True,
    "memory.cache_latents": False, "memory.cache_text": False, "memory.text_variants": 0,
    "memory.checkpointed_blocks": 0, "memory.encode_slices": 1, "memory.decode_slices": 1,
    "memory.swapped_blocks": 0,
    "machine.data_workers": 2,
    "saving.every_epochs": 0, "saving.every_steps": 1000, "saving.keep_last": 5, "saving.dtype": "float16",
    "saving.layer_names": "usual", "saving.diffusers_copy": False,
    "validation.share": 0.0, "validation.every_epochs": 1,
}  # fmt: skip

WEIGHT_DECAYS: Mapping[str, float] = {"adamw": 0.01, "adamw8bit": 0.01}
"""Weight decay of each optimizer of ours where a job gives none; 0 for the others."""
