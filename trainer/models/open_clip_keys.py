"""What the weights of a text encoder are called in OpenCLIP's layout, given what transformers calls them. Single files
of SD2 and SDXL keep them so.
"""

from __future__ import annotations

from collections.abc import Container

from trainer.models.weight_files import Source

LAYERS = "encoder.layers."
BLOCKS = "transformer.resblocks."
ENDS = {
    "embeddings.token_embedding.weight": "token_embedding.weight",
    "embeddings.position_embedding.weight": "positional_embedding",
    "final_layer_norm.weight": "ln_final.weight",
    "final_layer_norm.bias": "ln_final.bias",
}
"""What comes before and after the layers."""
INNER = {
    "layer_norm1": "ln_1",
    "layer_norm2": "ln_2",
    "mlp.fc1": "mlp.c_fc",
    "mlp.fc2": "mlp.c_proj",
    "self_attn.out_proj": "attn.out_proj",
}
"""Modules of a layer."""
FUSED = {"self_attn.q_proj": 0, "self_attn.k_proj": 1, "self_attn.v_proj": 2}
"""Three projections that are one tensor there, in this order."""
PROJECTION = "text_projection.weight"


def open_clip_source(key: str, prefix: str, found: Container[str]) -> Source:
    """Where the weight `key` is, without transformers' `text_model.`.

    Args:
        prefix: of all the text encoder's names in the file.
        found: the file's names.
    """
    if key == PROJECTION:
        # OpenCLIP multiplies from the other side; files converted from diffusers keep the layer as it is there.
        turned = prefix + PROJECTION not in found
        return Source(prefix + (PROJECTION.removesuffix(".weight") if turned else PROJECTION), transposed=turned)
    if not key.startswith(LAYERS):
        return Source(prefix + ENDS.get(key, key))
    number, _, rest = key.removeprefix(LAYERS).partition(".")
    module, _, weight = rest.rpartition(".")
    block = f"{prefix}{BLOCKS}{number}."
    if module in FUSED:
        return Source(f"{block}attn.in_proj_{weight}", part=FUSED[module], parts=len(FUSED))
    return Source(f"{block}{INNER.get(module, module)}.{weight}")
