"""Which setting each key of ai-toolkit is, and what the others mean."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from templates.ai_toolkit.words import LOSSES, MODEL_DTYPES, PROCESS_TYPES, SAVE_DTYPES, TRAIN_DTYPES
from templates.importing.ledger import Key
from templates.importing.readers import choice, flag, number, text, whole

SETTING_KEYS: Mapping[str, Key] = {
    "job.name": Key("saving.name", text),
    "training_seed": Key("run.seed", lambda raw: whole(raw) % 2**32),
    "network.dropout": Key("network.dropout", number),
    "network.network_kwargs.rank_dropout": Key("network.rank_dropout", number),
    "network.network_kwargs.module_dropout": Key("network.module_dropout", number),
    "network.pretrained_lora_path": Key("network.start_from", text),
    "save.dtype": Key("saving.dtype", choice(SAVE_DTYPES.spellings)),
    "train.batch_size": Key("schedule.batch_size", whole),
    "train.gradient_accumulation": Key("schedule.gradient_accumulation", lambda raw: max(1, whole(raw))),
    "train.max_grad_norm": Key("optimizer.max_grad_norm", number),
    "train.noise_offset": Key("loss.noise_offset", number),
    "train.min_snr_gamma": Key("loss.min_snr_gamma", number),
    "train.loss_type": Key("loss.kind", choice(LOSSES.spellings)),
    "train.reg_weight": Key("loss.prior_weight", number),
    "train.gradient_checkpointing": Key("memory.gradient_checkpointing", flag),
    "train.dtype": Key("memory.compute_dtype", choice(TRAIN_DTYPES.spellings)),
    "train.ema_config.use_ema": Key("loss.ema", flag),
    "train.ema_config.ema_decay": Key("loss.ema_decay", number),
    "train.prompt_dropout_prob": Key("dataset.caption_dropout", number, "dataset.caption_dropout"),
    "model.name_or_path": Key("model.path", text),
    "model.vae_path": Key("model.vae_path", text),
    "model.dtype": Key("memory.base_dtype", choice(MODEL_DTYPES.spellings)),
}
"""Keys that are one setting each, those of the first process without their beginning."""


def _extension(raw: Any) -> str:
    return "." + text(raw).lstrip(".")


DATASET_KEYS: Mapping[str, Key] = {
    "caption_ext": Key("dataset.caption_extension", _extension),
    "caption_dropout_rate": Key("dataset.caption_dropout", number),
    "token_dropout_rate": Key("dataset.tag_dropout", number),
    "shuffle_tokens": Key("dataset.shuffle_captions", flag),
    "keep_tokens": Key("dataset.keep_tokens", whole),
    "flip_x": Key("dataset.flip", flag),
    "bucket_tolerance": Key("dataset.bucket_step_px", whole),
    "cache_text_embeddings": Key("memory.cache_text", flag),
    "num_workers": Key("machine.data_workers", whole),
}
"""Keys of a data set that are one setting each."""

_TALK = "it does not change what is learned"
_SPEED = "our training chooses this itself"
_OTHER = "it belongs to other families or kinds of training"

UNMAPPED_KEYS: Mapping[str, str] = {
    **dict.fromkeys(("job", "type", "training_folder", "performance_log_every", "log_dir", "push_to_hub", "hf_repo_id",
                     "hf_private", "save_format", "name", "version", "log_every", "verbose", "use_wandb", "run_name",
                     "project_name", "use_ui_logger", "sqlite_db_path", "skip_first_sample", "force_first_sample"),
                     _TALK),
    **dict.fromkeys(("device", "sdp", "xformers", "attention_backend", "low_vram", "compile", "vae_device", "te_device",
                     "vae_dtype", "te_dtype", "cache_text_embeddings", "unload_text_encoder", "prefetch_factor",
                     "layer_offloading", "layer_offloading_transformer_percent", "quantize_te", "qtype", "qtype_te",
                     "layer_offloading_text_encoder_percent", "fast_image_size"), _SPEED),
    **dict.fromkeys(("timestep_type", "linear_timesteps", "linear_timesteps2", "content_or_style",
    "bypass_guidance_embedding",
                     "is_v3", "model_kwargs", "assistant_lora_path", "use_flux_cfg", "num_frames", "fps", "controls",
                     "shrink_video_to_frames", "do_i2v", "control_path", "inpaint_path", "clip_image_path"), _OTHER),
    "noise_scheduler": "the noise schedule is the base model's own with us",
    "loss_target": "we learn the noise (or velocity) itself",
    "diff_output_preservation": "we have regularisation pictures instead",
    "diff_output_preservation_multiplier": "we have regularisation pictures instead",
    "diff_output_preservation_class": "we have regularisation pictures instead",
    "snr_gamma": "we have min-SNR: loss.min_snr_gamma",
    "flip_y": "we mirror left and right only", "random_scale": "we change sizes in no such way",
    "buckets": "our pictures always go into buckets", "network_weight": "our adapter always trains at full strength",
    "mask_path": "our mask files lie beside the pictures", "invert_mask": "our masks are not turned round",
    "mask_min_value": "outside of its mask a picture counts nothing with us",
    "loss_multiplier": "all pictures count alike with us", "augments": "we change pictures in no such way",
    "extras_name_or_path": "text encoder and VAE are those that are found beside the base model",
    "transformer_only": "all of the model's attention layers are adapted",
    "old_lokr_format": "it does not change what is learned",
    "ema_decay": "no average is kept", "use_feedback": "we have no such average",
}  # fmt: skip
"""By the last part of a key."""

HARMLESS_MEANINGS = frozenset({_TALK, _SPEED})
"""Meanings of keys that change nothing of what is learned."""

HARMLESS_VALUES: Mapping[str, tuple[object, ...]] = {
    "job": ("extension",), "type": PROCESS_TYPES, "training_folder": (),
    "device": ("cuda:0", "cuda"), "sdp": (True,), "noise_scheduler": ("ddpm",), "buckets": (True,),
    "skip_first_sample": (True,), "save_format": ("safetensors", "diffusers"), "network_weight": (1, 1.0),
    "loss_multiplier": (1, 1.0), "transformer_only": (True,), "fps": (24, 16, 1), "num_frames": (1,),
    "shrink_video_to_frames": (True,), "name": ("[name]",), "version": ("1.0",), "controls": ([],), "augments": ([],),
    "content_or_style": ("balanced",), "loss_target": ("noise",), "old_lokr_format": (False,),
}  # fmt: skip
"""Values that change nothing, by the last part of a key."""
