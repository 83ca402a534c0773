"""A small Z-Image of random weights, as the files that its users have."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import torch
from safetensors.torch import save_file
from torch import Tensor, nn

from advisor.families.language_model import LanguageStructure
from advisor.families.stable_diffusion import VaeStructure
from advisor.families.z_image_structure import SingleStreamStructure, ZImageStructure
from tests.support.headers import write_model
from trainer.models.families.family import BaseModel
from trainer.models.families.z_image import ZImage
from trainer.models.ldm_keys import vae_key
from trainer.models.part_files import PartFiles
from trainer.models.z_image_files import denoiser_source

TINY_Z_IMAGE = ZImageStructure(
    denoiser=SingleStreamStructure(latent_channels=16, width=64, heads=2, layers=2, refiners=1, text_width=24),
    text=(
        LanguageStructure(
            width=24, layers=3, heads=3, key_value_heads=1, head_width=8, mlp_width=40, vocab_size=151936,
            unread_layers=1,
        ),
    ),
    vae=VaeStructure(
        block_out_channels=(32, 32, 32, 32), latent_channels=16, layers_per_block=1, scaling_factor=0.3611,
        shift_factor=0.1159, quant_conv=False,
    ),
    native_px=1024,
)  # fmt: skip
CPU = torch.device("cpu")


def tiny_z_image(seed: int = 0) -> BaseModel:
    """The networks with random weights, in float32; nothing of them is zero, as it is in new ones."""
    torch.manual_seed(seed)
    base = ZImage().build(TINY_Z_IMAGE, dtype=torch.float32, vae_dtype=torch.float32, device=CPU)
    transformer = base.denoiser.transformer
    for token in (transformer.x_pad_token, transformer.cap_pad_token):
        token.data.normal_()
    return base


def in_single_file(shapes: Mapping[str, tuple[int, ...]]) -> dict[str, tuple[int, ...]]:
    """The shapes of a denoiser's weights as single files have them, by their names there."""
    found = dict[str, tuple[int, ...]]()
    for own, shape in shapes.items():
        source = denoiser_source(own)
        found[source.name] = (shape[0] * source.parts, *shape[1:])
    return found


def single_file(denoiser: nn.Module, prefix: str = "") -> dict[str, Tensor]:
    """A denoiser's weights as single files have them: queries, keys and values of an attention in one."""
    found = dict[str, list[tuple[int, Tensor]]]()
    for own, one in denoiser.state_dict().items():
        source = denoiser_source(own, prefix)
        found.setdefault(source.name, []).append((source.part, one))
    return {
        name: torch.cat([one for _, one in sorted(parts, key=lambda part: part[0])]) for name, parts in found.items()
    }


def text_file(encoder: nn.Module, seed: int = 3) -> dict[str, Tensor]:
    """A text encoder's weights under the names of files, with the last layer and norm, which are not read."""
    own = {f"model.{name}": one.contiguous() for name, one in encoder.state_dict().items()}
    last = TINY_Z_IMAGE.text[0].layers - 1
    torch.manual_seed(seed)
    more = {
        name.replace("layers.0.", f"layers.{last}."): torch.randn_like(one)
        for name, one in own.items()
        if name.startswith("model.layers.0.")
    }
    return own | more | {"model.norm.weight": torch.randn(TINY_Z_IMAGE.text[0].width)}


def write_tiny_z_image(
    folder: Path, base: BaseModel | None = None, *, prefix: str = "", more: Mapping[str, Tensor] | None = None
) -> PartFiles:
    """The three files of a base model.

    Args:
        prefix: of the denoiser's names.
        more: further tensors of the denoiser's file.
    """
    base = base or tiny_z_image()
    files = PartFiles(folder / "z_image.safetensors", folder / "qwen_3_4b.safetensors", folder / "ae.safetensors")
    folder.mkdir(parents=True, exist_ok=True)
    save_file({**single_file(base.denoiser, prefix), **(more or {})}, files.denoiser)
    save_file(text_file(base.text_encoders[0]), files.text_encoder)
    vae = base.vae.state_dict().items()
    save_file({vae_key(own, base.structure.vae): one.contiguous() for own, one in vae}, files.vae)
    return files


def write_empty_z_image(folder: Path, structure: ZImageStructure, *, prefix: str = "") -> PartFiles:
    """The three files of a base model of these measures in 16 bits, whose weights are holes that take no disk."""
    base = ZImage().build(structure, dtype=torch.bfloat16, vae_dtype=torch.bfloat16, device=torch.device("meta"))
    files = PartFiles(folder / "z_image.safetensors", folder / "qwen_3_4b.safetensors", folder / "ae.safetensors")
    folder.mkdir(parents=True, exist_ok=True)
    denoiser = {own: tuple(one.shape) for own, one in base.denoiser.state_dict().items()}
    write_model(files.denoiser, {prefix + own: one for own, one in in_single_file(denoiser).items()}, dtype="BF16")
    text, (measures,) = base.text_encoders[0].state_dict(), structure.text
    shapes = {f"model.{own}": tuple(one.shape) for own, one in text.items()} | {"model.norm.weight": (measures.width,)}
    for layer in range(measures.layers - measures.unread_layers, measures.layers):
        first = [(own, one) for own, one in shapes.items() if own.startswith("model.layers.0.")]
        shapes |= {own.replace("layers.0.", f"layers.{layer}."): one for own, one in first}
    write_model(files.text_encoder, shapes, dtype="BF16")
    vae = {vae_key(own, structure.vae): tuple(one.shape) for own, one in base.vae.state_dict().items()}
    write_model(files.vae, vae, dtype="BF16")
    return files
