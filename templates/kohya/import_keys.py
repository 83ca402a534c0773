"""Which setting each argument of sd-scripts is, most of which the GUI names alike, and what the others mean."""

from __future__ import annotations

from collections.abc import Mapping

from templates.importing.ledger import Key
from templates.importing.readers import choice, flag, number, text, whole
from templates.kohya.words import MIXED_PRECISIONS, SAVE_PRECISIONS, SCHEDULES

SETTING_KEYS: Mapping[str, Key] = {
    "pretrained_model_name_or_path": Key("model.path", text),
    "vae": Key("model.vae_path", text),
    "clip_skip": Key("model.clip_skip", lambda raw: max(1, whole(raw))),
    "caption_extension": Key("dataset.caption_extension", text),
    "shuffle_caption": Key("dataset.shuffle_captions", flag),
    "keep_tokens": Key("dataset.keep_tokens", whole),
    "keep_tokens_separator": Key("dataset.keep_tokens_separator", text),
    "enable_wildcard": Key("dataset.wildcards", flag),
    "weighted_captions": Key("dataset.weighted_captions", flag),
    "caption_dropout_rate": Key("dataset.caption_dropout", number),
    "caption_tag_dropout_rate": Key("dataset.tag_dropout", number),
    "flip_aug": Key("dataset.flip", flag),
    "random_crop": Key("dataset.random_crop", flag),
    "max_token_length": Key("dataset.max_tokens", whole),
    "network_dim": Key("network.rank", whole),
    "network_alpha": Key("network.alpha", number),
    "network_dropout": Key("network.dropout", number),
    "rank_dropout": Key("network.rank_dropout", number),
    "module_dropout": Key("network.module_dropout", number),
    "scale_weight_norms": Key("network.max_norm", number),
    "network_weights": Key("network.start_from", text),
    "max_grad_norm": Key("optimizer.max_grad_norm", number),
    "lr_scheduler": Key("schedule.name", lambda raw: choice(SCHEDULES.spellings)(text(raw).partition(":")[0])),
    "lr_scheduler_num_cycles": Key("schedule.cycles", lambda raw: max(1, whole(raw))),
    "lr_scheduler_power": Key("schedule.power", number),
    "lr_scheduler_min_lr_ratio": Key("schedule.min_rate", number),
    "train_batch_size": Key("schedule.batch_size", whole),
    "gradient_accumulation_steps": Key("schedule.gradient_accumulation", lambda raw: max(1, whole(raw))),
    "loss_type": Key("loss.kind", text),
    "huber_c": Key("loss.huber_c", number),
    "huber_schedule": Key("loss.huber_schedule", text),
    "min_snr_gamma": Key("loss.min_snr_gamma", number),
    "debiased_estimation_loss": Key("loss.debiased", flag),
    "ip_noise_gamma": Key("loss.input_perturbation", number),
    "min_timestep": Key("loss.min_timestep", whole),
    "max_timestep": Key("loss.max_timestep", whole),
    "prior_loss_weight": Key("loss.prior_weight", number),
    "zero_terminal_snr": Key("loss.zero_terminal_snr", flag),
    "mixed_precision": Key("memory.compute_dtype", choice(MIXED_PRECISIONS.spellings)),
    "gradient_checkpointing": Key("memory.gradient_checkpointing", flag),
    "cache_latents": Key("memory.cache_latents", flag),
    "num_cpu_threads_per_process": Key("machine.cpu_threads", lambda raw: max(1, whole(raw))),
    "max_data_loader_n_workers": Key("machine.data_workers", whole),
    "output_name": Key("saving.name", text),
    "save_precision": Key("saving.dtype", choice(SAVE_PRECISIONS.spellings)),
    "save_every_n_epochs": Key("saving.every_epochs", whole),
    "save_every_n_steps": Key("saving.every_steps", whole),
    "validation_split": Key("validation.share", number),
    "validate_every_n_epochs": Key("validation.every_epochs", whole),
}
"""Keys that are one setting each."""

_NOT_TRAINING = "it does not change what is learned"
_LOG = "our log is always TensorBoard's, in the run folder"
_KEY = "keys are not taken over: `wandb login`, or WANDB_API_KEY"
_STATE = "our training keeps its state by itself"
_HUB = "nothing is sent anywhere; upload the LoRA yourself"
_OTHER_FAMILY = "it belongs to another family of models"
_LAUNCH = "our training starts its process itself, on one card"
_BLOCKS = "we have a rank for each block, no alpha of its own"
_SPEED = "our training chooses its own attention and compiles nothing"

UNMAPPED_KEYS: Mapping[str, str] = {
    **dict.fromkeys(("logging_dir", "log_with", "log_prefix", "log_tracker_name", "log_tracker_config", "log_config",
                     "wandb_run_name", "use_wandb", "console_log_level", "console_log_file",
                     "console_log_simple"), _LOG),
    "wandb_api_key": _KEY,
    **dict.fromkeys(("save_state", "save_state_on_train_end", "save_last_n_epochs_state", "save_last_n_steps_state",
                     "resume", "skip_until_initial_step", "initial_epoch", "initial_step"), _STATE),
    **dict.fromkeys(("huggingface_repo_id", "huggingface_token", "huggingface_repo_type", "async_upload",
                     "huggingface_repo_visibility", "huggingface_path_in_repo", "save_state_to_huggingface",
                     "resume_from_huggingface"), _HUB),
    **dict.fromkeys(("num_processes", "num_machines", "multi_gpu", "gpu_ids", "main_process_port", "dynamo_backend",
                     "dynamo_mode", "dynamo_use_fullgraph", "dynamo_use_dynamic", "extra_accelerate_launch_args",
                     "ddp_timeout", "ddp_gradient_as_bucket_view", "ddp_static_graph", "deepspeed"), _LAUNCH),
    **dict.fromkeys(("xformers", "sdpa", "mem_eff_attn", "torch_compile", "highvram", "lowvram", "lowram",
                     "vae_batch_size", "persistent_data_loader_workers", "skip_cache_check", "no_half_vae",
                     "sdxl_no_half_vae", "cache_latents_to_disk", "cache_text_encoder_outputs_to_disk",
                     "text_encoder_batch_size", "disable_mmap_load_safetensors", "cpu_offload_checkpointing",
                     "blocks_to_swap", "tokenizer_cache_dir"), _SPEED),
    **dict.fromkeys(("training_comment", "metadata_author", "metadata_description", "metadata_license",
                     "metadata_tags", "metadata_title", "metadata_usage_hint", "metadata_trigger_phrase",
                     "no_metadata", "output_dir", "save_model_as", "model_list", "save_as_bool", "training_preset",
                     "output_config", "cache_info", "debug_dataset", "use_safetensors"), _NOT_TRAINING),
    **dict.fromkeys(("block_alphas", "conv_block_dims", "conv_block_alphas", "conv_dims", "conv_alphas"), _BLOCKS),
    **dict.fromkeys(("down_lr_weight", "mid_lr_weight", "up_lr_weight"), "its words are not read, only numbers"),
    "block_lr_zero_threshold": "blocks with a factor of 0 stay as they are with us",
    "full_fp16": "the LoRA's own weights are always trained in float32 with us",
    "full_bf16": "the LoRA's own weights are always trained in float32 with us",
    "fp8_base": "the base model is kept in 8 bits as int8 with us: memory.base_dtype",
    "fp8_base_unet": "the base model is kept in 8 bits as int8 with us: memory.base_dtype",
    "color_aug": "we change no colours",
    "face_crop_aug_range": "we do not crop around faces",
    "v_pred_like_loss": "we have no such weight",
    "scale_v_pred_loss_like_noise_pred": "we have no such weight",
    "noise_offset_random_strength": "our noise offset is always as strong as given",
    "ip_noise_gamma_random_strength": "our input perturbation is always as strong as given",
    "huber_scale": "we have no such factor",
    "caption_dropout_every_n_epochs": "we drop captions by share only: dataset.caption_dropout",
    "caption_prefix": "dataset.prepend_trigger puts the trigger in front; write other words into the captions",
    "caption_suffix": "write it into the captions",
    "caption_separator": "our tags are separated by commas",
    "secondary_separator": "our tags are separated by commas",
    "token_warmup_min": "all tags are shown from the start with us",
    "token_warmup_step": "all tags are shown from the start with us",
    "dataset_config": "the pictures are described in another file, which the GUI's file only names",
    "in_json": "captions are read from files beside the pictures",
    "dataset_repeats": "it belongs to fine-tuning",
    "resize_interpolation": "our pictures are always scaled alike",
    "lr_scheduler_args": "we have no further arguments for schedules",
    "lr_scheduler_type": "only the schedules of our own list are known",
    "lr_decay_steps": "our warmup_stable_decay falls over the last fifth of the steps",
    "lr_scheduler_timescale": "we have no such number",
    "sample_every_n_steps": "we draw samples by epochs: sampling.every_epochs",
    "sample_at_first": "we draw samples after epochs",
    "save_n_epoch_ratio": "we save by epochs or steps",
    "stop_text_encoder_training": "kohya ignores it too",
    "stop_text_encoder_training_pct": "kohya ignores it too",
    "no_token_padding": "kohya ignores it in the LoRA tab",
    "dim_from_weights": "the rank is the one given here",
    "base_weights": "merge that LoRA into the base model first",
    "base_weights_multiplier": "merge that LoRA into the base model first",
    "train_inpainting": "we train no inpainting models",
    "validation_seed": "it follows from run.seed",
    "validate_every_n_steps": "we measure by epochs: validation.every_epochs",
    "max_validation_steps": "we measure on all pictures held out",
    "conditioning_data_dir": "our mask files lie beside the pictures",
    "loraplus_lr_ratio": "we have no LoRA+",
    "loraplus_text_encoder_lr_ratio": "we have no LoRA+",
    "loraplus_unet_lr_ratio": "we have no LoRA+",
    "fused_backward_pass": _SPEED,
}  # fmt: skip
"""Keys without a setting of ours, and what that means."""

HARMLESS_MEANINGS = frozenset({_NOT_TRAINING, _LOG, _KEY, _STATE, _HUB, _LAUNCH, _SPEED})
"""Meanings of keys that change nothing of what is learned."""

OTHER_FAMILIES = _OTHER_FAMILY
"""What is said of a key that only some other family of models has."""

HARMLESS_VALUES: Mapping[str, tuple[object, ...]] = {
    **dict.fromkeys(("num_processes", "num_machines", "huber_scale", "token_warmup_min", "dataset_repeats", "unit"),
    (1,)),
    "lr_decay_steps": (0, 0.2),
    "dynamo_backend": ("no",), "dynamo_mode": ("default",), "xformers": ("sdpa", "xformers", True), "sdpa": (True,),
    "save_model_as": ("safetensors", "same as source model"), "model_list": ("custom",), "caption_separator": (",",),
    "vae_batch_size": (0, 1), "use_safetensors": (True,), "train_on_input": (True,), "log_with": ("tensorboard",),
}  # fmt: skip
"""Values of those that change nothing."""
