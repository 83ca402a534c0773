"""Writes the finished parts as a diffusers folder in half precision, and reads it back as a pipeline."""

import shutil
from pathlib import Path

import torch
from diffusers import AutoencoderKL, StableDiffusionPipeline
from transformers import CLIPTokenizer

from benchmarks.demo_model.denoiser import Base, new_scheduler
from benchmarks.demo_model.tokenizer import write_tokenizer


def write_folder(folder: Path, vae: AutoencoderKL, base: Base, scale: float) -> None:
    """Replaces `folder` by the model; `scale` brings the VAE's latents to unit variance."""
    shutil.rmtree(folder, ignore_errors=True)
    write_tokenizer(folder / "tokenizer")
    vae.register_to_config(scaling_factor=scale)
    pipeline = StableDiffusionPipeline(
        vae=vae.half(),
        text_encoder=base.text_encoder.half(),
        tokenizer=CLIPTokenizer.from_pretrained(folder / "tokenizer"),
        unet=base.unet.half(),
        scheduler=new_scheduler(),
        safety_checker=None,
        feature_extractor=None,
        requires_safety_checker=False,
    )
    pipeline.save_pretrained(folder, safe_serialization=True)
    shutil.rmtree(folder / "tokenizer")
    write_tokenizer(folder / "tokenizer")
    for weights in folder.rglob("*.safetensors"):
        weights.chmod(0o644)


def read_folder(folder: Path) -> StableDiffusionPipeline:
    """The pipeline in full precision, silent, without looking at any network."""
    pipeline = StableDiffusionPipeline.from_pretrained(
        folder, safety_checker=None, feature_extractor=None, dtype=torch.float32, local_files_only=True
    )
    pipeline.set_progress_bar_config(disable=True)
    return pipeline
