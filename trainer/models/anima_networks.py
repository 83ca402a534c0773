"""Anima's networks, of any size: the denoiser with its text adapter, and the VAE.

Letters: B images, C latent channels, H and W latent height and width, T text states, S tokens of the text adapter.
"""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import torch
from diffusers import AnimaTextConditioner, AutoencoderKLQwenImage, CosmosTransformer3DModel
from diffusers.models.transformers import transformer_cosmos
from torch import Tensor, nn
from torch.nn.functional import interpolate

from advisor.families.anima_structure import AnimaStructure
from advisor.families.video_vae import VideoVaeStructure
from trainer.models.checkpointing import checkpoint_first

ROPE_SCALE = (1.0, 4.0, 4.0)
"""How far the transformer's positions are stretched: frames, height, width."""


class AnimaDenoiser(nn.Module):
    """The transformer and, before it, the adapter that makes of a caption's states what the transformer looks at."""

    kept_whole = (
        "conditioner", "transformer.patch_embed", "transformer.time_embed", "transformer.norm_out",
        "transformer.proj_out",
    )  # fmt: skip
    """What is not quantised: the adapter (6 % of all), the first and last layers and the embedding of time."""

    def __init__(self, structure: AnimaStructure) -> None:
        """Networks of these measures; their weights are not worth having."""
        super().__init__()
        own, adapter = structure.denoiser, structure.adapter
        self.transformer = CosmosTransformer3DModel(
            in_channels=own.latent_channels,
            out_channels=own.latent_channels,
            num_attention_heads=own.heads,
            attention_head_dim=own.width // own.heads,
            num_layers=own.layers,
            mlp_ratio=own.mlp_width / own.width,
            text_embed_dim=own.text_width,
            adaln_lora_dim=own.modulation_width,
            rope_scale=ROPE_SCALE,
            extra_pos_embed_type=None,
        )
        self.conditioner = AnimaTextConditioner(
            source_dim=adapter.source_width,
            target_dim=adapter.target_width,
            model_dim=adapter.width,
            num_layers=adapter.layers,
            num_attention_heads=adapter.heads,
            mlp_ratio=adapter.mlp_width / adapter.width,
            target_vocab_size=adapter.vocab_size,
        )

    def forward(
        self, noisy: Tensor, times: Tensor, *, states: Tensor, states_mask: Tensor, ids: Tensor, ids_mask: Tensor
    ) -> Tensor:
        """The velocity [B, C, H, W] of latents [B, C, H, W] at times [B] in 0..1.

        Args:
            states: [B, T, D], the text encoder's.
            states_mask: [B, T] bool: which of them are a caption's.
            ids: [B, S] int64, the caption in the adapter's own tokens.
            ids_mask: [B, S] bool.
        """
        context = self.conditioner(states, ids, target_attention_mask=ids_mask, source_attention_mask=states_mask)
        out: Tensor = self.transformer(
            noisy[:, :, None],
            times,
            context,
            padding_mask=noisy.new_zeros(1, 1, *noisy.shape[-2:]),
            return_dict=False,
        )[0]
        return out[:, :, 0]

    def enable_gradient_checkpointing(self, blocks: int = 0) -> None:
        """In the transformer's first blocks, 0: in all; the adapter before them is small, and seldom has gradients."""
        checkpoint_first(self.transformer, self.transformer.transformer_blocks, blocks)


def build_vae(vae: VideoVaeStructure) -> nn.Module:
    """A Qwen-Image VAE of these measures; its latents' means and deviations are the published ones."""
    return AutoencoderKLQwenImage(base_dim=vae.width, z_dim=vae.latent_channels)  # type: ignore[no-any-return]


def with_rotary_tables(network: nn.Module, device: torch.device) -> nn.Module:
    """Make anew what no file holds: the frequencies of rotary positions, of a network that was built on `meta`."""
    for module in network.modules():
        if hasattr(module, "rotary_emb"):
            old: Any = module.rotary_emb
            with device:
                module.rotary_emb = type(old)(2 * old.inv_freq.shape[0])
    return network


def without_torchvision() -> None:
    """Give diffusers' transformer what it takes of torchvision, which resizes a mask of zeros, where that is absent."""
    if not hasattr(transformer_cosmos, "transforms"):
        transformer_cosmos.transforms = SimpleNamespace(
            functional=SimpleNamespace(resize=_resize), InterpolationMode=SimpleNamespace(NEAREST="nearest")
        )


def _resize(mask: Tensor, size: list[int], interpolation: str) -> Tensor:
    return interpolate(mask, size=size, mode=interpolation)
