"""Z-Image's networks, of any size: the denoiser and the VAE.

Letters: B images, C latent channels, H and W latent height and width, T text states, D their width, E the
transformer's; N tokens of a picture and S of a caption, both filled up to multiples of 32.
"""

from __future__ import annotations

from typing import Any

import torch
from diffusers import ZImageTransformer2DModel
from torch import Tensor, nn
from torch.nn.functional import pad

from advisor.families.stable_diffusion import VaeStructure
from advisor.families.z_image_structure import TOKEN_UNIT, ZImageStructure
from trainer.models.build import build_vae as build_image_vae
from trainer.models.checkpointing import checkpoint_first

SIDE = 2
"""Latent pixels along one side of a patch."""
PATCHES = f"{SIDE}-1"
"""What the transformer calls its layers for such patches of one frame."""
MOST_PLACES = (1024, 512, 512)
"""Positions in a caption, and of patches in height and width, that tables of angles are made for."""
VAE_CONFIG = {"latents_mean": None, "latents_std": None, "sample_size": 1024}


class ZImageDenoiser(nn.Module):
    """The transformer, called with a batch as tensors, so that no number has to come back from a card in a step.

    diffusers' own call takes a list of pictures and one of captions, each of its own length, and gives the same.
    """

    def __init__(self, structure: ZImageStructure) -> None:
        """A network of these measures; its weights are not worth having."""
        super().__init__()
        own = structure.denoiser
        self.transformer = ZImageTransformer2DModel(
            in_channels=own.latent_channels,
            dim=own.width,
            n_layers=own.layers,
            n_refiner_layers=own.refiners,
            n_heads=own.heads,
            n_kv_heads=own.heads,
            cap_feat_dim=own.text_width,
            axes_dims=list(own.position_widths),
            axes_lens=list(MOST_PLACES),
        )

    @property
    def kept_whole(self) -> tuple[str, ...]:
        """What is not quantised: the first and last layers, and all that reads the time (2 % of all)."""
        ends = ("all_x_embedder", "all_final_layer", "t_embedder", "cap_embedder")
        modulations = (name for name, _ in self.transformer.named_modules() if name.endswith(".adaLN_modulation"))
        return tuple(f"transformer.{name}" for name in (*ends, *modulations))

    def forward(self, noisy: Tensor, times: Tensor, *, states: Tensor, states_mask: Tensor) -> Tensor:
        """The velocity [B, C, H, W] of latents [B, C, H, W] at times [B], from 0 for a picture to 1 for noise.

        The transformer itself counts time the other way round and gives the way from noise to picture.

        Args:
            states: [B, T, D], the text encoder's.
            states_mask: [B, T] bool: which of them are a caption's; these come first.
        """
        own = self.transformer
        time = own.t_embedder((1 - times) * own.t_scale).type_as(noisy)
        is_token = pad(states_mask, (0, -states_mask.shape[1] % TOKEN_UNIT))
        # Each caption is filled up for itself; what a longer neighbour has more of is not looked at.
        lengths = (is_token.sum(1) + TOKEN_UNIT - 1) // TOKEN_UNIT * TOKEN_UNIT
        is_there = torch.arange(is_token.shape[1], device=noisy.device) < lengths[:, None]

        pictures, picture_turns = self._pictures(noisy, lengths)
        for block in own.noise_refiner:
            pictures = self._called(block, pictures, None, picture_turns, time)
        captions, caption_turns = self._captions(states, is_token)
        for block in own.context_refiner:
            captions = self._called(block, captions, is_there, caption_turns)

        both, turns = torch.cat([pictures, captions], dim=1), torch.cat([picture_turns, caption_turns], dim=1)
        is_there = torch.cat([is_there.new_ones(pictures.shape[:2]), is_there], dim=1)
        for block in own.layers:
            both = self._called(block, both, is_there, turns, time)
        return -self._latents(own.all_final_layer[PATCHES](both, c=time), noisy.shape)

    def enable_gradient_checkpointing(self, blocks: int = 0) -> None:
        """In the first blocks of the one sequence, 0: in all; those before it have no adapters, and keep nothing."""
        checkpoint_first(self.transformer, self.transformer.layers, blocks)

    def _pictures(self, noisy: Tensor, lengths: Tensor) -> tuple[Tensor, Tensor]:
        """Tokens [B, N, E] of latents, and the turns of their positions, which come after the caption's."""
        own, (height, width) = self.transformer, (side // SIDE for side in noisy.shape[-2:])
        number = height * width
        patches = noisy.view(*noisy.shape[:2], height, SIDE, width, SIDE).permute(0, 2, 4, 3, 5, 1)
        missing = -number % TOKEN_UNIT
        tokens = pad(own.all_x_embedder[PATCHES](patches.reshape(len(noisy), number, -1)), (0, 0, 0, missing))
        place = torch.arange(number + missing, device=noisy.device)
        is_picture = place < number
        tokens = torch.where(is_picture[:, None], tokens, own.x_pad_token)
        rows, columns = (place // width, place % width)
        grid = torch.stack([torch.ones_like(place), rows, columns], dim=-1) * is_picture[:, None]
        starts = torch.stack([lengths, torch.zeros_like(lengths), torch.zeros_like(lengths)], dim=-1)
        return tokens, self._turns(grid + starts[:, None] * is_picture[:, None])

    def _captions(self, states: Tensor, is_token: Tensor) -> tuple[Tensor, Tensor]:
        """Tokens [B, S, E] of captions, and the turns of their positions, which count from 1."""
        own = self.transformer
        tokens = own.cap_embedder(pad(states, (0, 0, 0, is_token.shape[1] - states.shape[1])))
        tokens = torch.where(is_token[..., None], tokens, own.cap_pad_token)
        place = torch.arange(1, is_token.shape[1] + 1, device=states.device)
        places = torch.stack([place, torch.zeros_like(place), torch.zeros_like(place)], dim=-1)
        return tokens, self._turns(places.expand(len(states), -1, -1))

    def _turns(self, places: Tensor) -> Tensor:
        """What turns queries and keys at positions [B, M, 3], complex [B, M, E / heads / 2]."""
        turns: Tensor = self.transformer.rope_embedder(places.reshape(-1, places.shape[-1]))
        return turns.view(*places.shape[:2], -1)

    def _called(
        self, block: Any, tokens: Tensor, mask: Tensor | None, turns: Tensor, time: Tensor | None = None
    ) -> Tensor:
        own = self.transformer
        if own.gradient_checkpointing and torch.is_grad_enabled():
            kept: Tensor = own._gradient_checkpointing_func(block, tokens, mask, turns, time)
            return kept
        found: Tensor = block(tokens, mask, turns, time)
        return found

    def _latents(self, tokens: Tensor, shape: torch.Size) -> Tensor:
        """Latents of this shape, of the tokens that are a picture's and come first."""
        height, width = (side // SIDE for side in shape[-2:])
        patches = tokens[:, : height * width].view(-1, height, width, SIDE, SIDE, shape[1])
        return patches.permute(0, 5, 1, 3, 2, 4).reshape(shape)


def build_vae(vae: VaeStructure) -> nn.Module:
    """FLUX.1's VAE of these measures."""
    return build_image_vae(vae, VAE_CONFIG)
