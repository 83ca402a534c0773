"""A base model's weights as single files keep them."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor

from trainer.models.clip_text import text_root
from trainer.models.families.family import BaseModel
from trainer.models.families.unet_family import UNetFamily
from trainer.models.ldm_keys import unet_key, vae_key


def ldm_state(base: BaseModel) -> dict[str, Tensor]:
    """All weights under the names of a single file."""
    family, structure = base.family, base.structure
    assert isinstance(family, UNetFamily)
    layout = family.layout
    unet = {layout.unet + unet_key(key, structure.unet): w for key, w in base.denoiser.state_dict().items()}
    vae = {}
    for key, weight in base.vae.state_dict().items():
        name = layout.vae + vae_key(key, structure.vae)
        is_square = ".mid.attn_1." in name and weight.ndim == 2
        vae[name] = weight[:, :, None, None] if is_square else weight
    state = unet | vae
    for encoder, prefixes, is_open_clip in zip(base.text_encoders, layout.text, layout.open_clip, strict=True):
        own = text_root(encoder).state_dict()
        if is_open_clip:
            own = open_clip_state(own)
            if hasattr(encoder, "text_projection"):
                own["text_projection"] = encoder.text_projection.weight.t()
        state |= {prefixes[0] + key: weight for key, weight in own.items()}
    return state


def open_clip_state(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """A text encoder's weights as OpenCLIP keeps them: q, k and v in one."""
    plain = {
        "embeddings.token_embedding.weight": "token_embedding.weight",
        "embeddings.position_embedding.weight": "positional_embedding",
        "final_layer_norm.weight": "ln_final.weight",
        "final_layer_norm.bias": "ln_final.bias",
    }
    found = {name: state[key] for key, name in plain.items()}
    pairs = (("layer_norm1", "ln_1"), ("layer_norm2", "ln_2"), ("mlp.fc1", "mlp.c_fc"), ("mlp.fc2", "mlp.c_proj"))
    for layer in range(1 + max(int(key.split(".")[2]) for key in state if key.startswith("encoder."))):
        ours, theirs = f"encoder.layers.{layer}", f"transformer.resblocks.{layer}"
        for kind in ("weight", "bias"):
            for one, other in (*pairs, ("self_attn.out_proj", "attn.out_proj")):
                found[f"{theirs}.{other}.{kind}"] = state[f"{ours}.{one}.{kind}"]
            fused = [state[f"{ours}.self_attn.{letter}_proj.{kind}"] for letter in "qkv"]
            found[f"{theirs}.attn.in_proj_{kind}"] = torch.cat(fused)
    return found
