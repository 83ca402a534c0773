"""Anima: how its three files are loaded and how it is called.

Letters: B images in a batch, C latent channels, H and W latent height and width, T tokens of a caption in the text
encoder's vocabulary, S in the text adapter's, D the text encoder's width.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor, nn

from advisor.families.anima_structure import AnimaStructure
from advisor.families.patch_transformer import MOST_TOKENS
from advisor.settings.config import QuantisedDtype
from trainer.models.anima_files import load_denoiser, load_vae, structure_of_files
from trainer.models.anima_keys import denoiser_key
from trainer.models.anima_networks import AnimaDenoiser, build_vae, without_torchvision
from trainer.models.families.family import AdaptedWith, BaseModel, Conditioning
from trainer.models.families.flow_family import FlowFamily, filled
from trainer.models.language_tokenizers import qwen_tokenizer, t5_tokenizer
from trainer.models.part_files import PartFiles

T5_END = 1
"""The mark that ends a caption in the adapter's tokens; it stays where a caption is cut."""
STATES, STATES_MASK, IDS, IDS_MASK = "states", "states_mask", "ids", "ids_mask"
"""The conditioning's tensors: [B, T, D], [B, T] bool, [B, S] int64, [B, S] bool."""


@dataclass(frozen=True)
class Anima(FlowFamily):
    """How Anima is loaded and called."""

    name: str = "anima"
    text_version: str = "anima 1"

    def blank_tokens(self, structure: AnimaStructure, count: int, *, chunks: int = 1) -> tuple[Tensor, ...]:  # noqa: ARG002
        """Numbers and masks of captions of 512 tokens in either vocabulary."""
        shape = count, structure.text_positions
        ids, mask = torch.zeros(shape, dtype=torch.int64), torch.ones(shape, dtype=torch.bool)
        return ids, mask, ids, mask

    def tokenize(self, base: BaseModel, captions: Sequence[str], *, chunks: int = 1) -> tuple[Tensor, ...]:  # noqa: ARG002
        """Numbers and mask in the text encoder's vocabulary, [B, T], and in the adapter's, [B, S]."""
        texts = [qwen_tokenizer().encode(caption).ids[:MOST_TOKENS] for caption in captions]
        targets = [_with_end(t5_tokenizer().encode(caption).ids) for caption in captions]
        return *filled(texts), *filled(targets)

    def num_tokens_too_long(self, base: BaseModel, caption: str, *, chunks: int, weighted: bool) -> int:  # noqa: ARG002
        """How many tokens a caption has that is cut; 0 where it is not."""
        number = max(len(tokenizer().encode(caption).ids) for tokenizer in (qwen_tokenizer, t5_tokenizer))
        return number if number > MOST_TOKENS else 0

    def encode_text(
        self,
        base: BaseModel,
        token_ids: Sequence[Tensor],
        *,
        clip_skip: int = 1,  # noqa: ARG002
        weights: Tensor | None = None,  # noqa: ARG002
    ) -> Conditioning:
        """The text encoder's last states, zero where a caption has no token, and the adapter's tokens."""
        texts, is_token, ids, ids_mask = token_ids
        # Attention to nothing at all is no number, so a caption without a token has one place, whose state is zero.
        is_first = torch.arange(texts.shape[1], device=texts.device) == 0
        attended = is_token | (is_first & ~is_token.any(dim=1, keepdim=True))
        states = base.text_encoders[0](input_ids=texts, attention_mask=attended).last_hidden_state
        states = states * is_token[..., None].to(states.dtype)
        return Conditioning({STATES: states, STATES_MASK: attended, IDS: ids, IDS_MASK: ids_mask})

    def predict(
        self,
        base: BaseModel,
        noisy: Tensor,
        times: Tensor,
        text: Conditioning,
        sizes: Tensor | None = None,  # noqa: ARG002
    ) -> Tensor:
        """The velocity [B, C, H, W] of latents [B, C, H, W] at times [B] in 0..1."""
        out: Tensor = base.denoiser(noisy, times, **{name: text[name] for name in (STATES, STATES_MASK, IDS, IDS_MASK)})
        return out

    def encode_images(self, base: BaseModel, images: Tensor, generator: torch.Generator | None) -> Tensor:  # noqa: ARG002
        """Latents [B, C, H, W] of images [B, 3, h, w]: the distribution's mean, as Anima's trainers take it."""
        with torch.no_grad():
            latents: Tensor = base.vae_distribution(images[:, :, None]).mean[:, :, 0].float()
            mean, deviation = _normal(base, latents)
            return (latents - mean) / deviation

    def decode_latents(self, base: BaseModel, latents: Tensor) -> Tensor:
        """Images [B, 3, h, w] in float32, -1..1, of normalised latents [B, C, H, W]."""
        with torch.no_grad():
            mean, deviation = _normal(base, latents)
            return base.vae_images((latents.float() * deviation + mean)[:, :, None])[:, :, 0]

    def feature_block(self, base: BaseModel) -> nn.Module:
        """The block in the middle."""
        blocks = base.denoiser.transformer.transformer_blocks
        block: nn.Module = blocks[len(blocks) // 2]
        return block

    def name_in_lora(self, base: BaseModel, path: str) -> str:  # noqa: ARG002
        """What LoRA files call the denoiser's layer at `path`: what the model's file calls it."""
        return denoiser_key(path)

    def adapted_with(self, path: str) -> AdaptedWith | None:
        """The attentions and MLPs of the transformer's blocks always; those of the text adapter are the wide kind."""
        network, _, rest = path.partition("_blocks." if path.startswith("transformer.") else "blocks.")
        in_block = rest.partition(".")[2]
        if network == "transformer.transformer" and in_block.startswith(("attn1.", "attn2.", "ff.")):
            return "always"
        return "wide" if network == "conditioner." and rest else None

    def structure_of_files(self, files: PartFiles) -> AnimaStructure:
        """The measures of all three, from their headers."""
        return structure_of_files(files)

    def _new_denoiser(self, structure: AnimaStructure) -> nn.Module:
        without_torchvision()
        return AnimaDenoiser(structure)

    def _new_vae(self, structure: AnimaStructure) -> nn.Module:
        return build_vae(structure.vae)

    def _load_denoiser(
        self,
        denoiser: AnimaDenoiser,
        path: Path,
        *,
        dtype: torch.dtype,
        device: torch.device,
        quantised: QuantisedDtype | None,
    ) -> None:
        load_denoiser(denoiser, path, dtype=dtype, device=device, quantised=quantised)

    def _load_vae(
        self,
        vae: nn.Module,
        path: Path,
        structure: AnimaStructure,  # noqa: ARG002
        *,
        dtype: torch.dtype,
        device: torch.device,
    ) -> None:
        load_vae(vae, path, dtype=dtype, device=device)


def _normal(base: BaseModel, latents: Tensor) -> tuple[Tensor, Tensor]:
    """Mean and standard deviation of each channel of the VAE's latents, [1, C, 1, 1] each."""
    config = base.vae.config
    return tuple(  # type: ignore[return-value]
        torch.tensor(values, device=latents.device).view(1, -1, 1, 1)
        for values in (config.latents_mean, config.latents_std)
    )


def _with_end(ids: list[int]) -> list[int]:
    return ids if len(ids) <= MOST_TOKENS else [*ids[: MOST_TOKENS - 1], T5_END]
