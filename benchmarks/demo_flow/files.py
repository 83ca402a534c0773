"""Writes the finished parts as Anima's users have them: denoiser, text encoder and VAE, a file each, in 16 bits."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import torch
from safetensors.torch import save_file
from torch import Tensor, nn

from benchmarks.demo_flow.vae import Codec
from trainer.models.anima_keys import denoiser_key, video_vae_key
from trainer.models.families.family import BaseModel

DENOISER, TEXT_ENCODER, VAE = "anima_small.safetensors", "qwen_3_06b_base.safetensors", "qwen_image_vae.safetensors"


def write_files(folder: Path, base: BaseModel, codec: Codec) -> Path:
    """Write all three into `folder`; the denoiser's is returned, beside which programs find the others."""
    folder.mkdir(parents=True, exist_ok=True)
    save_file(_named(base.denoiser, denoiser_key, "net."), folder / DENOISER)
    save_file(_named(base.text_encoders[0], str, "model."), folder / TEXT_ENCODER)
    save_file(_named(codec.vae, video_vae_key), folder / VAE)
    return folder / DENOISER


def _named(network: nn.Module, name: Callable[[str], str], prefix: str = "") -> dict[str, Tensor]:
    """A network's weights under the names of files, in bfloat16."""
    return {prefix + name(own): one.to(torch.bfloat16).contiguous() for own, one in network.state_dict().items()}
