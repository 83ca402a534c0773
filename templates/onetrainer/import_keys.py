"""Which setting each key of OneTrainer is, and what the others mean."""

from __future__ import annotations

from collections.abc import Mapping

from templates.importing.ledger import Key
from templates.importing.readers import choice, flag, number, text, whole
from templates.onetrainer.words import DTYPES, OUTPUT_AXIS

SETTING_KEYS: Mapping[str, Key] = {
    "base_model_name": Key("model.path", text),
    "vae.model_name": Key("model.vae_path", text),
    "epochs": Key("schedule.epochs", whole),
    "batch_size": Key("schedule.batch_size", whole),
    "gradient_accumulation_steps": Key("schedule.gradient_accumulation", lambda raw: max(1, whole(raw))),
    "learning_rate_cycles": Key("schedule.cycles", lambda raw: max(1, round(number(raw)))),
    "clip_grad_norm": Key("optimizer.max_grad_norm", number),
    "lora_alpha": Key("network.alpha", number),
    "lora_model_name": Key("network.start_from", text),
    "dropout_probability": Key("network.dropout", number),
    "train_dtype": Key("memory.compute_dtype", choice(DTYPES.spellings)),
    "latent_caching": Key("memory.cache_latents", flag),
    "masked_training": Key("dataset.masks", flag),
    "text_encoder.dropout_probability": Key("dataset.caption_dropout", number),
    "huber_delta": Key("loss.huber_c", number),
    "offset_noise_weight": Key("loss.noise_offset", number),
    "perturbation_noise_weight": Key("loss.input_perturbation", number),
    "rescale_noise_scheduler_to_zero_terminal_snr": Key("loss.zero_terminal_snr", flag),
    "ema_decay": Key("loss.ema_decay", number),
    "dataloader_threads": Key("machine.cpu_threads", lambda raw: max(1, whole(raw))),
    "output_dtype": Key("saving.dtype", choice(DTYPES.spellings)),
}

OTHER_PARTS: Mapping[str, str] = {
    **dict.fromkeys(("prior", "transformer", "unconditional_transformer", "text_encoder_3", "text_encoder_4",
                     "effnet_encoder", "decoder", "decoder_text_encoder", "decoder_vqgan", "quantization"),
                    "a part that this model does not have"),
    **dict.fromkeys(("embedding", "embeddings", "additional_embeddings"), "it belongs to embeddings"),
    **dict.fromkeys(("cloud", "secrets"), "it belongs to training elsewhere"),
    "optimizer_defaults": "a record of other optimizers' settings",
}  # fmt: skip

_TALK = "it does not change what is learned"
_SPEED = "our training chooses this itself"
_STATE = "our training keeps its state by itself"

UNMAPPED_KEYS: Mapping[str, str] = {
    **dict.fromkeys(("__version", "debug_mode", "debug_dir", "workspace_dir", "cache_dir", "huggingface_cache_dir",
                     "offline_mode", "tensorboard", "tensorboard_expose", "tensorboard_always_on", "tensorboard_port",
                     "prevent_overwrites", "include_train_config", "concept_file_name", "sample_definition_file_name",
                     "output_model_format", "save_filename_prefix", "sample_image_format", "sample_video_format",
                     "sample_audio_format", "samples_to_tensorboard", "non_ema_sampling", "sample_skip_first",
                     "only_cache", "frames", "concepts", "samples"), _TALK),
    **dict.fromkeys(("continue_last_backup", "rolling_backup", "rolling_backup_count", "backup_before_save",
                     "save_skip_first", "clear_cache_before_training"), _STATE),
    **dict.fromkeys(("multi_gpu", "device_indexes", "gradient_reduce_precision", "fused_gradient_reduce",
                     "async_gradient_reduce", "async_gradient_reduce_buffer", "async_offloading", "compile",
                     "train_device", "temp_device", "fallback_train_dtype", "enable_autocast_cache",
                     "attention_mechanism", "layer_offload_fraction", "enable_activation_offloading",
                     "enable_async_offloading"), _SPEED),
    "validation": "we hold out a share of the pictures: validation.share",
    "validate_after": "we measure by epochs: validation.every_epochs",
    "validate_after_unit": "we measure by epochs: validation.every_epochs",
    "custom_learning_rate_scheduler": "only the schedules of our own list are known",
    "scheduler_params": "only the schedules of our own list are known",
    "ema_update_step_interval": "our average moves at every step",
    "force_circular_padding": "we make no tiles",
    "vb_loss_strength": "it belongs to another family",
    "loss_scaler": "our loss is the mean over the batch",
    "learning_rate_scaler": "our rate does not follow the batch",
    "unmasked_probability": "masked pictures are always masked with us",
    "unmasked_weight": "outside of its mask a picture counts nothing with us",
    "normalize_masked_area_loss": "we do not make up for small masks",
    "masked_prior_preservation_weight": "outside of its mask a picture counts nothing with us",
    "custom_conditioning_image": "it belongs to another family",
    "generalized_offset_noise": "our noise offset is the same at all timesteps",
    "layer_filter_regex": "we choose no single layers", "lora_layers": "we choose no single layers",
    "lora_decompose_norm_epsilon": "ours always has it", OUTPUT_AXIS: "only DoRA reads it",
    "lora_weight_dtype": "the LoRA is always trained in float32 with us",
    "bundle_additional_embeddings": "it belongs to embeddings", "preserve_embedding_norm": "it belongs to embeddings",
    "embedding_learning_rate": "it belongs to embeddings", "embedding_weight_dtype": "it belongs to embeddings",
    **dict.fromkeys(("oft_block_size", "oft_block_share", "oft_scaled"), "it belongs to OFT"),
    **dict.fromkeys(("lokr_decompose_both", "lokr_use_tucker", "lokr_weight_decompose", "lokr_dora_on_output",
                     "lokr_full_matrix", "lokr_vec_trick"), "a fine point of LoKr that we do not have"),
    "text_encoder_2_layer_skip": "it belongs to another family", "text_encoder_3_layer_skip": "another family's",
    "text_encoder_4_layer_skip": "another family's", "text_encoder_sequence_length": "another family's",
    "text_encoder_2_sequence_length": "another family's",
}  # fmt: skip

HARMLESS_MEANINGS = frozenset({_TALK, _SPEED, _STATE})
"""Meanings of keys that change nothing of what is learned."""

HARMLESS_VALUES: Mapping[str, tuple[object, ...]] = {
    **dict.fromkeys(("__version", "concepts", "samples", "workspace_dir", "cache_dir", "tensorboard_port",
                     "concept_file_name", "sample_definition_file_name", "debug_dir", "frames"), ()),
    **dict.fromkeys(("stochastic_rounding", "weight_decay_by_lr", "split_groups", "split_groups_mean", "factored",
                     "factored_fp32", "use_stableadamw", "d_limiter", "use_schedulefree", "rms_rescaling",
                     "tensorboard", "fused_gradient_reduce", "async_gradient_reduce",
                     "clear_cache_before_training", "backup_before_save", "samples_to_tensorboard", "rolling_backup",
                     "lora_decompose_norm_epsilon", "lokr_dora_on_output", "lokr_vec_trick", "async_offloading",
                     "enable_autocast_cache", "bundle_additional_embeddings", "non_ema_sampling"), (True,)),
    "include_train_config": ("NONE",), "tensorboard_port": (6006,), "output_model_format": ("KOHYA_LORA",
    "LEGACY_LORA"),
    "gradient_reduce_precision": ("FLOAT_32_STOCHASTIC",), "async_gradient_reduce_buffer": (100,),
    "train_device": ("cuda",), "temp_device": ("cpu",), "fallback_train_dtype": ("BFLOAT_16", "FLOAT_32"),
    "attention_mechanism": ("SDP", "DEFAULT"), "rolling_backup_count": (1, 3), "lora_weight_dtype": ("FLOAT_32",),
    "embedding_weight_dtype": ("FLOAT_32",), "loss_scaler": ("NONE",), "learning_rate_scaler": ("NONE",),
    "vb_loss_strength": (1.0,), "stop_training_after_unit": ("NEVER",),
    "oft_block_size": (32,), "ema_update_step_interval": (1, 5), "validate_after": (1,), "validate_after_unit":
    ("EPOCH",),
    "sample_image_format": ("JPG", "PNG"), "sample_video_format": ("MP4",), "sample_audio_format": ("MP3",),
    "text_encoder_2_sequence_length": (77,), "text_encoder_sequence_length": (512,), "muon_adam_config": ({},),
    "offload_fraction": (0.0,), "frames": ("25", "1"),
}  # fmt: skip
"""Values that change nothing, by the last part of a key."""

UNMAPPED_PART_KEYS: Mapping[str, str] = {
    "weight_dtype": "all parts of the base model are kept in one type with us",
    "stop_training_after": "all parts are trained to the end with us",
    "stop_training_after_unit": "all parts are trained to the end with us",
    "learning_rate": "both text encoders have one rate with us",
    "offload_fraction": "we keep the whole model on the card",
    "train": "both text encoders are trained alike",
    "dropout_probability": "dataset.caption_dropout is for all",
    "guidance_scale": "it belongs to another family",
    "gradient_checkpointing": "one switch for all parts with us",
}
"""Keys of a part of the model that we have no setting for."""
