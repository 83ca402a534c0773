"""The metadata of a LoRA file: kohya's `ss_*` entries and Stability's `modelspec.*`, all of them strings."""

from __future__ import annotations

import json
import time
from collections import Counter
from dataclasses import dataclass
from datetime import UTC, datetime
from hashlib import sha256
from typing import Any

from advisor.adapters.file_names import layer_names
from advisor.families import family
from advisor.families.about import licence_of
from advisor.settings.config import TrainingConfig
from advisor.settings.shared_names import last_name, shared_folder
from trainer.data.captions import tags_of
from trainer.data.training_set import Item, TrainingSet, Use
from trainer.lora_files.loss_metadata import loss_entries
from trainer.lora_files.model_hashes import FileHashes

MODELSPEC_VERSION = "1.0.1"
"""github.com/Stability-AI/ModelSpec"""

LYCORIS_ARGUMENTS = {
    "loha": {"algo": "loha"}, "lokr": {"algo": "lokr"}, "dora": {"algo": "locon", "dora_wd": "True"},
}  # fmt: skip
"""What says in kohya's metadata that an adapter is of a kind that LyCORIS brought."""


@dataclass(frozen=True)
class Session:
    """What stays the same for all LoRAs of a training."""

    config: TrainingConfig
    training_set: TrainingSet
    model: FileHashes
    vae: FileHashes | None
    num_steps: int
    batches_per_epoch: int
    started: float
    """Unix seconds."""

    @property
    def id(self) -> str:
        """A number for this training, as kohya gives it one."""
        text = f"{self.config.run.seed} {self.started} {self.config.saving.name}"
        return str(int.from_bytes(sha256(text.encode()).digest()[:4], "big"))


@dataclass(frozen=True)
class SavedAt:
    """Where in a training a LoRA is saved."""

    step: int
    """Steps done."""
    epoch: int
    """Of the last step, counted from 1."""


def lora_metadata(session: Session, saved_at: SavedAt, now: float | None = None) -> dict[str, str]:
    """The metadata of the LoRA that is saved there."""
    now = time.time() if now is None else now
    entries = {
        **_of_run(session, saved_at, now),
        **_of_optimizer(session),
        **_of_network(session.config),
        **_of_model(session),
        **loss_entries(session.config),
        **_of_dataset(session),
    }
    ours = {f"ss_{name}": _text(value) for name, value in entries.items()}
    return {**ours, **_modelspec(session.config, now)}


def _of_run(session: Session, saved_at: SavedAt, now: float) -> dict[str, Any]:
    config = session.config
    return {
        "session_id": session.id,
        "training_started_at": session.started,
        "training_finished_at": now,
        "output_name": config.saving.name,
        "training_comment": "trained with Loracle",
        "seed": config.run.seed,
        "steps": saved_at.step,
        "epoch": saved_at.epoch,
        "num_epochs": config.schedule.epochs,
        "max_train_steps": session.num_steps,
        "num_batches_per_epoch": session.batches_per_epoch,
        "num_train_images": sum(item.repeats for item in session.training_set.used_for("training")),
        "num_reg_images": sum(item.repeats for item in session.training_set.used_for("regularization")),
        "num_validation_images": len(session.training_set.used_for("validation")),
    }


def _of_optimizer(session: Session) -> dict[str, Any]:
    config = session.config
    arguments = ",".join((f"weight_decay={config.optimizer.weight_decay}", *config.optimizer.arguments))
    return {
        "learning_rate": config.optimizer.learning_rate,
        "unet_lr": config.optimizer.unet_learning_rate,
        "text_encoder_lr": config.optimizer.text_encoder_learning_rate,
        "optimizer": f"{config.optimizer.name}({arguments})",
        "lr_scheduler": config.schedule.name,
        "lr_warmup_steps": config.schedule.warmup_steps or int(config.schedule.warmup_share * session.num_steps),
        "max_grad_norm": config.optimizer.max_grad_norm,
        "gradient_accumulation_steps": config.schedule.gradient_accumulation,
        "gradient_checkpointing": config.memory.gradient_checkpointing,
        "mixed_precision": _mixed_precision(config),
        "full_fp16": False,
        "full_bf16": False,
        "batch_size_per_device": config.schedule.batch_size,
        "total_batch_size": config.schedule.batch_size,
    }


def _of_network(config: TrainingConfig) -> dict[str, Any]:
    network, facts = config.network, family(config.model.family)
    arguments = dict(LYCORIS_ARGUMENTS.get(network.kind, {}))
    if network.kind == "lokr":
        arguments["factor"] = str(network.factor)
    if network.kind == "dora":
        arguments["wd_on_output"] = str(network.dora_axis == "output")
    if network.block_ranks:
        arguments["block_dims"] = ",".join(map(str, network.block_ranks))
    if network.conv_rank:
        arguments["conv_dim"] = str(network.conv_rank)
        arguments["conv_alpha"] = str(network.conv_alpha or network.alpha / network.rank * network.conv_rank)
    for name in ("rank_dropout", "module_dropout"):
        if getattr(network, name):
            arguments[name] = str(getattr(network, name))
    if network.text_adapter:
        arguments["train_llm_adapter"] = "True"
    return {
        "network_module": "lycoris.kohya" if network.kind in LYCORIS_ARGUMENTS else facts.lora_module,
        "network_dim": network.rank,
        # Without alphas in the file the weights have alpha / rank in them.
        "network_alpha": network.alpha if layer_names(config) == "kohya" else network.rank,
        "network_dropout": network.dropout or None,
        "network_args": json.dumps(arguments),
        "scale_weight_norms": network.max_norm or None,
    }


def _of_model(session: Session) -> dict[str, Any]:
    config = session.config
    entries: dict[str, Any] = {
        "v2": config.model.family == "sd2",
        "base_model_version": family(config.model.family).base_model_version(config.model.prediction),
        "clip_skip": config.model.clip_skip,
        "max_token_length": config.dataset.max_tokens,
        "sd_model_name": session.model.name,
        "sd_model_hash": session.model.legacy,
        "new_sd_model_hash": session.model.full,
    }
    if session.vae is not None:
        entries |= {"vae_name": session.vae.name, "vae_hash": session.vae.legacy, "new_vae_hash": session.vae.full}
    return entries


def _of_dataset(session: Session) -> dict[str, Any]:
    dataset = session.config.dataset
    return {
        "dataset_dirs": json.dumps(_folders(session, "training"), ensure_ascii=False),
        "reg_dataset_dirs": json.dumps(_folders(session, "regularization"), ensure_ascii=False),
        "tag_frequency": json.dumps(_tag_frequency(session), ensure_ascii=False),
        "bucket_info": json.dumps(_bucket_info(session.training_set)),
        "resolution": f"({dataset.resolution_px}, {dataset.resolution_px})",
        "enable_bucket": True,
        "bucket_no_upscale": not dataset.bucket_upscale,
        "min_bucket_reso": dataset.min_bucket_px,
        "max_bucket_reso": dataset.max_bucket_px,
        "cache_latents": session.config.memory.cache_latents,
        "color_aug": False,
        "flip_aug": dataset.flip,
        "random_crop": dataset.random_crop,
        "shuffle_caption": dataset.shuffle_captions,
        "keep_tokens": dataset.keep_tokens,
        "caption_dropout_rate": dataset.caption_dropout,
        "caption_dropout_every_n_epochs": 0,
        "caption_tag_dropout_rate": dataset.tag_dropout,
        "face_crop_aug_range": None,
    }


def _folders(session: Session, use: Use) -> dict[str, dict[str, int]]:
    """The folders of images of one use: each one's repeats and number of images, by its name."""
    found = dict[str, dict[str, int]]()
    for item in session.training_set.used_for(use):
        entry = found.setdefault(_folder_name(session, item), {"n_repeats": item.repeats, "img_count": 0})
        entry["img_count"] += 1
    return found


def _folder_name(session: Session, item: Item) -> str:
    """Below the images' root, or what the root itself is called; of a folder elsewhere its name alone."""
    dataset = session.config.dataset
    root = dataset.regularization_images if item.use == "regularization" else dataset.images
    return last_name(root or "") if item.folder == "." else shared_folder(item.folder)


def _tag_frequency(session: Session) -> dict[str, dict[str, int]]:
    """How often each tag occurs, by folder; tags as written, the most frequent first."""
    found = dict[str, Counter[str]]()
    for item in session.training_set.used_for("training"):
        name = _folder_name(session, item)
        captions = item.caption.split("\n")
        found.setdefault(name, Counter()).update(tag.lower() for caption in captions for tag in tags_of(caption))
    return {name: dict(counts.most_common()) for name, counts in found.items()}


def _bucket_info(training_set: TrainingSet) -> dict[str, Any]:
    """The buckets with their samples, and how far proportions were changed by cropping."""
    errors = [
        abs(item.size[0] / item.size[1] - item.bucket[0] / item.bucket[1]) * item.repeats for item in training_set.items
    ]
    return {
        "buckets": {
            str(number): {"resolution": list(bucket), "count": count}
            for number, (bucket, count) in enumerate(sorted(training_set.bucket_counts().items()))
        },
        "mean_img_ar_error": sum(errors) / training_set.num_samples,
    }


def _modelspec(config: TrainingConfig, now: float) -> dict[str, str]:
    side, licence = config.dataset.resolution_px, licence_of(config.model.family)
    entries = {
        "sai_model_spec": MODELSPEC_VERSION,
        "architecture": family(config.model.family).modelspec_architecture(config.model.prediction),
        "implementation": family(config.model.family).lora_implementation,
        "title": config.saving.name,
        "date": datetime.fromtimestamp(int(now), UTC).replace(tzinfo=None).isoformat(),
        "resolution": f"{side}x{side}",
        "prediction_type": "v" if config.model.prediction == "v_prediction" else config.model.prediction,
        "encoder_layer": "" if config.model.prediction == "flow" else str(config.model.clip_skip),
        "timestep_range": f"{config.loss.min_timestep},{config.loss.max_timestep}",
        "trigger_phrase": config.run.trigger,
        "license": "" if licence is None else f"{licence.name}, {licence.source}",
    }
    return {f"modelspec.{name}": value for name, value in entries.items() if value}


def _mixed_precision(config: TrainingConfig) -> str:
    return {"float32": "no", "float16": "fp16", "bfloat16": "bf16"}[config.memory.compute_dtype]


def _text(value: object) -> str:
    return value if isinstance(value, str) else str(value)
