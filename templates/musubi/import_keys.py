"""Which setting each argument of musubi-tuner is, and what those mean that sd-scripts do not have."""

from __future__ import annotations

from collections.abc import Mapping

from templates.importing.ledger import Key
from templates.importing.readers import choice, number, text, whole
from templates.kohya.import_keys import HARMLESS_MEANINGS as SCRIPTS_HARMLESS
from templates.kohya.import_keys import SETTING_KEYS as SCRIPTS_KEYS
from templates.kohya.import_keys import UNMAPPED_KEYS as SCRIPTS_UNMAPPED
from templates.musubi.words import SCHEDULES

_SHARED = (
    "network_dim", "network_alpha", "network_dropout", "scale_weight_norms", "network_weights", "max_grad_norm",
    "lr_scheduler_num_cycles", "lr_scheduler_power", "lr_scheduler_min_lr_ratio", "gradient_accumulation_steps",
    "min_timestep", "max_timestep", "mixed_precision", "gradient_checkpointing", "num_cpu_threads_per_process",
    "max_data_loader_n_workers", "output_name", "save_precision", "save_every_n_epochs", "save_every_n_steps",
)  # fmt: skip
"""Arguments that it has as sd-scripts have them."""

SETTING_KEYS: Mapping[str, Key] = {
    **{name: SCRIPTS_KEYS[name] for name in _SHARED},
    "dit": Key("model.path", text),
    "vae": Key("model.vae_path", text),
    "text_encoder": Key("model.text_encoder_path", text),
    "learning_rate": Key("optimizer.learning_rate", number),
    "lr_scheduler": Key(
        "schedule.name", lambda raw: choice({**SCHEDULES.spellings, **SCHEDULES.near})(text(raw).partition(":")[0])
    ),
    "blocks_to_swap": Key("memory.swapped_blocks", whole),
    "seed": Key("run.seed", lambda raw: whole(raw) % 2**32),
}
"""Keys that are one setting each."""

DATASET_KEYS: Mapping[str, Key] = {"caption_extension": Key("dataset.caption_extension", text)}
"""Keys that each folder may have its own value of, or [general]."""

_SPEED = "our training chooses its own attention and compiles nothing"
_CACHES = "our training keeps its caches itself"
_OTHER_FAMILY = "it belongs to other families or kinds of training"

UNMAPPED_KEYS: Mapping[str, str] = {
    **{name: meaning for name, meaning in SCRIPTS_UNMAPPED.items() if name not in SETTING_KEYS},
    **dict.fromkeys(
        ("flash_attn", "sage_attn", "flash3", "split_attn", "compile", "compile_backend", "compile_mode",
         "compile_dynamic", "compile_fullgraph", "compile_cache_size_limit", "cuda_allow_tf32", "cuda_cudnn_benchmark",
         "dynamo_fullgraph", "dynamo_dynamic", "gradient_checkpointing_cpu_offload", "disable_numpy_memmap",
         "use_pinned_memory_for_block_swap", "block_swap_h2d_only", "block_swap_ring_size", "use_32bit_attention",
         "vae_dtype", "fp8_llm", "img_in_txt_in_offloading"),
        _SPEED,
    ),
    **dict.fromkeys(
        ("guidance_scale", "flow_shift", "control_directory", "control_resolution", "no_resize_control",
         "multiple_target", "fp_latent_window_size", "fp_1f_clean_indices", "fp_1f_target_index", "fp_1f_no_post"),
        _OTHER_FAMILY,
    ),
    "cache_directory": _CACHES,
    "image_jsonl_file": "captions are read from files beside the pictures",
    "preserve_distribution_shape": "our timesteps are scaled into their range",
    "num_timestep_buckets": "our timesteps are drawn each for itself",
    "show_timesteps": _SPEED,
    "metadata_reso": "it does not change what is learned", "metadata_arch": "it does not change what is learned",
}  # fmt: skip
"""Keys without a setting of ours, and what that means."""

HARMLESS_MEANINGS = SCRIPTS_HARMLESS | {_SPEED, _CACHES}
"""Meanings of keys that change nothing of what is learned."""

HARMLESS_VALUES: Mapping[str, tuple[object, ...]] = {
    "weighting_scheme": ("none",), "guidance_scale": (1, 1.0), "lr_decay_steps": (0, 0.2), "log_with": ("tensorboard",),
    "sdpa": (True,), "save_last_n_epochs": (), "block_swap_ring_size": (2,), "compile_backend": ("inductor",),
    "compile_mode": ("default",), "dynamo_backend": ("NO", "no"), "fp_latent_window_size": (9,),
}  # fmt: skip
"""Values that change nothing."""
FLAGS = ("fp8_base", "fp8_scaled")
"""The base model in 8-bit floats; the second keeps a factor for each layer."""
