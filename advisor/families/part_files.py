"""Text encoders and VAEs that are files of their own: which a family needs, and their measures by their shapes."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from itertools import islice
from typing import Literal

from advisor.families.language_model import LanguageStructure
from advisor.families.signature import Tensors, num_layers, width
from advisor.families.stable_diffusion import VaeStructure
from advisor.families.video_vae import VideoVaeStructure

PartKind = Literal["text_encoder", "vae"]
VAE_PREFIXES = ("vae.", "first_stage_model.", "")
"""What may stand before a VAE's names."""
EMBEDDINGS = "embed_tokens.weight"
"""A language model's embeddings, before whose name its prefix stands."""
FIRST_LAYER = "layers.0.self_attn."
MOST_MODELS = 8
"""So many in one file are looked at; bundles have one or two."""


@dataclass(frozen=True)
class SeparatePart:
    """A network that is a file of its own beside the denoiser's."""

    kind: PartKind
    file_name: str
    """What its makers call the file."""
    file_bytes: int
    """Of that file, about."""
    fits: Callable[[Tensors], Callable[[Tensors], bool]]
    """Of the denoiser's file: whether any file holds such a part, and one for this denoiser."""


def qwen_structure(tensors: Tensors) -> tuple[str, LanguageStructure] | None:
    """The prefix and the measures of a Qwen3; None: there is none.

    ComfyUI's bundles keep it under `text_encoders.NAME.transformer.model.`.
    """
    prefixes = (name.removesuffix(EMBEDDINGS) for name in tensors if name.endswith(EMBEDDINGS))
    whole = (prefix for prefix in prefixes if f"{prefix}{FIRST_LAYER}q_norm.weight" in tensors)
    for prefix in islice(whole, MOST_MODELS):  # each is a walk through all names
        own = {name.removeprefix(prefix): one for name, one in tensors.items() if name.startswith(prefix)}
        found = _qwen(own)
        if found is not None:
            return prefix, found
    return None


def video_vae_structure(tensors: Tensors) -> tuple[str, VideoVaeStructure] | None:
    """The prefix and the measures of a Qwen-Image VAE in Wan's names or in diffusers'; None: there is none."""
    for prefix in VAE_PREFIXES:
        first = f"{prefix}encoder.conv1.weight|{prefix}encoder.conv_in.weight"
        last = f"{prefix}conv2.weight|{prefix}post_quant_conv.weight"
        wide, latents = width(tensors, first, 0), width(tensors, last, 0)
        if wide and latents and width(tensors, first, 4):
            return prefix, VideoVaeStructure(wide, latents)
    return None


def image_vae_structure(tensors: Tensors) -> tuple[str, VaeStructure] | None:
    """The prefix and the measures of a VAE of pictures in the first latent diffusion code's names or in diffusers';
    None: there is none. How its latents are scaled stands in no file.
    """
    for prefix in VAE_PREFIXES:
        own = {name.removeprefix(prefix): one for name, one in tensors.items() if name.startswith(prefix)}
        latents = width(own, "decoder.conv_in.weight", 1)
        down = "encoder.down_blocks." if "encoder.down_blocks.0.resnets.0.conv1.weight" in own else "encoder.down."
        block = "resnets" if down == "encoder.down_blocks." else "block"
        widths = [width(own, f"{down}{level}.{block}.0.conv1.weight", 0) for level in range(num_layers(own, down))]
        known = tuple(channels for channels in widths if channels)
        if latents is None or not known or len(known) < len(widths) or width(own, "decoder.conv_in.weight", 4):
            continue
        return prefix, VaeStructure(
            block_out_channels=known,
            latent_channels=latents,
            layers_per_block=num_layers(own, f"{down}0.{block}."),
            mid_attention=any(
                name.startswith(("decoder.mid.attn_1.", "decoder.mid_block.attentions.")) for name in own
            ),
            quant_conv="quant_conv.weight" in own,
        )
    return None


def _qwen(own: Tensors) -> LanguageStructure | None:
    layer = FIRST_LAYER
    vocab, wide = width(own, EMBEDDINGS, 0), width(own, EMBEDDINGS, 1)
    head, queries = width(own, f"{layer}q_norm.weight", 0), width(own, f"{layer}q_proj.weight", 0)
    keys, mlp = width(own, f"{layer}k_proj.weight", 0), width(own, "layers.0.mlp.gate_proj.weight", 0)
    layers = num_layers(own, "layers.")
    if not (vocab and wide and head and queries and keys and mlp and layers) or queries % head or keys % head:
        return None
    return LanguageStructure(wide, layers, queries // head, keys // head, head, mlp, vocab)
