"""Names of Anima's weights: diffusers' and transformers' own, and those of the files that its users have.

Every name of ours has one place in a file (`trainer.models.weight_files.Source`).
"""

from __future__ import annotations

import re

TRANSFORMER, CONDITIONER = "transformer.", "conditioner."
"""What our denoiser's names begin with: the transformer, and the adapter before it."""
LEFTOVERS = re.compile(
    r"(^|\.)(pos_embedder\.(seq|dim_spatial_range|dim_temporal_range)|accum_\w+|_extra_state|inv_freq)$"
)
"""Numberings and counters of the original code, which no network needs."""

_PLACES = (
    (r"^patch_embed\.proj", "x_embedder.proj.1"),
    (r"^time_embed\.t_embedder", "t_embedder.1"),
    (r"^time_embed\.norm", "t_embedding_norm"),
    (r"^norm_out\.linear_", "final_layer.adaln_modulation."),
    (r"^proj_out", "final_layer.linear"),
    (r"^transformer_blocks\.", "blocks."),
    (r"\.norm1\.linear_", ".adaln_modulation_self_attn."),
    (r"\.norm2\.linear_", ".adaln_modulation_cross_attn."),
    (r"\.norm3\.linear_", ".adaln_modulation_mlp."),
    (r"\.attn1\.", ".self_attn."),
    (r"\.attn2\.", ".cross_attn."),
    (r"\.to_([qkv])\b", r".\1_proj"),
    (r"\.to_out\.0\b", ".output_proj"),
    (r"\.norm_([qk])\b", r".\1_norm"),
    (r"\.ff\.net\.0\.proj", ".mlp.layer1"),
    (r"\.ff\.net\.2", ".mlp.layer2"),
)
"""Parts of diffusers' names and what stands there in the original ones."""
_IN_VAE_BLOCK = (
    (r"\.norm1\.", ".residual.0."),
    (r"\.conv1\.", ".residual.2."),
    (r"\.norm2\.", ".residual.3."),
    (r"\.conv2\.", ".residual.6."),
    (r"\.conv_shortcut\.", ".shortcut."),
)
_VAE_PLACES = (
    (r"^quant_conv\.", "conv1."),
    (r"^post_quant_conv\.", "conv2."),
    (r"^(encoder|decoder)\.conv_in\.", r"\1.conv1."),
    (r"^(encoder|decoder)\.norm_out\.", r"\1.head.0."),
    (r"^(encoder|decoder)\.conv_out\.", r"\1.head.2."),
    (r"^(encoder|decoder)\.mid_block\.resnets\.0\.", r"\1.middle.0."),
    (r"^(encoder|decoder)\.mid_block\.attentions\.0\.", r"\1.middle.1."),
    (r"^(encoder|decoder)\.mid_block\.resnets\.1\.", r"\1.middle.2."),
    (r"^encoder\.down_blocks\.", "encoder.downsamples."),
)
_UP = re.compile(r"^decoder\.up_blocks\.(\d+)\.(resnets|upsamplers)\.(\d+)\.")
LAYERS_PER_LEVEL = 3
"""Residual blocks in each level of the VAE's decoder, before what doubles the size."""


def denoiser_key(own: str) -> str:
    """What a file calls one of our denoiser's weights or layers, without the prefix."""
    if own.startswith(CONDITIONER):
        return "llm_adapter." + own.removeprefix(CONDITIONER)
    return _renamed(own.removeprefix(TRANSFORMER), _PLACES)


def video_vae_key(own: str) -> str:
    """What Wan's and ComfyUI's files call one of the VAE's weights."""
    name = _renamed(own, _VAE_PLACES)
    found = _UP.match(name)
    if found is not None:
        level, kind, number = int(found[1]), found[2], int(found[3])
        place = level * (LAYERS_PER_LEVEL + 1) + (LAYERS_PER_LEVEL if kind == "upsamplers" else number)
        name = f"decoder.upsamples.{place}.{name[found.end() :]}"
    is_block = re.match(r"^(encoder|decoder)\.(downsamples|upsamples|middle)\.", name) is not None
    return _renamed(name, _IN_VAE_BLOCK) if is_block else name


def _renamed(name: str, places: tuple[tuple[str, str], ...]) -> str:
    for pattern, theirs in places:
        name = re.sub(pattern, theirs, name)
    return name
