"""Language models that captions are read with, of any size."""

from __future__ import annotations

from typing import Any

import torch
from torch import nn
from transformers import Qwen3Config, Qwen3Model

from advisor.families.language_model import LanguageStructure

TEXT_BASE, TEXT_EPSILON = 1_000_000.0, 1e-6
"""Qwen3's base of rotary positions and the epsilon of its norms."""
MOST_POSITIONS = 40_960
"""Of Qwen3; nothing of a caption's length depends on it."""


def build_text_encoder(text: LanguageStructure) -> nn.Module:
    """A Qwen3 of these measures; where its last layers are not read, its last states are those before them."""
    config = Qwen3Config(
        vocab_size=text.vocab_size,
        hidden_size=text.width,
        intermediate_size=text.mlp_width,
        num_hidden_layers=text.layers - text.unread_layers,
        num_attention_heads=text.heads,
        num_key_value_heads=text.key_value_heads,
        head_dim=text.head_width,
        rms_norm_eps=TEXT_EPSILON,
        max_position_embeddings=MOST_POSITIONS,
        rope_parameters={"rope_type": "default", "rope_theta": TEXT_BASE},
        use_cache=False,
        attn_implementation="sdpa",
    )
    network = Qwen3Model(config)
    if text.unread_layers:
        network.norm = nn.Identity()
    return network  # type: ignore[no-any-return]


def with_rotary_tables(encoder: nn.Module, device: torch.device) -> nn.Module:
    """Make anew what no file holds: the frequencies of rotary positions, of a network that was built on `meta`."""
    for module in encoder.modules():
        if hasattr(module, "rotary_emb"):
            old: Any = module.rotary_emb
            with device:
                module.rotary_emb = type(old)(config=encoder.config)
    return encoder
