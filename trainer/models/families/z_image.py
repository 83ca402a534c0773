"""Z-Image: how its three files are loaded and how it is called.

Letters: B images in a batch, C latent channels, H and W latent height and width, T tokens of a caption, D the text
encoder's width.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor, nn

from advisor.families.patch_transformer import MOST_TOKENS
from advisor.families.z_image_structure import ZImageStructure
from advisor.settings.config import QuantisedDtype
from trainer.models.families.family import AdaptedWith, BaseModel, Conditioning
from trainer.models.families.flow_family import FlowFamily, filled
from trainer.models.language_tokenizers import qwen_tokenizer
from trainer.models.part_files import PartFiles
from trainer.models.vae import load_vae
from trainer.models.z_image_files import TRANSFORMER, load_denoiser, structure_of_files
from trainer.models.z_image_networks import ZImageDenoiser, build_vae

STATES, STATES_MASK = "states", "states_mask"
"""The conditioning's tensors: [B, T, D], [B, T] bool."""
MESSAGE = "<|im_start|>user\n{caption}<|im_end|>\n<|im_start|>assistant\n"
"""A caption as Qwen3 is asked, with room to think before it answers; no answer is computed."""
ADAPTED = re.compile(r"^transformer\.layers\.\d+\.(attention\.to_|feed_forward\.)")


@dataclass(frozen=True)
class ZImage(FlowFamily):
    """How Z-Image is loaded and called."""

    name: str = "z_image"
    text_version: str = "z_image 1"

    def blank_tokens(self, structure: ZImageStructure, count: int, *, chunks: int = 1) -> tuple[Tensor, ...]:  # noqa: ARG002
        """Numbers and mask of captions of 512 tokens."""
        shape = count, structure.text_positions
        return torch.zeros(shape, dtype=torch.int64), torch.ones(shape, dtype=torch.bool)

    def tokenize(self, base: BaseModel, captions: Sequence[str], *, chunks: int = 1) -> tuple[Tensor, ...]:  # noqa: ARG002
        """Numbers and mask of captions as messages to the language model, [B, T]."""
        return filled([_ids(caption)[:MOST_TOKENS] for caption in captions])

    def num_tokens_too_long(self, base: BaseModel, caption: str, *, chunks: int, weighted: bool) -> int:  # noqa: ARG002
        """How many tokens a caption has, with those around it, that is cut; 0 where it is not."""
        number = len(_ids(caption))
        return number if number > MOST_TOKENS else 0

    def encode_text(
        self,
        base: BaseModel,
        token_ids: Sequence[Tensor],
        *,
        clip_skip: int = 1,  # noqa: ARG002
        weights: Tensor | None = None,  # noqa: ARG002
    ) -> Conditioning:
        """The text encoder's states before its last layer, zero where a caption has no token."""
        ids, is_token = token_ids
        states = base.text_encoders[0](input_ids=ids, attention_mask=is_token).last_hidden_state
        return Conditioning({STATES: states * is_token[..., None].to(states.dtype), STATES_MASK: is_token})

    def predict(
        self,
        base: BaseModel,
        noisy: Tensor,
        times: Tensor,
        text: Conditioning,
        sizes: Tensor | None = None,  # noqa: ARG002
    ) -> Tensor:
        """The velocity [B, C, H, W] of latents [B, C, H, W] at times [B] in 0..1."""
        out: Tensor = base.denoiser(noisy, times, **{name: text[name] for name in (STATES, STATES_MASK)})
        return out

    def encode_images(self, base: BaseModel, images: Tensor, generator: torch.Generator | None) -> Tensor:  # noqa: ARG002
        """Scaled latents [B, C, H, W] of images [B, 3, h, w]: the distribution's mean, as musubi-tuner takes it."""
        vae = base.structure.vae
        with torch.no_grad():
            latents: Tensor = base.vae_distribution(images).mean.float()
            scaled: Tensor = (latents - vae.shift_factor) * vae.scaling_factor
            return scaled

    def decode_latents(self, base: BaseModel, latents: Tensor) -> Tensor:
        """Images [B, 3, h, w] in float32, -1..1, of scaled latents [B, C, H, W]."""
        vae = base.structure.vae
        with torch.no_grad():
            return base.vae_images(latents.float() / vae.scaling_factor + vae.shift_factor)

    def feature_block(self, base: BaseModel) -> nn.Module:
        """The block in the middle."""
        blocks = base.denoiser.transformer.layers
        block: nn.Module = blocks[len(blocks) // 2]
        return block

    def name_in_lora(self, base: BaseModel, path: str) -> str:  # noqa: ARG002
        """What LoRA files call the denoiser's layer at `path`: what diffusers calls it."""
        return path.removeprefix(TRANSFORMER)

    def adapted_with(self, path: str) -> AdaptedWith | None:
        """Attention and MLP of the blocks that picture and caption go through together."""
        return "always" if ADAPTED.match(path) else None

    def structure_of_files(self, files: PartFiles) -> ZImageStructure:
        """The measures of all three, from their headers."""
        return structure_of_files(files)

    def _new_denoiser(self, structure: ZImageStructure) -> nn.Module:
        return ZImageDenoiser(structure)

    def _new_vae(self, structure: ZImageStructure) -> nn.Module:
        return build_vae(structure.vae)

    def _load_denoiser(
        self,
        denoiser: ZImageDenoiser,
        path: Path,
        *,
        dtype: torch.dtype,
        device: torch.device,
        quantised: QuantisedDtype | None,
    ) -> None:
        load_denoiser(denoiser, path, dtype=dtype, device=device, quantised=quantised)

    def _load_vae(
        self, vae: nn.Module, path: Path, structure: ZImageStructure, *, dtype: torch.dtype, device: torch.device
    ) -> None:
        load_vae(vae, path, structure.vae, dtype=dtype, device=device)


def _ids(caption: str) -> list[int]:
    found: list[int] = qwen_tokenizer().encode(MESSAGE.format(caption=caption)).ids
    return found
