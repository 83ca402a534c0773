"""A small Anima of random weights, as the files that its users have."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

import torch
from safetensors.torch import save_file
from torch import Tensor, nn

from advisor.families.anima_structure import AnimaStructure, TextAdapterStructure, TransformerStructure
from advisor.families.language_model import LanguageStructure
from advisor.families.video_vae import VideoVaeStructure
from tests.support.headers import write_model
from trainer.models.anima_keys import denoiser_key, video_vae_key
from trainer.models.families.anima import Anima
from trainer.models.families.family import BaseModel
from trainer.models.part_files import PartFiles

TINY_ANIMA = AnimaStructure(
    denoiser=TransformerStructure(
        latent_channels=16, width=48, heads=2, layers=2, mlp_width=96, text_width=32, modulation_width=8
    ),
    adapter=TextAdapterStructure(
        source_width=24, width=32, heads=2, layers=1, mlp_width=64, target_width=32, vocab_size=32128
    ),
    text=(
        LanguageStructure(
            width=24, layers=2, heads=3, key_value_heads=1, head_width=8, mlp_width=40, vocab_size=151936
        ),
    ),
    vae=VideoVaeStructure(width=8, latent_channels=16),
    native_px=1024,
)
CPU = torch.device("cpu")


def tiny_anima(seed: int = 0) -> BaseModel:
    """The networks with random weights, in float32."""
    torch.manual_seed(seed)
    return Anima().build(TINY_ANIMA, dtype=torch.float32, vae_dtype=torch.float32, device=CPU)


def state_in_file(network: nn.Module, name: Callable[[str], str], prefix: str = "") -> dict[str, Tensor]:
    """A network's weights under the names of files."""
    return {prefix + name(own): one.contiguous() for own, one in network.state_dict().items()}


def write_tiny_anima(
    folder: Path, base: BaseModel | None = None, *, prefix: str = "net.", more: Mapping[str, Tensor] | None = None
) -> PartFiles:
    """The three files of a base model.

    Args:
        prefix: of the denoiser's names.
        more: further tensors of the denoiser's file.
    """
    base = base or tiny_anima()
    files = PartFiles(folder / "anima.safetensors", folder / "qwen_3_06b.safetensors", folder / "qwen_vae.safetensors")
    folder.mkdir(parents=True, exist_ok=True)
    save_file({**state_in_file(base.denoiser, denoiser_key, prefix), **(more or {})}, files.denoiser)
    save_file(state_in_file(base.text_encoders[0], str, "model."), files.text_encoder)
    save_file(state_in_file(base.vae, video_vae_key), files.vae)
    return files


def write_empty_anima(folder: Path, structure: AnimaStructure, *, prefix: str = "net.") -> PartFiles:
    """The three files of a base model of these measures in 16 bits, whose weights are holes that take no disk."""
    base = Anima().build(structure, dtype=torch.bfloat16, vae_dtype=torch.bfloat16, device=torch.device("meta"))
    files = PartFiles(folder / "anima.safetensors", folder / "qwen_3_06b.safetensors", folder / "qwen_vae.safetensors")
    folder.mkdir(parents=True, exist_ok=True)
    for path, network, name, start in (
        (files.denoiser, base.denoiser, denoiser_key, prefix),
        (files.text_encoder, base.text_encoders[0], str, "model."),
        (files.vae, base.vae, video_vae_key, ""),
    ):
        shapes = {start + name(own): tuple(one.shape) for own, one in network.state_dict().items()}
        write_model(path, shapes, dtype="BF16")
    return files
