"""The layers of a CLIP text encoder that get an adapter, in kohya's names and order."""

from __future__ import annotations

from typing import Literal

from advisor.families.structure import LoraTarget, TextStructure


def clip_targets(
    text: TextStructure, prefix: str, part: Literal["text_encoder", "text_encoder_2"] = "text_encoder"
) -> tuple[LoraTarget, ...]:
    """Attention projections and the two MLP layers of each block; `prefix` is `lora_te`, `lora_te1` or `lora_te2`."""
    width, mlp = text.width, text.mlp_width
    layers = (
        ("self_attn.k_proj", width, width),
        ("self_attn.v_proj", width, width),
        ("self_attn.q_proj", width, width),
        ("self_attn.out_proj", width, width),
        ("mlp.fc1", width, mlp),
        ("mlp.fc2", mlp, width),
    )
    paths = [
        (f"text_model.encoder.layers.{number}.{name}", in_features, out_features)
        for number in range(text.layers)
        for name, in_features, out_features in layers
    ]
    return tuple(
        LoraTarget(f"{prefix}_{path.replace('.', '_')}", part, path, in_features, out_features)
        for path, in_features, out_features in paths
    )
